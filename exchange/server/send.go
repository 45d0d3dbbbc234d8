package server

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"leadbid/exchange"
	"leadbid/exchange/pinger"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

const (
	// maxNotices bounds the won and lost notices under way. They are told once and may get lost:
	// a buyer that misses one frees its money by its own clock.
	maxNotices = 512
	// noticeTime bounds one attempt at any notice.
	noticeTime = 3 * time.Second
)

// sender carries out what the Market asks for, each in a goroutine of its own, and brings the ends
// back to the desk. Nothing is remembered about what gets lost: the Market asks for it again.
type sender struct {
	pinger *pinger.Pinger
	clock  *clock
	log    zerolog.Logger
	meters *meters
	bring  func(exchange.Command) answer

	running  sync.WaitGroup
	inFlight atomic.Int64
	notices  chan struct{} // one token for each best-effort notice under way
}

// act starts everything and returns at once.
func (s *sender) act(actions []exchange.Action) {
	for _, action := range actions {
		switch a := action.(type) {
		case exchange.SendPings:
			s.spawn(func() { s.auction(a) })
		case exchange.SendPost:
			s.spawn(func() { s.post(a) })
		case exchange.SendNotice:
			s.notice(a)
		}
	}
}

func (s *sender) spawn(work func()) {
	s.inFlight.Add(1)
	s.running.Go(func() {
		defer s.inFlight.Add(-1)
		work()
	})
}

func (s *sender) auction(a exchange.SendPings) {
	answers := s.pinger.Ask(a.Deadline, &a.Ping, a.Buyers)
	for i := range answers {
		s.meters.answered(&answers[i])
		if answers[i].Status == exchange.AnswerBroken {
			s.log.Debug().Str("offer", string(a.Offer)).Str("buyer", answers[i].Buyer).
				Str("detail", answers[i].Detail).Msg("broken answer")
		}
	}
	s.bring(exchange.CloseAuction{Offer: a.Offer, Answers: answers})
}

func (s *sender) post(a exchange.SendPost) {
	verdict, latency := s.pinger.Post(a.Until, a.Buyer, &a.Post)
	s.meters.posted(a.Buyer, verdict.Kind)
	s.log.Debug().Str("offer", string(a.Offer)).Str("buyer", a.Buyer).Int("attempt", a.Attempt).
		Str("verdict", verdictWord(verdict.Kind)).Stringer("reason", verdict.Reason).Dur("latency", latency).Msg("post")
	s.bring(exchange.PostAnswered{Offer: a.Offer, Buyer: a.Buyer, Verdict: verdict, Latency: latency})
}

func (s *sender) notice(a exchange.SendNotice) {
	if a.MustArrive {
		s.spawn(func() { s.mustArrive(a) })
		return
	}
	select {
	case s.notices <- struct{}{}:
	default:
		s.meters.notices.WithLabelValues(a.Buyer, a.Notice.Outcome.String(), "dropped").Inc()
		return
	}
	s.spawn(func() {
		defer func() { <-s.notices }()
		_ = s.notify(a, s.clock.now().Add(noticeTime)) // counted; told once
	})
}

func (s *sender) mustArrive(a exchange.SendNotice) {
	switch err := s.notify(a, a.Until); {
	case err == nil:
		s.bring(exchange.NoticeAcked{Offer: a.Offer, Buyer: a.Buyer, Outcome: a.Notice.Outcome})
	case errors.Is(err, pinger.ErrAnswered):
		s.bring(exchange.NoticeAnswered{Offer: a.Offer, Buyer: a.Buyer, Outcome: a.Notice.Outcome,
			Unknown: errors.Is(err, wire.ErrUnknownBid)})
	}
}

func (s *sender) notify(a exchange.SendNotice, until time.Time) error {
	if limit := s.clock.now().Add(noticeTime); limit.Before(until) {
		until = limit
	}
	err := s.pinger.Notify(until, a.Buyer, &a.Notice)
	result := "acknowledged"
	if err != nil {
		result = "failed"
		if errors.Is(err, wire.ErrUnknownBid) {
			result = "bid_unknown"
		}
		s.log.Debug().Err(err).Str("offer", string(a.Offer)).Stringer("outcome", a.Notice.Outcome).Msg("notice")
	}
	s.meters.notices.WithLabelValues(a.Buyer, a.Notice.Outcome.String(), result).Inc()
	return err
}

var verdictWords = [...]string{"unknown", "accepted", "rejected", "conflict", "busy", "error"}

func verdictWord(kind pingpost.VerdictKind) string { return verdictWords[kind] }
