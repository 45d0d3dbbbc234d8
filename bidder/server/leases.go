package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadbid/bidder"
)

const (
	leaseStepMin = 20 * time.Millisecond // between two questions, however much there is to ask
	leaseStepMax = time.Second           // the loop looks at least this often
	leaseTimeout = 5 * time.Second       // for one question
	hangsAfter   = 6 * time.Second       // a question that is not ended by then waits for a disk
	awayStep     = time.Second           // after a question that failed
)

// errHangs is why a store is away that neither answers a question nor gives it up: what it has begun
// may still be written, so that its answer has to be waited for.
var errHangs = errors.New("it has begun to look after the leases, and does not come to an end: does its disk hang?")

// leaseLoop asks the store for what the Book needs, off the bid path: one question at a time.
func (s *Server) leaseLoop(ctx context.Context) {
	for {
		wait := s.tendLeases(ctx)
		if s.booksLost() {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-s.wake:
			timer.Stop()
			if !pause(ctx, leaseStepMin) {
				return
			}
		}
	}
}

// tendLeases asks one question, if there is one, and gives the time until the next look.
func (s *Server) tendLeases(ctx context.Context) time.Duration {
	switch step, told := s.clock.follow(time.Now()); {
	case told && step > 0:
		s.log.Warn().Stringer("step", step).Msg("the machine's clock was set ahead; following it")
	case told:
		s.log.Error().Stringer("step", step).Msg("the machine's clock was set back: " +
			"hours and budgets go by the former time until the bidder is started anew")
	}
	s.tellSilence()
	ask, ok, stamp := s.agent.Upkeep(s.clock.now())
	if !ok {
		s.record.upkeep(stamp, bidder.UpkeepRecord{})
		return s.untilDue()
	}
	s.record.upkeep(stamp, bidder.UpkeepRecord{Ask: &ask})
	bounded, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	told := make(chan struct{})
	hangs := time.AfterFunc(hangsAfter, func() {
		s.storeAway(errHangs)
		close(told)
	})
	answer, err := s.store.Upkeep(bounded, s.run, s.inForce.Load().plan, ask)
	if !hangs.Stop() {
		<-told // so that what comes now is said last
	}
	if err != nil {
		s.storeAway(err)
		s.record.away(s.agent.Away(s.clock.now()))
		return awayStep
	}
	s.storeBack()
	s.record.answered(s.agent.Answered(s.clock.now(), answer), answer)
	s.meters.caps(answer.Caps)
	return s.untilDue()
}

// booksLost tells whether the store takes nothing more from this process, and says so to whoever
// runs it.
func (s *Server) booksLost() bool {
	err := s.store.Err()
	if err == nil {
		return false
	}
	s.storeAway(err)
	s.giveUp(fmt.Errorf("%w: %w", ErrBooksLost, err))
	return true
}

func (s *Server) untilDue() time.Duration {
	now := s.clock.now()
	due, ok := s.agent.Due(now)
	if !ok {
		return leaseStepMax
	}
	return min(max(due.Sub(now), leaseStepMin), leaseStepMax)
}

func (s *Server) storeAway(err error) {
	why := err.Error()
	if s.storeErr.Swap(&why) == nil {
		s.log.Error().Err(err).Msg("the store is away: bids go on from the leases in hand, then stop")
	}
}

func (s *Server) storeBack() {
	if s.storeErr.Swap(nil) != nil {
		s.log.Info().Msg("the store is back")
	}
}

// returnLeases gives back at a graceful stop what no open bid needs, so that the next run, or
// another replica, finds it at once instead of after the leases' end.
func (s *Server) returnLeases(ctx context.Context) {
	ask, ok, stamp := s.agent.Surrender(s.clock.now())
	if !ok {
		s.record.upkeep(stamp, bidder.UpkeepRecord{Surrender: true})
		return
	}
	s.record.upkeep(stamp, bidder.UpkeepRecord{Surrender: true, Ask: &ask})
	bounded, cancel := context.WithTimeout(ctx, shutdownStep)
	defer cancel()
	if _, err := s.store.Upkeep(bounded, s.run, s.inForce.Load().plan, ask); err != nil {
		s.log.Warn().Err(err).Msg("leases were not given back; they end by themselves")
	}
}

// pause waits, and reports false where ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
