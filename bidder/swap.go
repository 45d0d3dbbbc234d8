package bidder

import (
	"slices"
	"time"

	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/rules"
)

// maxFormer bounds how many former generations are kept. A bid of one that is no longer kept is
// settled by the oldest that is.
const maxFormer = 8

// generation is one set of rules of a run, from the swap that brought it to the one that replaced it.
type generation struct {
	number uint32 // from 1
	rules  *rules.Ruleset
	eval   *rules.Evaluation
	uses   []capUses // by Campaign.Index
	plans  plans

	// Of a former one:
	last  uint64    // the last input that it decided
	until time.Time // when the posts of its last bids come too late
}

func newGeneration(run, number uint32, rs *rules.Ruleset) generation {
	return generation{number: number, rules: rs, eval: rs.NewEvaluation(),
		uses: make([]capUses, len(rs.Campaigns())), plans: plansOf(run, rs, PlanOf(rs))}
}

// capUses is how far the caps of a campaign are used, as the Book told it last. Asking the Book for
// each ping would cost as much as the hold does.
type capUses struct {
	asked   bool
	changes uint64 // budget.Book.Changes when it was asked
	uses    []budget.CapUse
}

// usesLocked gives the uses of a campaign's own caps, as far as they are known.
func (a *Agent) usesLocked(campaign *rules.Campaign) []budget.CapUse {
	told := &a.inForce.uses[campaign.Index]
	if told.asked && told.changes == a.book.Changes() {
		return told.uses
	}
	told.asked, told.changes, told.uses = true, a.book.Changes(), told.uses[:0]
	scope := budget.Scope{Kind: budget.ScopeCampaign, Name: campaign.Name}
	for _, period := range pingpost.Periods() {
		if !campaign.Budget[period].Set && !campaign.Capacity[period].Set {
			continue
		}
		if use, known := a.book.Use(scope, period); known {
			told.uses = append(told.uses, use)
		}
	}
	return told.uses
}

// Swap puts other rules in force, whole, from this input on. number is their generation: one more
// than that of the rules before. Answers already given stand: they are repeated as they are, and
// their posts are settled by the rules that made the bid, also where a campaign or an exchange is
// gone. Limits that became lower take effect as budget.Book.SetPlan says.
//
// after, where it is not nil, is filled with the state that this input leaves, for a recording.
func (a *Agent) Swap(now time.Time, rs *rules.Ruleset, number uint32, after *Snapshot) Stamp {
	next, plan := newGeneration(a.run, number, rs), PlanOf(rs)
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp := a.stampLocked(now)
	gone := a.inForce
	gone.last, gone.until = stamp.Seq, stamp.At.Add(longestPost(gone.rules))
	if a.former = append(a.former, gone); len(a.former) > maxFormer {
		a.former = slices.Delete(a.former, 0, 1)
	}
	a.inForce = next
	clear(a.scratch[:cap(a.scratch)]) // or it would keep campaigns of the former rules alive
	a.book.SetPlan(stamp.At, plan)
	a.desk = a.desk.Adopt(next.plans.setup)
	a.readCapsLocked(stamp.At)
	a.followRulesLocked()
	if after != nil {
		*after = a.snapshotLocked()
	}
	return stamp
}

// Generation is the number of the rules in force.
func (a *Agent) Generation() uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inForce.number
}

// longestPost is how long after a bid its post may come at most.
func longestPost(rs *rules.Ruleset) (longest time.Duration) {
	for _, exchange := range rs.Exchanges() {
		longest = max(longest, exchange.BidTTL+exchange.Grace)
	}
	return longest
}

// forgetFormerLocked drops the generations whose bids cannot be posted any more.
func (a *Agent) forgetFormerLocked() {
	if len(a.former) > 0 {
		a.former = slices.DeleteFunc(a.former, func(g generation) bool { return a.last.After(g.until) })
	}
}

// madeByLocked gives the rules that made a bid. Where that is not known, as after a restart, it is
// those in force.
func (a *Agent) madeByLocked(ref budget.BidRef) *generation {
	if ref.Run == a.run {
		for i := range a.former {
			if ref.Seq <= a.former[i].last {
				return &a.former[i]
			}
		}
	}
	return &a.inForce
}

// presentLocked gives a campaign as the rules in force have it; as it was where they don't.
func (a *Agent) presentLocked(campaign *rules.Campaign) *rules.Campaign {
	if present := a.inForce.rules.CampaignByTag(campaign.Tag); present != nil && present.Name == campaign.Name {
		return present
	}
	return campaign
}

// windowsLocked lists the caps above a line in the windows of the bid. A line that has left the
// plan has the caps in force that it would have, and those of what is gone as they were.
func (a *Agent) windowsLocked(line budget.Line, bidAt time.Time, campaign *rules.Campaign,
	exchange *rules.Exchange) []budget.CapWindow {
	if windows := a.book.Windows(line, bidAt); windows != nil {
		return windows
	}
	if present := a.inForce.rules.Exchange(exchange.Name); present != nil {
		exchange = present
	}
	settings := a.inForce.rules.Settings()
	caps := slices.Concat(capsOfBusiness(settings), capsOfExchange(exchange), capsOfCampaign(campaign))
	return budget.WindowsOf(caps, bidAt, settings.Business.Location)
}
