package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"leadbid/internal/sqlstore"
)

// stepEntries is how many entries are read between two rests.
const stepEntries = 1000

// trail reads every entry with what it tells of: a row for each cap of a grant or a charge, one for
// any other entry. Entries of one run come in the order in which they were written.
const trail = `SELECT e.n, e.run, e.at_ms, e.kind, coalesce(e.lease, 0), coalesce(e.lead, ''), e.cents, e.leads, e.hash,
	l.id IS NOT NULL, coalesce(l.at_ms, 0), coalesce(l.bid_at_ms, 0), coalesce(l.bid_cents, 0), coalesce(l.price_cents, 0),
	coalesce(l.lease, 0), coalesce(l.bid_id, ''), coalesce(l.exchange, ''), coalesce(l.campaign, ''), coalesce(l.ping_id, ''),
	p.body_hash, coalesce(z.run, e.run), coalesce(z.id, 0), coalesce(z.campaign, ''), coalesce(z.exchange, ''),
	coalesce(c.id, 0), coalesce(c.kind, 0), coalesce(c.period, 0), coalesce(c.name, ''), coalesce(c.start_ms, 0), coalesce(c.end_ms, 0),
	coalesce(zc.limit_cents, lc.limit_cents), coalesce(zc.limit_leads, lc.limit_leads),
	coalesce(zc.after_cents, lc.after_cents, 0), coalesce(zc.after_leads, lc.after_leads, 0)
	FROM entry e
	LEFT JOIN lead l ON l.id = e.lead AND e.kind = 'charge'
	LEFT JOIN post p ON p.bid_id = l.bid_id
	LEFT JOIN lead_cap lc ON lc.lead = l.id
	LEFT JOIN lease z ON z.id = e.lease AND e.kind = 'grant'
	LEFT JOIN lease_cap zc ON zc.lease = z.id
	LEFT JOIN cap c ON c.id = coalesce(zc.cap, lc.cap)`

const (
	wholeTrail  = trail + ` ORDER BY e.run, e.n`
	newestTrail = trail + ` WHERE e.run = ? AND e.n > ? ORDER BY e.n`
)

// told is one row of the trail.
type told struct {
	n, at, leaseRun int64
	e               entry
	hash, body      []byte
	charged         bool
	lead            [5]int64 // its numbers, as facts has them
	names           [4]string
	lease           int64
	line            [2]string
	cap             capFact
}

func (r *told) scan(rows sqlstore.Rows) error {
	c := &r.cap
	return rows.Scan(&r.n, &r.e.run, &r.at, &r.e.kind, &r.e.lease, &r.e.lead, &r.e.cents, &r.e.leads, &r.hash,
		&r.charged, &r.lead[0], &r.lead[1], &r.lead[2], &r.lead[3], &r.lead[4], &r.names[0], &r.names[1], &r.names[2],
		&r.names[3], &r.body, &r.leaseRun, &r.lease, &r.line[0], &r.line[1],
		&c.id, &c.kind, &c.period, &c.name, &c.from, &c.to, &c.limitCents, &c.limitLeads, &c.afterCents, &c.afterLeads)
}

// begin makes the entry of the row, with the facts that its rows of today give.
func (r *told) begin() *entry {
	e := r.e
	e.at, e.of = instant(r.at), facts{}
	switch {
	case r.charged:
		e.of.number(r.lead[:]...)
		e.of.words(append(r.names[:], string(r.body))...)
	case e.kind == "grant":
		e.of.number(r.lease)
		e.of.words(r.line[:]...)
	}
	return &e
}

// chain walks the trail and recomputes every hash.
type chain struct {
	report *Report
	check  Check
	ends   map[int64][]byte // by run: the hash of its last entry
	pace   *pace
}

// verifyChain recomputes the hash of every entry from the one before it in its run and from the rows that
// it tells of, and looks for the entry that each run says it came to. Where newest is not nil, it begins in
// each run after an entry, and reads no other runs.
func verifyChain(ctx context.Context, r sqlstore.Reader, newest map[int64]int64, pace *pace, report *Report) error {
	c := chain{
		pace: pace, report: report, ends: map[int64][]byte{},
		check: Check{ID: "audit", What: "each entry holds the hash of the one before it in its run and of what it tells of; no chain is cut short"},
	}
	if newest == nil {
		if err := c.walk(ctx, r, wholeTrail); err != nil {
			return err
		}
	}
	for _, run := range slices.Sorted(maps.Keys(newest)) {
		var before []byte
		if _, err := r.Row(`SELECT hash FROM entry WHERE run = ? AND n = ?`, []any{run, newest[run]}, &before); err != nil {
			return err
		}
		c.ends[run] = before
		if err := c.walk(ctx, r, newestTrail, run, newest[run]); err != nil {
			return err
		}
	}
	if err := c.lookForHeads(r); err != nil {
		return err
	}
	report.Checked = append(report.Checked, c.check)
	return nil
}

// lookForHeads holds each run's chain against how far it says that came.
func (c *chain) lookForHeads(r sqlstore.Reader) error {
	const cut = `SELECT id FROM run WHERE (head IS NULL) <> (head_n = 0) OR (head_n <> 0
		AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.run = run.id AND n = head_n AND hash = head)) ORDER BY id`
	return r.Each(cut, nil, func(rows sqlstore.Rows) error {
		var run int64
		if err := rows.Scan(&run); err != nil {
			return err
		}
		c.finding("run %d came further than its entries: some of them are missing", run)
		return nil
	})
}

func (c *chain) walk(ctx context.Context, r sqlstore.Reader, query string, args ...any) error {
	var present *entry
	var last told
	err := r.Each(query, args, func(rows sqlstore.Rows) error {
		row := told{}
		if err := row.scan(rows); err != nil {
			return err
		}
		if present == nil || row.n != last.n || row.e.run != last.e.run {
			if c.end(present, &last); c.check.Rows%stepEntries == 0 {
				c.pace.rest(ctx)
			}
			present, last = row.begin(), row
		}
		if row.cap.id != 0 {
			present.of.caps = append(present.of.caps, row.cap)
		}
		return nil
	})
	if err == nil {
		c.end(present, &last)
	}
	return err
}

// end holds an entry against its hash, once all that it tells of was read.
func (c *chain) end(e *entry, row *told) {
	if e == nil {
		return
	}
	former := c.ends[e.run]
	if former == nil {
		former = make([]byte, sha256.Size)
	}
	if !bytes.Equal(row.hash, e.digest(former)) || row.leaseRun != e.run {
		c.finding("entry %d of run %d does not follow from the one before it, or not from the rows that it tells of", row.n, e.run)
	}
	c.ends[e.run] = row.hash
	c.check.Rows++
}

func (c *chain) finding(format string, args ...any) {
	c.check.find(c.report, findingsPerCheck, fmt.Sprintf(format, args...))
}
