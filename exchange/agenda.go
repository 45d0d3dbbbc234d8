package exchange

import (
	"container/heap"
	"slices"
	"time"
)

// agenda finds the offer whose time comes next. An offer that changes its time is pushed again;
// the former item is recognised as stale when it surfaces.
type agenda struct{ items appointments }

type appointment struct {
	at    time.Time
	offer OfferID
}

type appointments []appointment

func (a appointments) Len() int      { return len(a) }
func (a appointments) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a appointments) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].offer < a[j].offer
}
func (a *appointments) Push(item any) { *a = append(*a, item.(appointment)) }
func (a *appointments) Pop() any {
	last := len(*a) - 1
	item := (*a)[last]
	*a = (*a)[:last]
	return item
}

func (a *agenda) push(at time.Time, id OfferID) { heap.Push(&a.items, appointment{at, id}) }

// next is the time of the first appointment that still holds.
func (a *agenda) next(offers map[OfferID]*offer) (time.Time, bool) {
	for len(a.items) > 0 {
		first := a.items[0]
		if o := offers[first.offer]; o != nil && o.due.Equal(first.at) {
			return first.at, true
		}
		heap.Pop(&a.items)
	}
	return time.Time{}, false
}

// pop takes the first offer that is due at now off the agenda; nil where there is none.
func (a *agenda) pop(now time.Time, offers map[OfferID]*offer) *offer {
	at, ok := a.next(offers)
	if !ok || at.After(now) {
		return nil
	}
	o := offers[heap.Pop(&a.items).(appointment).offer]
	o.due = time.Time{}
	return o
}

// offersInOrder lists the offers in memory by id: no output may depend on the order of a map.
func (m *Market) offersInOrder() []*offer {
	offers := make([]*offer, 0, len(m.offers))
	for _, o := range m.offers {
		offers = append(offers, o)
	}
	slices.SortFunc(offers, func(a, b *offer) int {
		switch {
		case a.id < b.id:
			return -1
		case a.id > b.id:
			return 1
		}
		return 0
	})
	return offers
}
