package server

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/internal/contact"
	"leadbid/internal/httpguard"
	"leadbid/internal/planted"
	"leadbid/pingpost"
	"leadbid/rules"
)

// postTimeout bounds how long a post waits for the store. What is not answered by then is
// answered "busy": the exchange asks again with the same id, and then gets what was decided.
const postTimeout = rules.PostTakes

func (s *Server) servePost(ctx *fasthttp.RequestCtx, x *exchange) {
	now := s.clock.now()
	var post pingpost.Post
	if err := x.profile.DecodePost(&post, ctx.PostBody()); err != nil {
		s.refuseInput(ctx, x, err)
		return
	}
	post.Exchange, post.Contact = x.Name, contact.Of(&post.Lead)
	verdict := s.settle(now, x, &post)
	s.meters.settled(x, verdict)
	s.log.Info().Str("exchange", x.Name).Str("ping_id", post.PingID).Str("lead_id", verdict.LeadID).
		Stringer("price", post.Price).Stringer("reason", verdict.Reason).
		Bool("accepted", verdict.Kind == pingpost.VerdictAccepted).Msg("post")
	s.answerPost(ctx, x, verdict)
}

func (s *Server) answerPost(ctx *fasthttp.RequestCtx, x *exchange, verdict pingpost.Verdict) {
	switch verdict.Kind {
	case pingpost.VerdictConflict:
		httpguard.WriteError(ctx, fasthttp.StatusConflict, "conflict",
			"this bid or ping was posted before with another body", "bid_id")
	case pingpost.VerdictBusy:
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
		httpguard.WriteError(ctx, fasthttp.StatusServiceUnavailable, "store_away",
			"the books are out of reach: post again with the same ids", "")
	default:
		httpguard.WriteJSON(ctx, fasthttp.StatusOK, x.profile.AppendVerdict(nil, &verdict))
	}
}

// settle takes a post from its signature to a durable answer.
func (s *Server) settle(now time.Time, x *exchange, post *pingpost.Post) pingpost.Verdict {
	ctx, cancel := context.WithTimeout(context.Background(), postTimeout)
	defer cancel()
	ref, seal, err := s.open(ctx, post.BidID, x.Name, post.PingID)
	if err != nil {
		return s.busy(post, err)
	}
	// What was answered under a key that is revoked now is answered so again.
	if signed := seal == budget.SealGood || seal == budget.SealFormer; signed && ref.Lease != 0 {
		answer, found, err := s.store.Answer(ctx, KeyOf(post))
		if err != nil {
			return s.busy(post, err)
		}
		if found {
			return VerdictOf(post, answer)
		}
	}
	authentic := seal == budget.SealGood
	settlement := s.agent.Settle(now, post, ref, authentic)
	s.record.post(settlement.Stamp, bidder.RecordOf(bidder.FactsOf(post), ref, authentic, settlement))
	if settlement.Charge.BidID == "" {
		return NotBooked(post, settlement)
	}
	answer, err := s.store.Post(ctx, Durable(now, post, settlement, uuid.Must(uuid.NewV7()).String(), s.run.ContactKey))
	if err != nil {
		return s.busy(post, err)
	}
	s.charged(settlement.Charge, answer)
	return VerdictOf(post, answer)
}

// charged tells the Agent what the store answered, and the deliverer that there is work.
func (s *Server) charged(charge budget.Charge, answer store.PostAnswer) {
	told := ToldOf(charge, answer)
	s.record.charged(s.agent.Charged(s.clock.now(), told), told)
	if told.Accepted && !told.Repeat {
		s.mail.Notify()
		s.lookAtLeases() // a lease that is used up is best replaced before the next ping
	}
}

func (s *Server) busy(post *pingpost.Post, err error) pingpost.Verdict {
	s.log.Warn().Err(err).Str("ping_id", post.PingID).Msg("a post was answered busy")
	s.lookAtLeases() // that finds out whether the store is away or lost
	return pingpost.Verdict{Kind: pingpost.VerdictBusy, PingID: post.PingID, Reason: pingpost.StoreAway}
}

// contactHashes are keyed hashes of the ways to reach the homeowner: what recognises one person
// on two exchanges without keeping a list of phone numbers. A phone number is brought to one
// spelling first; one that is no number of the United States is hashed as it came.
func contactHashes(key []byte, lead *pingpost.Lead) []store.ContactHash {
	var hashes []store.ContactHash
	if lead.Phone.Known() {
		hashes = append(hashes, store.HashContact(key, "phone", contact.Phone(lead.Phone.Reveal())))
	}
	if lead.Email.Known() {
		hashes = append(hashes, store.HashContact(key, "email", contact.Email(lead.Email.Reveal())))
	}
	return hashes
}

func (s *Server) serveNotice(ctx *fasthttp.RequestCtx, x *exchange) {
	var notice pingpost.Notice
	if err := x.profile.DecodeNotice(&notice, ctx.PostBody()); err != nil {
		s.refuseInput(ctx, x, err)
		return
	}
	ref, seal, err := s.openNotice(x, &notice)
	switch {
	case err != nil:
		s.noticeBusy(ctx, &notice, err)
		return
	case seal != budget.SealGood && seal != budget.SealFormer:
		s.meters.noticed(x, pingpost.OutcomeNone)
		httpguard.WriteError(ctx, fasthttp.StatusNotFound, pingpost.BidUnknown.String(),
			"this bid id was not signed here for this ping", "bid_id")
		return
	}
	if err := s.notify(x, &notice, ref); err != nil {
		s.noticeBusy(ctx, &notice, err)
		return
	}
	s.meters.noticed(x, notice.Outcome)
	httpguard.WriteJSON(ctx, x.profile.AcknowledgementStatus(), x.profile.AppendAcknowledgement(nil, &notice))
}

// openNotice reads the bid id of a notice. Notices come weeks after the bid: what the books know of a
// bid whose key is revoked by now is credited all the same.
func (s *Server) openNotice(x *exchange, notice *pingpost.Notice) (budget.BidRef, budget.Seal, error) {
	ref, seal := s.keys.Load().OpenBidID(notice.BidID, x.Name, notice.PingID)
	if seal != budget.SealNewer {
		return ref, seal, nil // nearly all: they need no deadline, and it costs as much as the rest
	}
	ctx, cancel := context.WithTimeout(context.Background(), postTimeout)
	defer cancel()
	return s.open(ctx, notice.BidID, x.Name, notice.PingID)
}

func (s *Server) noticeBusy(ctx *fasthttp.RequestCtx, notice *pingpost.Notice, err error) {
	s.log.Warn().Err(err).Str("ping_id", notice.PingID).Msg("a notice was answered busy")
	s.lookAtLeases()
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
	httpguard.WriteError(ctx, fasthttp.StatusServiceUnavailable, "store_away",
		"the books are out of reach: send the notice again", "")
}

// notify applies a notice; what moves money or withdraws a bid is durable before it returns.
func (s *Server) notify(x *exchange, notice *pingpost.Notice, ref budget.BidRef) error {
	if ref.Lease == 0 {
		return nil
	}
	if notice.Outcome == pingpost.OutcomeReturned || notice.Outcome == pingpost.OutcomeVoided && !planted.Is(planted.NoticeFirst) {
		ctx, cancel := context.WithTimeout(context.Background(), postTimeout)
		defer cancel()
		answer, err := s.store.Credit(ctx, store.Credit{
			Exchange: x.Name, PingID: notice.PingID, BidID: notice.BidID,
			Outcome: notice.Outcome, At: s.clock.now(),
		})
		if err != nil {
			return errors.Join(errors.New("server: crediting"), err)
		}
		if answer.Lease != nil {
			states := budget.UpkeepAnswer{Leases: []budget.LeaseState{*answer.Lease}}
			s.record.answered(s.agent.Answered(s.clock.now(), states), states)
		}
	}
	prices := bidder.Prices{Clearing: notice.ClearingPrice, MinBidToWin: notice.MinBidToWin}
	s.record.notice(s.agent.NotifyPrices(s.clock.now(), notice.Outcome, ref, prices), notice, ref)
	return nil
}
