package strategy

import (
	"cmp"
	"math"
	"slices"
)

const (
	// ledgerMemory is how many answers of a market count: markets change.
	ledgerMemory = 1500.0

	// leastSpot is the weight under which an old spot is forgotten.
	leastSpot = 0.02
)

// ledger is what was learned of the prices in one market: of each answered bid either the price, the
// least that would have won, where it was told, or else that the price was above a lost bid, or not
// above a won one. Its fields are its whole state.
type ledger struct {
	Spots []spot `json:"spots,omitempty"` // by price

	Won      float64 `json:"won"` // bids whose price was not told
	Lost     float64 `json:"lost"`
	ToldWon  float64 `json:"told_won"` // and those whose price was
	ToldLost float64 `json:"told_lost"`
}

// spot is a narrow range of prices. A whole dollar and the cent above it, where prices crowd, are a
// spot of their own.
type spot struct {
	Cell int32   `json:"c"`           // its highest cent
	Top  int32   `json:"p,omitempty"` // the highest price that was told in it
	Told float64 `json:"t,omitempty"` // prices
	Won  float64 `json:"w,omitempty"` // bids won, at prices not told
	Lost float64 `json:"l,omitempty"` // bids lost, likewise
}

// spotOf is the highest cent of the spot that a price belongs to: spots are about one per cent wide.
func spotOf(cents int32) int32 {
	step := int32(5)
	switch {
	case cents >= 2000_00:
		step = 25_00
	case cents >= 500_00:
		step = 5_00
	case cents >= 100_00:
		step = 1_00
	case cents >= 20_00:
		step = 25
	case cents >= 5_00:
		step = 10
	}
	tick := max(step, 100)
	if over := cents % tick; over <= 1 && cents >= tick {
		return cents - over + 1
	}
	cell := (cents + step - 1) / step * step
	if cell%tick == 0 {
		cell--
	}
	return cell
}

func centsOf(dollars float64) int32 { return int32(math.Round(min(dollars, 20_000) * 100)) }

// answer is one bid's outcome: price is 0 where it was not told.
type answer struct {
	bid, price int32
	won        bool
}

// note counts an answer.
func (l *ledger) note(a answer) {
	l.add(a, 1)
	if l.sum() > 1.25*ledgerMemory {
		l.fade(ledgerMemory / l.sum())
	}
}

// amend replaces an answer that was noted before its price was told.
func (l *ledger) amend(a answer) {
	before := a
	before.price = 0
	l.add(before, -1)
	l.note(a)
}

func (l *ledger) add(a answer, weight float64) {
	price := a.price
	if price == 0 {
		price = a.bid
	}
	s := l.at(spotOf(price))
	total, part := &l.Lost, &s.Lost
	switch {
	case a.price > 0 && a.won:
		total, part = &l.ToldWon, &s.Told
	case a.price > 0:
		total, part = &l.ToldLost, &s.Told
	case a.won:
		total, part = &l.Won, &s.Won
	}
	if a.price > 0 {
		s.Top = max(s.Top, a.price)
	}
	weight = max(weight, -*part) // a bid that is taken back may have faded meanwhile
	*part, *total = *part+weight, max(*total+weight, 0)
}

func (l *ledger) at(cell int32) *spot {
	i, found := slices.BinarySearchFunc(l.Spots, cell, func(s spot, cell int32) int { return cmp.Compare(s.Cell, cell) })
	if !found {
		l.Spots = slices.Insert(l.Spots, i, spot{Cell: cell})
	}
	return &l.Spots[i]
}

func (l *ledger) fade(keep float64) {
	for i := range l.Spots {
		s := &l.Spots[i]
		s.Told, s.Won, s.Lost = s.Told*keep, s.Won*keep, s.Lost*keep
	}
	l.Spots = slices.DeleteFunc(l.Spots, func(s spot) bool { return s.Told+s.Won+s.Lost < leastSpot })
	l.Won, l.Lost, l.ToldWon, l.ToldLost = l.Won*keep, l.Lost*keep, l.ToldWon*keep, l.ToldLost*keep
}

func (l *ledger) sum() float64 { return l.Won + l.Lost + l.ToldWon + l.ToldLost }

// tells says whether prices are told, and not only results: with most of the bids that were won, or
// with most that were lost.
func (l *ledger) tells() bool {
	return l.ToldWon > 0 && l.ToldWon >= l.Won || l.ToldLost > 0 && l.ToldLost >= l.Lost
}
