package server

import (
	"context"
	"time"

	"leadbid/pingpost"
)

const (
	// acceptanceSpan is how far back posts count: exchanges look at about a month.
	acceptanceSpan = 30 * 24 * time.Hour

	// acceptanceLook is the time between two looks: each reads the leads of that span.
	acceptanceLook = 5 * time.Minute

	// fewPosts is how few say nothing yet.
	fewPosts = 20

	// nearShare is how much of what may be refused can still be refused when the warning comes: at a
	// wanted 90 % it comes below 93.3 %.
	nearShare = 1.0 / 3
)

// AcceptanceStatus is how many of an exchange's posts were accepted lately. Refused are those that the
// bidder itself did not want: posts that were late, dearer than the bid or about another lead are the
// exchange's own doing, and it will hardly count them.
type AcceptanceStatus struct {
	Exchange string  `json:"exchange"`
	Accepted int64   `json:"accepted"`
	Refused  int64   `json:"refused"`
	Rate     float64 `json:"rate"`
	Wanted   float64 `json:"wanted,omitempty"` // by guard.accept_rate
	State    string  `json:"state"`            // "good", "near" or "below"; "few" where too few posts came
}

// The states of an acceptance.
const (
	AcceptanceFew   = "few"
	AcceptanceGood  = "good"
	AcceptanceNear  = "near"
	AcceptanceBelow = "below"
)

// acceptance counts in the books and not in the Agent: so it outlasts a restart, and is about what all
// replicas answered, which is what the exchange sees.
func (s *Server) acceptance(ctx context.Context) (list []AcceptanceStatus, err error) {
	posts, err := s.store.Posted(ctx, s.clock.now().Add(-acceptanceSpan))
	if err != nil {
		return nil, err
	}
	for _, configured := range s.inForce.Load().rules.Exchanges() {
		one := AcceptanceStatus{Exchange: configured.Name, Wanted: configured.AcceptRate}
		for _, p := range posts {
			switch {
			case p.Exchange != configured.Name:
			case p.Reason == pingpost.ReasonNone:
				one.Accepted += p.Posts
			case ownRefusal(p.Reason):
				one.Refused += p.Posts
			}
		}
		if one.judge(); one.Accepted+one.Refused > 0 {
			list = append(list, one)
		}
	}
	return list, nil
}

// judge works out the rate and the state.
func (a *AcceptanceStatus) judge() {
	posts := a.Accepted + a.Refused
	if posts > 0 {
		a.Rate = float64(a.Accepted) / float64(posts)
	}
	switch {
	case posts < fewPosts:
		a.State = AcceptanceFew
	case a.Rate < a.Wanted:
		a.State = AcceptanceBelow
	case a.Wanted > 0 && a.Rate < a.Wanted+nearShare*(1-a.Wanted):
		a.State = AcceptanceNear
	default:
		a.State = AcceptanceGood
	}
}

func ownRefusal(reason pingpost.Reason) bool {
	switch reason {
	case pingpost.BidUnknown, pingpost.BidExpired, pingpost.PriceMismatch, pingpost.PingMismatch,
		pingpost.TestPing, pingpost.Voided:
		return false
	}
	return true
}

// acceptanceLoop tells of the share of accepted posts in the log and the metrics.
func (s *Server) acceptanceLoop(ctx context.Context) {
	told := map[string]string{}
	for {
		bounded, cancel := context.WithTimeout(ctx, leaseTimeout)
		list, err := s.acceptance(bounded)
		cancel()
		if err == nil {
			s.tellAcceptance(list, told)
		}
		if !pause(ctx, acceptanceLook) {
			return
		}
	}
}

// tellAcceptance logs each exchange whose state changed. told is what was said last, by exchange.
func (s *Server) tellAcceptance(list []AcceptanceStatus, told map[string]string) {
	s.meters.acceptRate.Reset()
	for _, one := range list {
		if one.State != AcceptanceFew {
			s.meters.acceptRate.WithLabelValues(one.Exchange).Set(one.Rate)
		}
		before := told[one.Exchange]
		told[one.Exchange] = one.State
		if one.State == before || one.State != AcceptanceNear && one.State != AcceptanceBelow {
			continue
		}
		message := "the share of accepted posts comes near what the exchange wants"
		if one.State == AcceptanceBelow {
			message = "the share of accepted posts is below what the exchange wants"
		}
		s.log.Warn().Str("exchange", one.Exchange).Int64("accepted", one.Accepted).Int64("refused", one.Refused).
			Float64("rate", one.Rate).Float64("wanted", one.Wanted).Msg(message)
	}
}
