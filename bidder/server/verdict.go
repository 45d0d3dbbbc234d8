package server

import (
	"time"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/internal/planted"
	"leadbid/pingpost"
)

// This file is what a post comes to between its steps, without waiting for anything: settle joins
// it, and so does the simulation (bench/sim), which ends the process between any two of them.

// KeyOf is what makes a post the same post.
func KeyOf(post *pingpost.Post) store.PostKey {
	return store.PostKey{
		Exchange: post.Exchange, PingID: post.PingID, BidID: post.BidID, BodyHash: post.BodyHash,
	}
}

// Durable joins the Agent's decision about a post with what the store has to keep. contactKey is
// that of the run.
func Durable(now time.Time, post *pingpost.Post, settlement bidder.Settlement, leadID string, contactKey []byte) store.Post {
	durable := store.Post{
		Charge: settlement.Charge, BodyHash: post.BodyHash, At: now, LeadID: leadID, Lead: *post,
		Contacts: contactHashes(contactKey, &post.Lead), Source: settlement.Source,
	}
	if campaign := settlement.Campaign; campaign != nil {
		durable.DedupeFor = campaign.Duplicates
		for _, target := range campaign.Delivery {
			durable.Deliveries = append(durable.Deliveries, target.Name)
		}
	}
	return durable
}

// ToldOf is what the Agent is told of the store's answer to a Charge.
func ToldOf(charge budget.Charge, answer store.PostAnswer) budget.Charged {
	return budget.Charged{
		Line: charge.Line, Ref: charge.Ref, Accepted: answer.Outcome == store.PostAccepted,
		Repeat: answer.Repeat, Price: answer.Price, Reason: answer.Reason, Lease: answer.Lease,
	}
}

// NotBooked answers what the books never see: an id that is not ours, and the post of a test bid.
func NotBooked(post *pingpost.Post, settlement bidder.Settlement) pingpost.Verdict {
	if settlement.Refuse != pingpost.ReasonNone {
		return pingpost.Verdict{Kind: pingpost.VerdictRejected, PingID: post.PingID, Reason: settlement.Refuse}
	}
	return pingpost.Verdict{Kind: pingpost.VerdictAccepted, PingID: post.PingID, LeadID: "test-" + post.PingID}
}

// VerdictOf is what the exchange is told of the store's answer.
func VerdictOf(post *pingpost.Post, answer store.PostAnswer) pingpost.Verdict {
	verdict := pingpost.Verdict{
		PingID: post.PingID, LeadID: answer.LeadID, Reason: answer.Reason, Detail: answer.Detail,
	}
	if planted.Is(planted.AcceptRefused) && answer.Reason != pingpost.Voided {
		answer.Outcome = store.PostAccepted
	}
	switch answer.Outcome {
	case store.PostAccepted:
		verdict.Kind = pingpost.VerdictAccepted
	case store.PostConflict:
		verdict.Kind = pingpost.VerdictConflict
	default:
		verdict.Kind = pingpost.VerdictRejected
	}
	return verdict
}
