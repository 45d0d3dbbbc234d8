package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"time"

	"leadbid/bidder/reconcile"
	"leadbid/bidder/strategy"
	"leadbid/budget/store"
	"leadbid/internal/httpguard"
	"leadbid/pingpost"
	"leadbid/rules"
)

const (
	outcomesLook  = time.Minute     // between two looks at the file
	outcomesCount = 5 * time.Minute // between two looks at what leads came to by then, where nothing was told
	outcomesStep  = time.Second     // after one was told, before the next look: a system tells many at a time

	mostEnded    = 20_000 // leads that are learned from: the latest
	mostOutcomes = 1000   // in one request
	outcomesOnce = 200    // of a file in one transaction, so that no post waits long
	maxOutcomes  = 1 << 20

	toldFaults = 5 // of a file that are told in words
)

// OutcomesStatus tells what was learned from what became of leads.
type OutcomesStatus struct {
	Leads  int                `json:"leads"`  // whose end is known, or that nothing was heard of for too long
	Closed int                `json:"closed"` // of them: those that became jobs
	File   *OutcomeFileStatus `json:"file,omitempty"`
}

// OutcomeFileStatus tells how reading the file of outcomes went last.
type OutcomeFileStatus struct {
	Path     string    `json:"path"`
	Read     time.Time `json:"read,omitzero"`
	Outcomes int       `json:"outcomes"`         // lines that are in the books
	Unknown  int       `json:"unknown"`          // lines about leads that were not bought here
	Unread   int       `json:"unread"`           // lines that cannot be read
	Faults   []string  `json:"faults,omitempty"` // the first of both, with line and column
	Error    string    `json:"error,omitempty"`  // why nothing could be read
}

// outcomeState is what the loop of outcomes knows.
type outcomeState struct {
	wake chan struct{} // one was told
	told taught        // of the loop

	mu     sync.Mutex
	file   *OutcomeFileStatus
	size   int64 // of the file that was read last
	change time.Time
}

// outcomesLoop reads the file when it changes, and tells the Agent what became of leads once it is known.
func (s *Server) outcomesLoop(ctx context.Context) {
	counted := s.clock.now() // by Start
	for {
		told := s.readOutcomes(ctx)
		if now := s.clock.now(); told || now.Sub(counted) >= outcomesCount {
			s.learnOutcomes(ctx)
			counted = now
		}
		timer := time.NewTimer(outcomesLook)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-s.outcomes.wake:
			timer.Stop()
			if !pause(ctx, outcomesStep) {
				return
			}
			counted = time.Time{}
		}
	}
}

// learnOutcomes tells the Agent what changed. What the store does not answer is asked again later.
func (s *Server) learnOutcomes(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	now := s.clock.now()
	changed, err := s.outcomes.told.learn(ctx, s.store, now, s.inForce.Load().rules.Settings().Outcomes.ClosesWithin)
	if err == nil && len(changed) > 0 { // while the store is away others say so
		s.record.outcome(s.agent.Outcome(now, changed), changed)
	}
}

// Taught is all that the books tell of leads by an instant, for an Agent that looks at what would be bid
// then.
func Taught(ctx context.Context, books store.Store, rs *rules.Ruleset, now time.Time) ([]strategy.Evidence, error) {
	return new(taught).learn(ctx, books, now, rs.Settings().Outcomes.ClosesWithin)
}

// readOutcomes takes the file into the books, if there is one and it changed since; told says that it did.
func (s *Server) readOutcomes(ctx context.Context) (told bool) {
	settings := s.inForce.Load().rules.Settings()
	if settings.Outcomes.File == "" {
		return false
	}
	state, path := &s.outcomes, s.path(settings.Outcomes.File)
	status := &OutcomeFileStatus{Path: settings.Outcomes.File}
	info, err := os.Stat(path)
	if err == nil {
		state.mu.Lock()
		same := state.file != nil && state.file.Path == status.Path && state.size == info.Size() && state.change.Equal(info.ModTime())
		state.mu.Unlock()
		if same {
			return false
		}
		err = s.takeOutcomes(ctx, path, status, settings)
	}
	if errors.Is(err, store.ErrAway) {
		return false // told again at the next look, which changes nothing where it was told already
	}
	if err != nil {
		status.Error = plainFileError(err)
	}
	state.mu.Lock()
	before := state.file
	state.file, state.size, state.change = status, -1, time.Time{}
	if info != nil {
		state.size, state.change = info.Size(), info.ModTime()
	}
	state.mu.Unlock()
	s.logOutcomes(before, status)
	return status.Error == ""
}

func (s *Server) logOutcomes(before, status *OutcomeFileStatus) {
	switch {
	case status.Error != "":
		if before == nil || before.Error != status.Error {
			s.log.Warn().Str("file", status.Path).Str("error", status.Error).Msg("the outcomes cannot be read")
		}
	case status.Unread+status.Unknown > 0:
		s.log.Warn().Str("file", status.Path).Int("outcomes", status.Outcomes).Int("unread", status.Unread).
			Int("unknown", status.Unknown).Strs("faults", status.Faults).Msg("outcomes read; some lines say nothing")
	default:
		s.log.Info().Str("file", status.Path).Int("outcomes", status.Outcomes).Msg("outcomes read")
	}
}

func plainFileError(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "there is no such file yet"
	}
	return err.Error()
}

func (s *Server) takeOutcomes(ctx context.Context, path string, status *OutcomeFileStatus, settings *rules.Settings) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	read, err := reconcile.ReadOutcomes(bytes.NewReader(text), settings.Business.Location)
	if err != nil {
		return err
	}
	tell := func(fault reconcile.Fault) {
		if len(status.Faults) < toldFaults {
			status.Faults = append(status.Faults, fault.Error())
		}
	}
	status.Read, status.Unread = s.clock.now().In(settings.Business.Location), len(read.Unread)
	for _, fault := range read.Unread {
		tell(fault)
	}
	for lines := read.Lines; len(lines) > 0; {
		part := lines[:min(len(lines), outcomesOnce)]
		lines = lines[len(part):]
		outcomes := make([]store.Outcome, len(part))
		for i := range part {
			outcomes[i] = s.complete(part[i].Outcome, settings)
		}
		bounded, cancel := context.WithTimeout(ctx, leaseTimeout)
		answers, err := s.store.Outcomes(bounded, outcomes)
		cancel()
		if err != nil {
			return err
		}
		for i, answer := range answers {
			if answer.LeadID == "" {
				status.Unknown++
				tell(reconcile.Fault{Line: part[i].Number, Why: notBought(&outcomes[i])})
				continue
			}
			status.Outcomes++
		}
	}
	return nil
}

// complete adds what an outcome itself does not say.
func (s *Server) complete(o store.Outcome, settings *rules.Settings) store.Outcome {
	if exchanges := s.inForce.Load().rules.Exchanges(); o.Exchange == "" && len(exchanges) == 1 {
		o.Exchange = exchanges[0].Name
	}
	o.Told, o.KnownAfter = s.clock.now(), settings.Outcomes.KnownAfter
	return o
}

func notBought(o *store.Outcome) string {
	switch {
	case o.LeadID != "":
		return fmt.Sprintf("no lead %q was bought", o.LeadID)
	case o.BidID != "":
		return fmt.Sprintf("no lead was bought with the bid %q", o.BidID)
	case o.Exchange == "":
		return fmt.Sprintf("the ping %q needs its exchange: there are several", o.PingID)
	}
	return fmt.Sprintf("no lead was bought of the ping %q on %s", o.PingID, o.Exchange)
}

// OutcomeRequest is one outcome in the body of POST /v1/outcomes. A lead is named by its own id or its
// bid's; or by its ping's, with the exchange where there are several.
type OutcomeRequest struct {
	Lead     string         `json:"lead_id,omitempty"`
	Bid      string         `json:"bid_id,omitempty"`
	Ping     string         `json:"ping_id,omitempty"`
	Exchange string         `json:"exchange,omitempty"`
	Outcome  string         `json:"outcome"`
	Amount   pingpost.Cents `json:"amount,omitempty"`
	At       time.Time      `json:"at,omitzero"`
	Known    time.Time      `json:"known_at,omitzero"` // now, where it is left out
}

// OutcomesAnswer answers it.
type OutcomesAnswer struct {
	Noted    int              `json:"noted"`
	Repeated int              `json:"repeated"` // were told before
	Refused  []RefusedOutcome `json:"refused,omitempty"`
	Error    string           `json:"error,omitempty"` // why nothing was taken at all
}

// RefusedOutcome says what is wrong with one of several. The others are noted.
type RefusedOutcome struct {
	Index int    `json:"index"` // from 0
	Error string `json:"error"`
}

// serveOutcomes takes outcomes from the contractor's own system. It stands on the operators' listener,
// which other machines do not reach unless somebody decides so, because what is told here moves bids;
// and it asks for a key of its own, so that a system which may tell outcomes can still not rotate keys
// by a mistake, and nobody on the machine tells them without leave.
func (s *Server) serveOutcomes(w http.ResponseWriter, r *http.Request) {
	status, answer := s.takeRequest(r)
	answerAdmin(w, status, answer)
}

func (s *Server) takeRequest(r *http.Request) (status int, answer OutcomesAnswer) {
	settings := s.inForce.Load().rules.Settings()
	if settings.Outcomes.Key == "" {
		return http.StatusForbidden, OutcomesAnswer{Error: `no outcomes are taken: set outcomes: {key: "${OUTCOMES_KEY}"} in the configuration`}
	}
	const whose = "outcomes"
	keys, err := httpguard.NewKeys(map[string]string{whose: settings.Outcomes.Key})
	if err != nil || !keys.Check([]byte(whose), []byte(r.Header.Get("Authorization"))) {
		return http.StatusUnauthorized, OutcomesAnswer{Error: "the key is not that of outcomes.key: send Authorization: Bearer KEY"}
	}
	asked, err := readOutcomeRequests(r.Body)
	if err != nil {
		return http.StatusBadRequest, OutcomesAnswer{Error: err.Error()}
	}
	var outcomes []store.Outcome
	var places []int
	refuse := func(place int, why string) {
		answer.Refused = append(answer.Refused, RefusedOutcome{place, why})
	}
	for i := range asked {
		o, wrong := s.outcomeOf(&asked[i], settings)
		if wrong != "" {
			refuse(i, wrong)
			continue
		}
		outcomes, places = append(outcomes, o), append(places, i)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), leaseTimeout)
	defer cancel()
	answers, err := s.store.Outcomes(ctx, outcomes)
	if err != nil {
		return http.StatusServiceUnavailable, OutcomesAnswer{Error: "the books are out of reach: send the same again"}
	}
	for i, one := range answers {
		switch {
		case one.LeadID == "":
			refuse(places[i], notBought(&outcomes[i]))
		case one.Repeat:
			answer.Repeated++
		default:
			answer.Noted++
		}
	}
	select {
	case s.outcomes.wake <- struct{}{}:
	default:
	}
	if len(answer.Refused) > 0 {
		return http.StatusUnprocessableEntity, answer
	}
	return http.StatusOK, answer
}

// readOutcomeRequests reads one outcome, or {"outcomes": [...]}.
func readOutcomeRequests(body io.Reader) ([]OutcomeRequest, error) {
	text, err := io.ReadAll(io.LimitReader(body, maxOutcomes+1))
	switch {
	case err != nil:
		return nil, errors.New("the body could not be read")
	case len(text) > maxOutcomes:
		return nil, fmt.Errorf("the body is larger than %d KiB: send fewer at a time", maxOutcomes>>10)
	}
	var asked struct {
		OutcomeRequest
		Outcomes []OutcomeRequest `json:"outcomes"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return nil, fmt.Errorf(`the body is no outcome such as {"lead_id":"...","outcome":"booked","amount":9000.00,"at":"2026-03-04T15:04:05Z"}: %w`, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New(`the body goes on after its first outcome: send several as {"outcomes": [{...}, {...}]}`)
	}
	if asked.Outcomes == nil {
		return []OutcomeRequest{asked.OutcomeRequest}, nil
	}
	if len(asked.Outcomes) > mostOutcomes {
		return nil, fmt.Errorf("%d outcomes are more than %d: send fewer at a time", len(asked.Outcomes), mostOutcomes)
	}
	return asked.Outcomes, nil
}

// outcomeOf checks a request; wrong says in words what is wrong with it.
func (s *Server) outcomeOf(asked *OutcomeRequest, settings *rules.Settings) (o store.Outcome, wrong string) {
	kind, err := reconcile.ParseOutcome(asked.Outcome)
	switch {
	case err != nil:
		return o, "outcome: " + err.Error()
	case asked.Lead == "" && asked.Bid == "" && asked.Ping == "":
		return o, "lead_id: it names no lead, no bid and no ping"
	case asked.Amount < 0:
		return o, "amount: it is less than nothing"
	}
	o = s.complete(store.Outcome{
		LeadID: asked.Lead, BidID: asked.Bid, PingID: asked.Ping, Exchange: asked.Exchange,
		Kind: kind, Amount: asked.Amount, At: asked.At, Known: asked.Known,
	}, settings)
	if o.Known.IsZero() {
		o.Known = o.Told
	}
	return o, ""
}

// outcomesStatus tells what was learned.
func (s *Server) outcomesStatus() OutcomesStatus {
	s.outcomes.mu.Lock()
	defer s.outcomes.mu.Unlock()
	status := OutcomesStatus{File: s.outcomes.file}
	status.Leads, status.Closed = s.agent.Learned()
	return status
}
