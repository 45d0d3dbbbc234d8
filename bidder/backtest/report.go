package backtest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/pingpost/recording"
)

// Report is what a replay found. Money and counts are those of the recording; Differences says
// whether the Agent would do the same again.
type Report struct {
	Segments   int              `json:"segments"`
	Records    int64            `json:"records"`
	From       time.Time        `json:"from,omitzero"`
	To         time.Time        `json:"to,omitzero"`
	Pings      int64            `json:"pings"`
	Bids       int64            `json:"bids"`
	Wins       int64            `json:"wins"` // posts accepted and charged
	Spend      pingpost.Cents   `json:"spend"`
	Campaigns  []CampaignReport `json:"campaigns"`
	Compared   int64            `json:"compared"`   // decisions, settlements, upkeeps and snapshots held side by side
	Uncompared int64            `json:"uncompared"` // inputs between a gap and the next snapshot
	Gaps       int              `json:"gaps"`
	Torn       int              `json:"torn"`     // segments that a crash cut off
	Former     int64            `json:"former"`   // posts of bids that rules before a reload made: taken as recorded
	Withheld   int64            `json:"withheld"` // decisions by personal data that is not recorded; each is a gap, too
	// WithheldPings counts the pings that were recorded without personal data which a rule could read: those
	// of Withheld, those that decided the same without it, and those that were not compared.
	WithheldPings int64 `json:"withheld_pings"`
	// OtherRules tells what was recorded while other rules were in force, in the order of time. It is
	// in the sums, and was not compared.
	OtherRules []*OtherRules `json:"other_rules"`

	// DifferentCount counts all differences; Differences holds the first few. AfterWithheld counts those
	// of them that may come of a ping before them that was recorded without what it said.
	DifferentCount int64        `json:"different"`
	AfterWithheld  int64        `json:"different_after_withheld"`
	Differences    []Difference `json:"differences,omitempty"`

	byCampaign map[string]*CampaignReport
}

// CampaignReport is one campaign's part. Pings that no campaign was a candidate for are under "".
type CampaignReport struct {
	Campaign string           `json:"campaign"`
	Bids     int64            `json:"bids"`
	Wins     int64            `json:"wins"`
	Spend    pingpost.Cents   `json:"spend"`
	NoBids   map[string]int64 `json:"no_bids,omitempty"` // by reason; pings that got furthest here
}

// Difference is one thing that the Agent did otherwise than recorded.
type Difference struct {
	Seq      uint64 `json:"seq"`
	What     string `json:"what"`
	Recorded string `json:"recorded"`
	Replayed string `json:"replayed"`

	AfterWithheld bool `json:"after_withheld,omitempty"`
}

// OtherRules is one configuration besides the one that was replayed with.
type OtherRules struct {
	Rules  string `json:"rules"` // Ruleset.Hash
	Inputs int64  `json:"inputs"`
}

const maxDifferences = 10

func newReport() *Report {
	return &Report{byCampaign: map[string]*CampaignReport{}, OtherRules: []*OtherRules{}}
}

// otherRules finds or adds what is told of other rules.
func (r *Report) otherRules(hash string) *OtherRules {
	for _, known := range r.OtherRules {
		if known.Rules == hash {
			return known
		}
	}
	added := &OtherRules{Rules: hash}
	r.OtherRules = append(r.OtherRules, added)
	return added
}

// Identical tells whether everything that was compared was the same, and anything was.
func (r *Report) Identical() bool { return r.DifferentCount == 0 && r.Compared > 0 }

// compare tells whether both are the same.
func (r *Report) compare(seq uint64, what string, recorded, replayed []byte, afterWithheld bool) bool {
	r.Compared++
	if equal(recorded, replayed) {
		return true
	}
	r.DifferentCount++
	if afterWithheld {
		r.AfterWithheld++
	}
	if len(r.Differences) < maxDifferences {
		r.Differences = append(r.Differences, Difference{seq, what, string(recorded), string(replayed), afterWithheld})
	}
	return false
}

// count adds one recorded input to the sums.
func (r *Report) count(record *recording.Record) {
	if r.From.IsZero() {
		r.From = record.At
	}
	r.To = record.At
	switch record.Kind {
	case recording.KindPing:
		r.countPing(record.Decision)
		if record.Withheld {
			r.WithheldPings++
		}
	case recording.KindCharged:
		var charged budget.Charged
		if json.Unmarshal(record.Data, &charged) == nil && charged.Accepted && !charged.Repeat {
			campaign := r.campaign(charged.Line.Campaign)
			r.Wins, campaign.Wins = r.Wins+1, campaign.Wins+1
			r.Spend, campaign.Spend = r.Spend+charged.Price, campaign.Spend+charged.Price
		}
	}
}

func (r *Report) countPing(text []byte) {
	r.Pings++
	var decision struct {
		Bid      *json.Number `json:"bid"`
		NoBid    string       `json:"no_bid"`
		Campaign string       `json:"campaign"`
	}
	if json.Unmarshal(text, &decision) != nil {
		return
	}
	campaign := r.campaign(decision.Campaign)
	if decision.Bid != nil {
		r.Bids, campaign.Bids = r.Bids+1, campaign.Bids+1
		return
	}
	campaign.NoBids[decision.NoBid]++
}

// campaign finds or adds a campaign's part, keeping the parts in order of their names.
func (r *Report) campaign(name string) *CampaignReport {
	if found := r.byCampaign[name]; found != nil {
		return found
	}
	added := &CampaignReport{Campaign: name, NoBids: map[string]int64{}}
	r.byCampaign[name] = added
	return added
}

// finish puts the campaigns' parts into the report, in order of their names.
func (r *Report) finish() *Report {
	r.Campaigns = []CampaignReport{} // [] in JSON where no ping came, not null
	for _, campaign := range r.byCampaign {
		r.Campaigns = append(r.Campaigns, *campaign)
	}
	slices.SortFunc(r.Campaigns, func(a, b CampaignReport) int { return strings.Compare(a.Campaign, b.Campaign) })
	return r
}
