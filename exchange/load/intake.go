package load

import (
	"leadbid/exchange/simulate"
	"leadbid/pingpost"
)

// Leads speaks to the intake of an exchange of ours, as a seller does. Sent to the address with
// ?wait=1, the latency is that of the whole sale, auction and post included; without it, that of
// being written into the books.
func Leads() Protocol { return leads{} }

type leads struct{}

func (leads) AppendRequest(dst []byte, homeowner *simulate.Homeowner) []byte {
	return simulate.AppendLead(dst, homeowner)
}

// ReadAnswer counts a sold lead as a bid, at what the seller gets for it.
func (leads) ReadAnswer(body []byte, status int) (pingpost.Answer, error) {
	sale, err := simulate.ReadSale(body, status)
	if err != nil {
		return pingpost.Answer{}, err
	}
	if sale.Status == "sold" {
		return pingpost.Answer{Kind: pingpost.AnswerBid, PingID: sale.Offer, Bid: sale.Payout}, nil
	}
	reason, _ := pingpost.ParseReason(sale.Reason)
	return pingpost.Answer{Kind: pingpost.AnswerNoBid, PingID: sale.Offer, Reason: reason}, nil
}
