package store

import (
	"cmp"
	"database/sql"
	"encoding/binary"
	"slices"
)

// facts are what never changes of the rows that an entry tells of: of a charge the lead, its post and
// the caps that paid or counted it, of a grant the lease and the caps that it was carved from. The
// entry's hash covers them, so that the audit trail holds more than the entries themselves.
type facts struct {
	text    []byte
	numbers []byte
	caps    []capFact
}

// capFact is what a grant or a charge asked of one cap: which it is, its limits then, and what it came to.
type capFact struct {
	id, kind, period       int64
	name                   string
	from, to               int64
	limitCents, limitLeads sql.NullInt64
	afterCents, afterLeads int64
}

func (f *facts) number(numbers ...int64) {
	for _, n := range numbers {
		f.numbers = binary.BigEndian.AppendUint64(f.numbers, uint64(n))
	}
}

func (f *facts) words(words ...string) {
	for _, word := range words {
		f.text = binary.BigEndian.AppendUint64(f.text, uint64(len(word)))
		f.text = append(f.text, word...)
	}
}

func (f *facts) optional(n sql.NullInt64) {
	set := int64(0)
	if n.Valid {
		set = 1
	}
	f.number(set, n.Int64)
}

// cap adds what was asked of a cap, as its row stands now.
func (f *facts) cap(r *capRow) {
	fact := capFact{
		id: r.id, kind: int64(r.cap.Scope.Kind), name: r.cap.Scope.Name, period: int64(r.cap.Period),
		from: r.opens, to: milliseconds(r.end), afterCents: r.cents, afterLeads: r.leads,
	}
	if cents, ok := r.limits[0].(int64); ok {
		fact.limitCents = sql.NullInt64{Int64: cents, Valid: true}
	}
	if leads, ok := r.limits[1].(int64); ok {
		fact.limitLeads = sql.NullInt64{Int64: leads, Valid: true}
	}
	f.caps = append(f.caps, fact)
}

// appendTo appends everything in one order: that of the caps' ids.
func (f *facts) appendTo(b []byte) []byte {
	slices.SortFunc(f.caps, func(a, b capFact) int { return cmp.Compare(a.id, b.id) })
	for _, c := range f.caps {
		f.number(c.id, c.kind, c.period, c.from, c.to, c.afterCents, c.afterLeads)
		f.words(c.name)
		f.optional(c.limitCents)
		f.optional(c.limitLeads)
	}
	return append(append(b, f.numbers...), f.text...)
}
