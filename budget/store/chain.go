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
const trail = `SELECT e.id, e.run, e.at_ms, e.kind, coalesce(e.lease, 0), coalesce(e.lead, ''), e.cents, e.leads, e.hash,
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
	LEFT JOIN cap c ON c.id = coalesce(zc.cap, lc.cap)
	WHERE e.id > ?
	ORDER BY e.id`

// told is one row of the trail.
type told struct {
	id, at, leaseRun int64
	e                entry
	hash, body       []byte
	charged          bool
	lead             [5]int64 // its numbers, as facts has them
	names            [4]string
	lease            int64
	line             [2]string
	cap              capFact
}

func (r *told) scan(rows sqlstore.Rows) error {
	c := &r.cap
	return rows.Scan(&r.id, &r.e.run, &r.at, &r.e.kind, &r.e.lease, &r.e.lead, &r.e.cents, &r.e.leads, &r.hash,
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
	heads  map[int64][]byte // by run: what is still looked for
	pace   *pace
}

// verifyChain recomputes the hash of every entry after one, from the one before it in its run and from
// the rows that it tells of, and looks for the entry that each run says it came to.
func verifyChain(ctx context.Context, r sqlstore.Reader, after int64, pace *pace, report *Report) error {
	c := chain{
		pace:   pace,
		report: report, ends: map[int64][]byte{}, heads: map[int64][]byte{},
		check: Check{ID: "audit", What: "each entry holds the hash of the one before it in its run and of what it tells of; no chain is cut short"},
	}
	if err := c.begin(r, after); err != nil {
		return err
	}
	if err := c.walk(ctx, r, after); err != nil {
		return err
	}
	for _, run := range slices.Sorted(maps.Keys(c.heads)) {
		c.finding("run %d came further than its entries: some of them are missing", run)
	}
	report.Checked = append(report.Checked, c.check)
	return nil
}

// begin reads where each run's chain stood after an entry, and how far each says it came.
func (c *chain) begin(r sqlstore.Reader, after int64) error {
	const before = `SELECT run, hash FROM entry WHERE id IN (SELECT max(id) FROM entry WHERE id <= ? GROUP BY run)`
	const heads = `SELECT id, head FROM run WHERE head IS NOT NULL AND NOT EXISTS
		(SELECT 1 FROM entry WHERE entry.run = run.id AND entry.id <= ? AND entry.hash = run.head)`
	for _, read := range []struct {
		query string
		into  map[int64][]byte
	}{{before, c.ends}, {heads, c.heads}} {
		err := r.Each(read.query, []any{after}, func(rows sqlstore.Rows) error {
			var run int64
			var hash []byte
			if err := rows.Scan(&run, &hash); err != nil {
				return err
			}
			read.into[run] = hash
			return nil
		})
		if err != nil {
			return err
		}
	}
	zeros := make([]byte, sha256.Size)
	for run, head := range c.heads {
		if bytes.Equal(head, zeros) {
			delete(c.heads, run) // it had none yet
		}
	}
	return nil
}

func (c *chain) walk(ctx context.Context, r sqlstore.Reader, after int64) error {
	var present *entry
	var last told
	err := r.Each(trail, []any{after}, func(rows sqlstore.Rows) error {
		row := told{}
		if err := row.scan(rows); err != nil {
			return err
		}
		if present == nil || row.id != last.id {
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
		c.finding("entry %d of run %d does not follow from the one before it, or not from the rows that it tells of", row.id, e.run)
	}
	c.ends[e.run] = row.hash
	if bytes.Equal(c.heads[e.run], row.hash) {
		delete(c.heads, e.run)
	}
	c.check.Rows++
}

func (c *chain) finding(format string, args ...any) {
	if len(c.report.Findings) < findingsPerCheck*(len(invariants)+1) {
		c.report.Findings = append(c.report.Findings, Finding{ID: c.check.ID, What: fmt.Sprintf(format, args...)})
	}
}
