package exchange

// Unsettled counts the offers in memory that are open or still owe something: a held price, or a
// notice that must arrive. It looks at every offer.
func (m *Market) Unsettled() int {
	count := 0
	for _, o := range m.offers {
		if !o.settled() {
			count++
		}
	}
	return count
}
