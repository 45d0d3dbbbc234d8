package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"leadbid/budget/store"
	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
	"leadbid/rules"
)

const (
	returnsLook = time.Minute // between two looks at what is to be returned
	mostReturns = 1000

	// tellOver is how long a lead is told of that can no longer be returned: as long an exchange may take to
	// decide what was asked of it in time. untilForgotten is how long one is whose exchange says nothing of
	// returns.
	tellOver       = 7 * 24 * time.Hour
	untilForgotten = 90 * 24 * time.Hour
)

// returnsWindow is how long after its post a lead of an exchange may still be credited.
func returnsWindow(exchange *rules.Exchange) time.Duration {
	if exchange.ReturnsWithin == 0 {
		return untilForgotten
	}
	return exchange.ReturnsWithin + tellOver
}

// Unnamed warns of exchanges that leads may still come back to and that the configuration does not name: a
// bidder that starts so does not know their keys.
func Unnamed(ctx context.Context, books store.Store, rs *rules.Ruleset, now time.Time) (warnings []yamlfile.Fault, err error) {
	posts, err := books.Posted(ctx, now.Add(-untilForgotten))
	if err != nil {
		return nil, err
	}
	for _, p := range posts {
		if p.Reason != pingpost.ReasonNone || rs.Exchange(p.Exchange) != nil {
			continue
		}
		warning := rs.Place("exchanges")
		warning.Severity = yamlfile.Warning
		warning.Message = fmt.Sprintf("%s is not named here, and leads that it may still take back were bought in the last "+
			"90 days (%d): a bidder that starts without it refuses its notices and credits nothing", p.Exchange, p.Posts)
		warning.Expected = p.Exchange + " with its auth and `pause: true` until its returns are over"
		warnings = append(warnings, warning)
	}
	return warnings, nil
}

// ReturnStatus is a bought lead that is to be returned: the contractor disputes it, or no target took
// it; and the exchange has not credited it yet. Nothing is sent to the exchange: no profile has a
// message for it, so that a person has to tell it.
type ReturnStatus struct {
	Lead     string         `json:"lead"`
	Exchange string         `json:"exchange"`
	Campaign string         `json:"campaign"`
	Price    pingpost.Cents `json:"price"`
	Why      string         `json:"why"`              // "disputed" or "undelivered"
	Reason   string         `json:"reason,omitempty"` // of the dispute
	Until    time.Time      `json:"until,omitzero"`   // the exchange's deadline; absent where it has none
	State    string         `json:"state"`            // "open", "soon" (the deadline is near) or "over"
}

// The states of a lead to be returned.
const (
	ReturnOpen = "open"
	ReturnSoon = "soon"
	ReturnOver = "over"
)

// ReturnOf tells how a lead that is to be returned stands with the exchange's deadline.
func ReturnOf(lead store.Lead, exchange *rules.Exchange, now time.Time) ReturnStatus {
	status := ReturnStatus{
		Lead: lead.ID, Exchange: lead.Exchange, Campaign: lead.Campaign, Price: lead.Price,
		Why: "undelivered", Reason: lead.Dispute.Reason, State: ReturnOpen,
	}
	if !lead.Dispute.At.IsZero() {
		status.Why = "disputed"
	}
	if exchange == nil || exchange.ReturnsWithin == 0 {
		return status
	}
	within := exchange.ReturnsWithin
	status.Until = lead.At.Add(within)
	switch left := status.Until.Sub(now); {
	case left <= 0:
		status.State = ReturnOver
	case left <= min(24*time.Hour, within/2):
		status.State = ReturnSoon
	}
	return status
}

// returns lists what is to be returned, the most urgent first, and last what cannot be any more.
func (s *Server) returns(ctx context.Context) ([]ReturnStatus, error) {
	inForce, now := s.inForce.Load(), s.clock.now()
	longest := untilForgotten
	for _, x := range inForce.exchanges {
		longest = max(longest, x.ReturnsWithin+tellOver)
	}
	leads, err := s.store.Leads(ctx, store.LeadFilter{Returnable: true, Since: now.Add(-longest), Max: mostReturns})
	if err != nil {
		return nil, err
	}
	list := []ReturnStatus{}
	for _, lead := range leads {
		var exchange *rules.Exchange
		if x := inForce.exchanges[lead.Exchange]; x != nil {
			exchange = x.Exchange
		}
		status := ReturnOf(lead, exchange, now)
		if status.State != ReturnOver && status.Until.IsZero() && now.Sub(lead.At) > untilForgotten ||
			status.State == ReturnOver && now.Sub(status.Until) > tellOver {
			continue
		}
		if !status.Until.IsZero() {
			status.Until = status.Until.In(inForce.rules.Settings().Business.Location)
		}
		list = append(list, status)
	}
	slices.SortStableFunc(list, func(a, b ReturnStatus) int {
		return cmp.Or(cmp.Compare(urgency(a), urgency(b)), a.Until.Compare(b.Until), cmp.Compare(a.Lead, b.Lead))
	})
	return list, nil
}

func urgency(r ReturnStatus) int {
	return slices.Index([]string{ReturnSoon, ReturnOpen, ReturnOver}, r.State)
}

// returnsLoop tells of returns in the log and the metrics, and once of exchanges whose returns are refused.
func (s *Server) returnsLoop(ctx context.Context) {
	told, toldUnnamed := map[string]string{}, false
	for {
		bounded, cancel := context.WithTimeout(ctx, leaseTimeout)
		list, err := s.returns(bounded)
		if err == nil { // while the store is away others say so
			told = s.tellReturns(list, told)
			toldUnnamed = toldUnnamed || s.tellUnnamed(bounded)
		}
		cancel()
		if !pause(ctx, returnsLook) {
			return
		}
	}
}

// tellUnnamed logs what Unnamed warns of; done is false where the store did not answer.
func (s *Server) tellUnnamed(ctx context.Context) (done bool) {
	warnings, err := Unnamed(ctx, s.store, s.inForce.Load().rules, s.clock.now())
	for _, warning := range warnings {
		s.log.Warn().Str("expected", warning.Expected).Msg(warning.Message)
	}
	return err == nil
}

// tellReturns logs each lead whose deadline is near or over, once in each state. told is what was said
// before, by lead.
func (s *Server) tellReturns(list []ReturnStatus, told map[string]string) (tell map[string]string) {
	tell = map[string]string{}
	counts := map[[2]string]float64{}
	for _, one := range list {
		tell[one.Lead] = one.State
		counts[[2]string{one.Exchange, one.State}]++
		if one.State == ReturnOpen || told[one.Lead] == one.State {
			continue
		}
		message := "a lead can be returned until then, and the exchange has not credited it"
		if one.State == ReturnOver {
			message = "a lead can no longer be returned, and the exchange has not credited it"
		}
		s.log.Warn().Str("lead_id", one.Lead).Str("exchange", one.Exchange).Str("campaign", one.Campaign).
			Stringer("price", one.Price).Str("why", one.Why).Str("reason", one.Reason).Time("until", one.Until).Msg(message)
	}
	s.meters.returns.Reset()
	for of, n := range counts {
		s.meters.returns.WithLabelValues(of[0], of[1]).Set(n)
	}
	return tell
}

// DisputeRequest is the body of POST /-/dispute.
type DisputeRequest struct {
	Lead   string `json:"lead"`
	Reason string `json:"reason"`
	Note   string `json:"note,omitempty"`
}

// DisputeAnswer answers it. Error says in words why nothing was noted.
type DisputeAnswer struct {
	ReturnStatus
	Error string `json:"error,omitempty"`
}

// reasonWord is what a dispute's reason looks like.
var reasonWord = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// Check says in words what is wrong with a request; "" where nothing is.
func (d *DisputeRequest) Check() string {
	switch {
	case d.Lead == "":
		return "the lead is missing"
	case strings.ContainsRune(d.Lead, 0) || !utf8.ValidString(d.Lead):
		return "the lead is no id of one"
	case !reasonWord.MatchString(d.Reason):
		return fmt.Sprintf("the reason %q is no word such as bad_phone", d.Reason)
	}
	return ""
}

func (s *Server) serveDispute(w http.ResponseWriter, r *http.Request) {
	var asked DisputeRequest
	status, answer := http.StatusBadRequest, DisputeAnswer{}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&asked); err != nil {
		answer.Error = "the body is no JSON"
	} else if answer.Error = asked.Check(); answer.Error == "" {
		status, answer = s.dispute(context.WithoutCancel(r.Context()), asked)
	}
	answerAdmin(w, status, answer)
}

func (s *Server) dispute(ctx context.Context, asked DisputeRequest) (status int, answer DisputeAnswer) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	now := s.clock.now()
	lead, found, err := s.store.Dispute(ctx, store.Dispute{LeadID: asked.Lead, At: now, Reason: asked.Reason, Note: asked.Note})
	switch {
	case err != nil:
		return http.StatusServiceUnavailable, DisputeAnswer{Error: err.Error()}
	case !found:
		return http.StatusNotFound, DisputeAnswer{Error: fmt.Sprintf("no lead %q was bought", asked.Lead)}
	case lead.Returned:
		return http.StatusConflict, DisputeAnswer{Error: "the exchange has credited that lead already"}
	}
	inForce := s.inForce.Load()
	var exchange *rules.Exchange
	if x := inForce.exchanges[lead.Exchange]; x != nil {
		exchange = x.Exchange
	}
	answer.ReturnStatus = ReturnOf(lead, exchange, now)
	if !answer.Until.IsZero() {
		answer.Until = answer.Until.In(inForce.rules.Settings().Business.Location)
	}
	s.log.Info().Str("lead_id", lead.ID).Str("exchange", lead.Exchange).Str("reason", asked.Reason).Msg("a lead is disputed")
	return http.StatusOK, answer
}
