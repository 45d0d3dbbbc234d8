package exchange

// Batch is what the store makes durable in one transaction: the outcome of some commands.
type Batch struct {
	Events []Event
	Leads  []*Lead      // of the offers that came in
	Offers []OfferState // where every offer touched by the events stands now
}

// Batch gathers what became of the latest commands, in their order, for the store. It tells where
// the offers stand now, so it is asked for after the last command of the batch and before the next.
func (m *Market) Batch(applied []Applied) Batch {
	var batch Batch
	seen := map[OfferID]bool{"": true}
	for _, one := range applied {
		batch.Events = append(batch.Events, one.Events...)
		if one.Lead != nil {
			batch.Leads = append(batch.Leads, one.Lead)
		}
	}
	for i := range batch.Events {
		id := batch.Events[i].Offer
		if o := m.offers[id]; !seen[id] && o != nil {
			seen[id] = true
			batch.Offers = append(batch.Offers, o.state())
		}
	}
	return batch
}
