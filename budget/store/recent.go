package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"leadbid/internal/sqlstore"
)

const (
	// wholeUpTo is how many entries books may have for VerifyRecent to check them whole.
	wholeUpTo = 20_000
	// recentEntries is how many of the last entries it checks of larger ones.
	recentEntries = 10_000
)

const openLeaseRows = `SELECT count(*) FROM lease WHERE state = 'open'`

// recentInvariants are those of the money that is at stake now, and that do not grow with history: the
// open leases, what they were carved from, and the leads that they paid. What they find has the keys that
// the same has among invariants.
var recentInvariants = []invariant{
	{"B1", "no open lease passed the limits in force when it was granted", openLeaseRows,
		`SELECT 'lease ' || lc.lease || ' took cap ' || lc.cap || ' past its limits' FROM lease l
			JOIN lease_cap lc ON lc.lease = l.id
		 WHERE l.state = 'open' AND (lc.after_cents > lc.limit_cents OR lc.after_leads > lc.limit_leads)`},
	{"B1", "no open lease used more than it holds", openLeaseRows,
		`SELECT 'lease ' || id || ' used more than it holds' FROM lease
		 WHERE state = 'open' AND (used_cents NOT BETWEEN 0 AND cents OR used_leads NOT BETWEEN 0 AND leads)`},
	{"B4", "each open lease used exactly what its leads took and did not give back", openLeaseRows,
		`SELECT 'lease ' || id || ' used something else than its leads say' FROM (SELECT id, used_cents, used_leads,
			(SELECT coalesce(sum(price_cents), 0) FROM lead WHERE lead.lease = lease.id AND credited <> 1) AS cents_sum,
			(SELECT count(*) FROM lead WHERE lead.lease = lease.id AND credited <> 1) AS leads_sum
			FROM lease WHERE state = 'open') AS sums
		 WHERE used_cents <> cents_sum OR used_leads <> leads_sum`},
	{"B7", "each cap has leased what its open leases hold", `SELECT count(*) FROM cap`,
		`SELECT format('cap %s has leased %s cents and %s leads more than its open leases hold', id,
			leased_cents - coalesce(c, 0), leased_leads - coalesce(n, 0)) FROM cap
			LEFT JOIN (SELECT lc.cap AS whose, sum(l.cents) AS c, sum(l.leads) AS n
			FROM lease l JOIN lease_cap lc ON lc.lease = l.id WHERE l.state = 'open' GROUP BY lc.cap) AS held ON whose = id
		 WHERE leased_cents <> coalesce(c, 0) OR leased_leads <> coalesce(n, 0)`},
}

// Verify looks at the file, and then reads everything in one snapshot, so that it may run beside traffic.
func (s *books) Verify(ctx context.Context) (Report, error) {
	file, err := s.verifyFile(ctx)
	if err != nil {
		return Report{}, err
	}
	rows, err := s.verify(ctx, s.rest, func(sqlstore.Reader) (map[int64]int64, error) { return nil, nil })
	if err != nil {
		return Report{}, err
	}
	if len(rows.Checked) == 0 { // a damage that only the reading of the rows came upon
		file.Checked[0].Broken += int64(len(rows.Findings))
	}
	return Report{Checked: append(file.Checked, rows.Checked...), Findings: append(file.Findings, rows.Findings...)}, nil
}

// verifyFile has SQLite check its own file: in full for who waits for nothing else, its pages alone beside
// traffic. It does nothing on PostgreSQL.
func (s *books) verifyFile(ctx context.Context) (report Report, err error) {
	pages, faults, err := s.db.CheckFile(ctx, s.rest == 0)
	switch {
	case err != nil:
		return Report{}, unread("verifying the file", err)
	case s.db.Shared():
		return Report{}, nil
	}
	check := Check{ID: "file", What: "SQLite finds its file as it wrote it", Rows: pages}
	for _, fault := range faults {
		check.find(&report, sqlstore.MostFaults-1, "SQLite says: "+strings.Join(strings.Fields(fault), " "))
	}
	report.Checked = []Check{check}
	return report, nil
}

func (s *books) VerifyRecent(ctx context.Context) (Report, error) {
	return s.verify(ctx, 0, newestEntries)
}

const entriesOfRuns = `SELECT id, coalesce((SELECT max(n) FROM entry WHERE run = run.id), 0) FROM run ORDER BY id DESC`

// newestEntries tells by run after which entry the newest are, nil where the books are so small that all
// may be read.
func newestEntries(r sqlstore.Reader) (after map[int64]int64, err error) {
	var all int64
	after = map[int64]int64{}
	err = r.Each(entriesOfRuns, nil, func(rows sqlstore.Rows) error {
		var run, last int64
		if err := rows.Scan(&run, &last); err != nil {
			return err
		}
		if take := min(last, recentEntries-all); take > 0 {
			after[run] = last - take
		}
		all += last
		return nil
	})
	if all <= wholeUpTo {
		return nil, err
	}
	return after, err
}

// verify checks all where from gives nil, else what does not grow with history.
func (s *books) verify(ctx context.Context, rest int, from func(sqlstore.Reader) (map[int64]int64, error)) (report Report, err error) {
	err = s.db.Snapshot(ctx, func(r sqlstore.Reader) error {
		newest, err := from(r)
		if err == nil {
			report, err = verifyRows(ctx, r, newest, rest)
		}
		return err
	})
	switch {
	case err != nil && sqlstore.Damaged(err):
		report.Findings = []Finding{{ID: "file", What: "SQLite says: " + err.Error()}}
		return report, nil
	case err != nil:
		return Report{}, unread("verifying", err)
	}
	return report, nil
}

// verifyRows checks the rows that a reader sees: all, or where newest is not nil, the open leases, what
// they were carved from, and of each run the entries after one. Between two steps it rests.
func verifyRows(ctx context.Context, r sqlstore.Reader, newest map[int64]int64, rest int) (report Report, err error) {
	properties := invariants
	if newest != nil {
		properties = recentInvariants
	}
	pace := pace{times: rest, began: time.Now()}
	for _, property := range properties {
		if err := property.verify(r, &report); err != nil {
			return Report{}, fmt.Errorf("%s: %w", property.id, err)
		}
		pace.rest(ctx)
	}
	if err := verifyChain(ctx, r, newest, &pace, &report); err != nil {
		return Report{}, fmt.Errorf("the audit trail: %w", err)
	}
	return report, nil
}

// longestRest keeps a verification's transaction from standing still for longer than PostgreSQL is told
// to let one: a minute.
const longestRest = 20 * time.Second

// pace lets a long verification rest.
type pace struct {
	times int // as long as the last step took
	began time.Time
}

// rest ends a step.
func (p *pace) rest(ctx context.Context) {
	if p.times == 0 {
		return
	}
	timer := time.NewTimer(min(time.Duration(p.times)*time.Since(p.began), longestRest))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	p.began = time.Now()
}
