package store

import (
	"fmt"
	"slices"

	"leadbid/internal/sqlstore"
)

// invariant is one property of the rows: a query for those that break it, with what to say of
// each, and a query for how many rows it was held against.
type invariant struct {
	id, what string
	rows     string
	broken   string // selects one text for each row that breaks it: see Finding.What
}

// invariants are B1 to B7, recomputed from the rows. The sums on the right of each comparison are
// made from leads and leases, the amounts on the left are what the statements kept.
var invariants = []invariant{
	{"B1", "no grant and no direct charge passed the limit in force when it was made",
		`SELECT (SELECT count(*) FROM lease_cap) + (SELECT count(*) FROM lead_cap)`,
		`SELECT format('%s took cap %s past its limits: it came to %s cents and %s leads, they were %s and %s', who, cap, after_cents, after_leads,
			coalesce(CAST(limit_cents AS TEXT), 'none'), coalesce(CAST(limit_leads AS TEXT), 'none')) FROM (
			SELECT 'lease ' || lease AS who, cap, limit_cents, limit_leads, after_cents, after_leads FROM lease_cap
			UNION ALL
			SELECT 'lead ' || lead, cap, limit_cents, limit_leads, after_cents, after_leads FROM lead_cap) AS carved
		 WHERE after_cents > limit_cents OR after_leads > limit_leads`},
	{"B1", "no cap came to more than its grants, charges and opening allowed",
		`SELECT count(*) FROM cap`,
		`SELECT format('cap %s (%s %s from %s) has more spent or leased than was ever granted: %s cents and %s leads', id, name, period, start_ms,
			spent_cents + leased_cents, spent_leads + leased_leads) FROM cap
		 WHERE (spent_cents + leased_cents > opening_cents
			AND NOT EXISTS (SELECT 1 FROM lease_cap c WHERE c.cap = cap.id AND c.after_cents >= spent_cents + leased_cents)
			AND NOT EXISTS (SELECT 1 FROM lead_cap c WHERE c.cap = cap.id AND c.after_cents >= spent_cents + leased_cents))
		 OR (spent_leads + leased_leads > opening_leads
			AND NOT EXISTS (SELECT 1 FROM lease_cap c WHERE c.cap = cap.id AND c.after_leads >= spent_leads + leased_leads)
			AND NOT EXISTS (SELECT 1 FROM lead_cap c WHERE c.cap = cap.id AND c.after_leads >= spent_leads + leased_leads))`},
	{"B1", "no lease used more than it holds",
		`SELECT count(*) FROM lease`,
		`SELECT format('lease %s used more than it holds: %s of %s cents and %s of %s leads', id, used_cents, cents, used_leads, leads)
		 FROM lease WHERE used_cents NOT BETWEEN 0 AND cents OR used_leads NOT BETWEEN 0 AND leads`},
	{"B2", "every bid and every ping was charged at most once, each by its own post",
		`SELECT count(*) FROM lead`,
		`SELECT format('ping %s of %s has %s leads', ping_id, exchange, count(*)) FROM lead
			GROUP BY exchange, ping_id HAVING count(*) > 1
		 UNION ALL
		 SELECT format('lead %s has no accepted post of its bid and ping', l.id) FROM lead l WHERE NOT EXISTS (
			SELECT 1 FROM post p WHERE p.bid_id = l.bid_id AND p.lead = l.id
			AND p.exchange = l.exchange AND p.ping_id = l.ping_id AND p.accepted = 1)
		 UNION ALL
		 SELECT format('lead %s was charged %s times and credited %s times', l.id, charges, credits) FROM (
			SELECT lead.id, credited, (SELECT count(*) FROM entry e WHERE e.lead = lead.id AND e.kind = 'charge') AS charges,
			(SELECT count(*) FROM entry e WHERE e.lead = lead.id AND e.kind = 'credit') AS credits FROM lead) l
		 WHERE charges <> 1 OR credits <> CASE WHEN credited > 0 THEN 1 ELSE 0 END
		 UNION ALL
		 SELECT 'lead ' || id || ' was credited in a way that is none' FROM lead
		 WHERE credited NOT IN (0, 1, 2) OR (credited = 1 AND lease IS NULL)
		 UNION ALL
		 SELECT 'lead ' || l.id || ' was withdrawn and not credited' FROM post p JOIN lead l ON l.id = p.lead
		 WHERE p.voided = 1 AND l.credited = 0`},
	{"B3", "no lead cost more than the price signed in its bid, and the entries say the same price",
		`SELECT count(*) FROM lead`,
		`SELECT format('lead %s cost %s cents, its bid was %s', id, price_cents, bid_cents) FROM lead
		 WHERE price_cents NOT BETWEEN 1 AND bid_cents
		 UNION ALL
		 SELECT format('lead %s cost %s cents, entry %s of run %s says %s', l.id, price_cents, e.n, e.run, e.cents)
		 FROM entry e JOIN lead l ON l.id = e.lead
		 WHERE e.cents <> CASE e.kind WHEN 'charge' THEN price_cents ELSE -price_cents END
			OR e.leads <> CASE e.kind WHEN 'charge' THEN 1 ELSE -1 END`},
	{"B4", "each lease used exactly what its leads took and did not give back, in cents and leads",
		`SELECT count(*) FROM lease`,
		`SELECT format('lease %s used something else than its leads say: %s cents and %s leads, not %s and %s', id, used_cents, used_leads, cents_sum, leads_sum)
		 FROM (SELECT lease.*,
			(SELECT coalesce(sum(price_cents), 0) FROM lead WHERE lead.lease = lease.id AND credited <> 1) AS cents_sum,
			(SELECT count(*) FROM lead WHERE lead.lease = lease.id AND credited <> 1) AS leads_sum FROM lease) AS sums
		 WHERE used_cents <> cents_sum OR used_leads <> leads_sum`},
	{"B5", "every charge belongs to windows that contain its bid",
		`SELECT (SELECT count(*) FROM lead)`,
		`SELECT format('lead %s was bid outside the window of cap %s', l.id, c.id) FROM lead l
			JOIN (SELECT lead, cap FROM lead_cap) lc ON lc.lead = l.id JOIN cap c ON c.id = lc.cap
		 WHERE l.bid_at_ms < c.start_ms OR (c.end_ms > 0 AND l.bid_at_ms >= c.end_ms)
		 UNION ALL
		 SELECT format('lead %s was bid outside the window of cap %s of lease %s', l.id, c.id, l.lease) FROM lead l
			JOIN lease_cap lc ON lc.lease = l.lease JOIN cap c ON c.id = lc.cap
		 WHERE l.bid_at_ms < c.start_ms OR (c.end_ms > 0 AND l.bid_at_ms >= c.end_ms)`},
	{"B5", "no lease backs bids beyond its windows or its close, and each was carved from caps of its own",
		`SELECT count(*) FROM lease_cap`,
		`SELECT 'lease ' || l.id || ' does not belong to cap ' || c.id || ', or outlives it' FROM lease l
			JOIN lease_cap lc ON lc.lease = l.id JOIN cap c ON c.id = lc.cap
		 WHERE l.close_at_ms < l.bid_until_ms OR (c.end_ms > 0 AND l.bid_until_ms > c.end_ms)
			OR NOT (c.kind = 0 OR (c.kind = 1 AND c.name = l.exchange) OR (c.kind = 2 AND c.name = l.campaign))`},
	{"B6", "every accepted post has its lead, and every delivery one",
		`SELECT (SELECT count(*) FROM post) + (SELECT count(*) FROM outbox)`,
		`SELECT format('post %s was accepted, and has no lead', bid_id) FROM post
		 WHERE accepted = 1 AND NOT EXISTS (SELECT 1 FROM lead WHERE lead.id = post.lead)
		 UNION ALL
		 SELECT 'post ' || bid_id || ' is neither accepted nor refused' FROM post
		 WHERE accepted NOT IN (0, 1) OR (accepted = 1) <> (lead IS NOT NULL)
		 UNION ALL
		 SELECT format('delivery %s-%s has no lead', lead, n) FROM outbox WHERE NOT EXISTS (SELECT 1 FROM lead WHERE lead.id = outbox.lead)
		 UNION ALL
		 SELECT format('entry %s of run %s is of lead %s, which is missing', n, run, lead) FROM entry
		 WHERE lead IS NOT NULL AND NOT EXISTS (SELECT 1 FROM lead WHERE lead.id = entry.lead)`},
	{"B7", "each lease was granted what it used, gave back and still holds",
		`SELECT count(*) FROM lease`,
		`SELECT format('lease %s was granted something else than it gave back and holds, or than its entries say: %s cents and %s leads granted, %s and %s given back, %s and %s held; the entries say %s and %s granted, %s and %s given back',
			id, granted_cents, granted_leads, returned_cents, returned_leads, cents, leads, gc, gl, rc, rl)
		 FROM lease LEFT JOIN (SELECT lease AS whose,
			sum(CASE kind WHEN 'grant' THEN cents ELSE 0 END) AS gc, sum(CASE kind WHEN 'grant' THEN leads ELSE 0 END) AS gl,
			sum(CASE kind WHEN 'return' THEN cents ELSE 0 END) AS rc, sum(CASE kind WHEN 'return' THEN leads ELSE 0 END) AS rl
			FROM entry WHERE kind IN ('grant', 'return') GROUP BY lease) AS entries ON whose = lease.id
		 WHERE granted_cents <> cents + returned_cents OR granted_leads <> leads + returned_leads
			OR gc IS DISTINCT FROM granted_cents OR gl IS DISTINCT FROM granted_leads OR rc IS DISTINCT FROM returned_cents OR rl IS DISTINCT FROM returned_leads`},
	{"B7", "each closed lease has one entry of its close, with what it used, and no open one has any",
		`SELECT count(*) FROM lease`,
		`SELECT 'lease ' || id || ' and its entries of a close do not agree: it is ' || state || ', and there are ' || coalesce(n, 0)
		 FROM lease LEFT JOIN (SELECT lease AS whose, count(*) AS n, sum(cents) AS c, sum(leads) AS l
			FROM entry WHERE kind = 'close' GROUP BY lease) AS closes ON whose = id
		 WHERE (state = 'open' AND n IS NOT NULL)
			OR (state = 'closed' AND (n IS NULL OR n <> 1 OR c <> used_cents OR l <> used_leads))`},
	{"B7", "each cap has leased what its open leases hold",
		`SELECT count(*) FROM cap`,
		`SELECT format('cap %s has leased %s cents and %s leads more than its open leases hold: %s and %s, not %s and %s', id,
			leased_cents - c, leased_leads - n, leased_cents, leased_leads, c, n)
		 FROM (SELECT cap.*,
			(SELECT coalesce(sum(l.cents), 0) FROM lease_cap lc JOIN lease l ON l.id = lc.lease WHERE lc.cap = cap.id AND l.state = 'open') AS c,
			(SELECT coalesce(sum(l.leads), 0) FROM lease_cap lc JOIN lease l ON l.id = lc.lease WHERE lc.cap = cap.id AND l.state = 'open') AS n
			FROM cap) AS sums
		 WHERE leased_cents <> c OR leased_leads <> n`},
	{"B7", "each cap has spent what its closed leases and direct charges used and nobody gave back",
		`SELECT count(*) FROM cap`,
		`SELECT format('cap %s has spent %s cents and %s leads more than its leases and charges say: %s and %s, not %s and %s', id,
			spent_cents - c, spent_leads - n, spent_cents, spent_leads, c, n)
		 FROM (SELECT cap.*, opening_cents
			+ (SELECT coalesce(sum(l.used_cents), 0) FROM lease_cap lc JOIN lease l ON l.id = lc.lease WHERE lc.cap = cap.id AND l.state = 'closed')
			+ (SELECT coalesce(sum(d.price_cents), 0) FROM lead_cap lc JOIN lead d ON d.id = lc.lead WHERE lc.cap = cap.id AND d.credited = 0)
			- (SELECT coalesce(sum(d.price_cents), 0) FROM lease_cap lc JOIN lead d ON d.lease = lc.lease WHERE lc.cap = cap.id AND d.credited = 2) AS c,
			opening_leads
			+ (SELECT coalesce(sum(l.used_leads), 0) FROM lease_cap lc JOIN lease l ON l.id = lc.lease WHERE lc.cap = cap.id AND l.state = 'closed')
			+ (SELECT count(*) FROM lead_cap lc JOIN lead d ON d.id = lc.lead WHERE lc.cap = cap.id AND d.credited = 0)
			- (SELECT count(*) FROM lease_cap lc JOIN lead d ON d.lease = lc.lease WHERE lc.cap = cap.id AND d.credited = 2) AS n
			FROM cap) AS sums
		 WHERE spent_cents <> c OR spent_leads <> n`},
}

// findingsPerCheck bounds a report: a broken table need not be listed row by row. That there are more is a
// finding of its own, which nobody can accept: who cannot see all faults does not know which one is new.
const findingsPerCheck = 100

func (i *invariant) verify(r sqlstore.Reader, report *Report) error {
	check := Check{ID: i.id, What: i.what}
	if _, err := r.Row(i.rows, nil, &check.Rows); err != nil {
		return err
	}
	err := r.Each(i.broken+fmt.Sprintf(" LIMIT %d", findingsPerCheck+1), nil, func(rows sqlstore.Rows) error {
		var what string
		if err := rows.Scan(&what); err != nil {
			return err
		}
		check.find(report, findingsPerCheck, what)
		return nil
	})
	report.Checked = append(report.Checked, check)
	return err
}

// find adds a finding to a report, and to what is known of its check. The first beyond the most that are
// listed is told as "more of them", those after it not at all.
func (c *Check) find(report *Report, most int64, what string) {
	switch {
	case c.More:
		return
	case c.Broken == most:
		c.More = true
		what = fmt.Sprintf("there are more than %d rows that break this: %s", most, c.What)
	default:
		c.Broken++
	}
	report.Findings = append(report.Findings, Finding{ID: c.ID, What: what})
}

// Countless tells whether a check found more than is listed.
func (r *Report) Countless() bool {
	return slices.ContainsFunc(r.Checked, func(c Check) bool { return c.More })
}
