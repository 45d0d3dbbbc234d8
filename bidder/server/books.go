package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"leadbid/budget/store"
	"leadbid/internal/httpguard"
)

// A bidder verifies its own books: before the first bid what a start has time for, the whole right
// after that and then every few minutes. A broken promise stops the bidding until a person has looked:
// the stop is a file beside the pauses, so that a restart does not lift it, and `bidder resume` does.
// Posts for bids already sent go on being taken or refused by the store's own conditions: each of them
// reads the rows that it changes, a lead that was won would be lost, and on an exchange where bids bind
// it would be paid for all the same. What can still be spent so is what the open leases hold.

const (
	// verifyShare bounds the part of the time that is spent on verifying: at most one part in so many.
	verifyShare = 10

	// verifyLimit is when a verification is given up, far beyond what a hundred million leads take: the
	// store is silent.
	verifyLimit = 6 * time.Hour

	// verifyRest is how many times as long as each step of a verification took it then rests.
	verifyRest = 3
)

// BooksStop is what stands in the file of a stop.
type BooksStop struct {
	At       time.Time       `json:"at,omitzero"`
	Findings []store.Finding `json:"findings,omitempty"` // why nothing is bid; none where bids go out
	Accepted []string        `json:"accepted,omitempty"` // keys of findings that a person said stop nothing
}

// Stopped tells whether nothing is bid.
func (b BooksStop) Stopped() bool { return len(b.Findings) > 0 }

// Against leaves out the findings that a person accepted.
func (b BooksStop) Against(findings []store.Finding) []store.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f store.Finding) bool {
		return slices.Contains(b.Accepted, f.Key())
	})
}

// BooksStopFile is where the stop of a bidder is kept, beside its file of pauses.
func BooksStopFile(pauseFile string) string { return pauseFile + ".books" }

// ReadBooksStop reads a file of a stop; one that is not there stops nothing. One that cannot be read is
// an error: guessing would mean bidding on books that were found broken.
func ReadBooksStop(path string) (stop BooksStop, err error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return BooksStop{}, nil
	case err != nil:
		return BooksStop{}, fmt.Errorf("server: reading why the bidding stopped: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&stop); err != nil {
		return BooksStop{}, fmt.Errorf("server: %s does not say why the bidding stopped (%w): "+
			"run bidder verify, and remove it where the books hold", path, err)
	}
	return stop, nil
}

// WriteBooksStop replaces the file of a stop whole, or removes it where it would say nothing. Who lifts one
// holds LockPauses of the file of pauses meanwhile, since a bidder adds later findings to it.
func WriteBooksStop(path string, stop BooksStop) error {
	if !stop.Stopped() && len(stop.Accepted) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("server: lifting the stop: %w", err)
		}
		return nil
	}
	text, err := json.MarshalIndent(stop, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(path, append(text, '\n')); err != nil {
		return fmt.Errorf("server: writing why the bidding stopped: %w", err)
	}
	return nil
}

// BooksStatus is what the last verification found.
type BooksStatus struct {
	Verified time.Time       `json:"verified,omitzero"` // when the last one ended; absent before the first
	TookMS   int64           `json:"took_ms"`
	Whole    bool            `json:"whole"`            // false for the short one of a start
	Stopped  time.Time       `json:"stopped,omitzero"` // since when nothing is bid because a promise is broken
	Findings []store.Finding `json:"findings,omitempty"`
	Accepted int             `json:"accepted,omitempty"`
	Error    string          `json:"error,omitempty"` // why the last verification came to no end
}

// booksGuard is the present stop, and what the last verification found.
type booksGuard struct {
	mu        sync.Mutex
	stop      BooksStop
	unwritten bool // a new stop is not in its file yet
	changed   bool // a stop that is in its file has other findings by now
	faulty    bool // the file could not be read, which was told
	last      BooksStatus
}

func (g *booksGuard) status(zone *time.Location) BooksStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	status := g.last
	status.Findings, status.Accepted = slices.Clone(g.stop.Findings), len(g.stop.Accepted)
	if !status.Verified.IsZero() {
		status.Verified = status.Verified.In(zone)
	}
	if g.stop.Stopped() {
		status.Stopped = g.stop.At.In(zone)
	}
	return status
}

// why words the stop in a line; "" where bids go out.
func (g *booksGuard) why() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.stop.Stopped() {
		return ""
	}
	return fmt.Sprintf("nothing is bid: the books do not hold (%s: %s)", g.stop.Findings[0].ID, g.stop.Findings[0].What)
}

func (s *Server) booksStopFile() string { return BooksStopFile(s.pauseFile()) }

// beginBooks takes over the stop of a former run, and verifies what a start has time for.
func (s *Server) beginBooks(ctx context.Context) error {
	stop, err := ReadBooksStop(s.booksStopFile())
	if err != nil {
		return err
	}
	s.books.stop = stop
	s.pauses.setBooks(stop.Stopped())
	if stop.Stopped() {
		s.log.Error().Str("finding", stop.Findings[0].What).Msg("nothing is bid: the books did not hold in a former run, and nobody resumed")
	}
	s.verify(ctx, false)
	return nil
}

// verifyLoop verifies the whole at once, and again every few minutes.
func (s *Server) verifyLoop(ctx context.Context) {
	for {
		every := s.inForce.Load().rules.Settings().VerifyEvery
		if every == 0 {
			if !pause(ctx, time.Minute) { // a reload may switch it on
				return
			}
			continue
		}
		took := s.verify(ctx, true)
		if !pause(ctx, max(every, verifyShare*took)) {
			return
		}
	}
}

// verify holds the books against every promise, and stops the bidding where one is broken.
func (s *Server) verify(ctx context.Context, whole bool) (took time.Duration) {
	began := s.clock.now()
	check := s.store.VerifyRecent
	if whole {
		check = s.store.Verify
	}
	checking, cancel := context.WithTimeout(ctx, verifyLimit)
	defer cancel()
	report, err := check(checking)
	if ctx.Err() != nil {
		return 0
	}
	now := s.clock.now()
	took = now.Sub(began)
	s.books.mu.Lock()
	status := &s.books.last
	if status.Error = ""; err != nil {
		status.Error = err.Error()
	} else {
		status.Verified, status.TookMS, status.Whole = now, took.Milliseconds(), whole
	}
	s.books.mu.Unlock()
	if err != nil {
		s.log.Error().Err(err).Msg("the books could not be verified")
		return took
	}
	s.meters.verified.Set(float64(now.UnixMilli()) / 1000)
	s.meters.verifyTook.Set(took.Seconds())
	s.found(now, report)
	return took
}

// found stops the bidding where there is a finding that no person accepted. A clean report lifts no
// stop: what was wrong with the books is for a person to know.
func (s *Server) found(now time.Time, report store.Report) {
	s.books.mu.Lock()
	findings := s.books.stop.Against(report.Findings)
	news := len(findings) > 0 && !s.books.stop.Stopped()
	changed := len(findings) > 0 && !news && !slices.Equal(findings, s.books.stop.Findings)
	if len(findings) > 0 {
		at := s.books.stop.At
		if news {
			at = now
		}
		s.books.stop = BooksStop{At: at, Findings: findings, Accepted: s.books.stop.Accepted}
		s.books.unwritten, s.books.changed = s.books.unwritten || news, s.books.changed || changed
	}
	s.books.mu.Unlock()
	s.meters.findings.Set(float64(len(report.Findings)))
	if !news {
		return
	}
	for _, finding := range findings {
		s.log.Error().Str("promise", finding.ID).Str("finding", finding.What).Msg("the books do not hold")
	}
	s.log.Error().Msg("nothing is bid until a person resumes: bidder verify, bidder resume")
	s.pauses.setBooks(true)
	s.applyPauses()
	s.followStop()
}

// followStop writes a stop that is not in its file yet, else follows the file: a person lifts a stop by
// `bidder resume`, which takes it away.
func (s *Server) followStop() {
	path := s.booksStopFile()
	s.books.mu.Lock()
	defer s.books.mu.Unlock()
	if s.books.unwritten {
		err := WriteBooksStop(path, s.books.stop)
		s.books.unwritten = err != nil
		s.tellOnce(err)
		return
	}
	if s.books.changed { // what a person lifts between reading and writing is not to be written again
		if lock, err := LockPauses(context.Background(), s.pauseFile()); err == nil {
			defer lock.Close()
		} // where there is no lock they may have to lift it twice
	}
	stop, err := ReadBooksStop(path)
	s.tellOnce(err)
	if err != nil {
		return
	}
	// Later findings belong into a stop that still stands: one that a person has lifted since stays lifted.
	if s.books.changed && stop.Stopped() {
		s.books.stop.Accepted = stop.Accepted
		err := WriteBooksStop(path, s.books.stop)
		s.books.changed = err != nil
		s.tellOnce(err)
		return
	}
	s.books.changed = false
	before := s.books.stop.Stopped()
	s.books.stop = stop
	if stop.Stopped() == before {
		return
	}
	s.pauses.setBooks(stop.Stopped())
	if !stop.Stopped() {
		s.log.Warn().Strs("accepted", stop.Accepted).Msg("a person lifted the stop: bids go out again")
	}
}

// tellOnce logs the first of several errors with the file of the stop. The guard's lock is held.
func (s *Server) tellOnce(err error) {
	if err != nil && !s.books.faulty {
		s.log.Error().Err(err).Msg("the stop stays as it was")
	}
	s.books.faulty = err != nil
}

// degraded is what readiness says of a bidder that takes posts and sends no bids. It is ready all the
// same: a balancer that took it out would keep away the posts of bids already sent.
func (s *Server) degraded() error {
	if why := s.books.why(); why != "" {
		return httpguard.Degraded(why)
	}
	return nil
}
