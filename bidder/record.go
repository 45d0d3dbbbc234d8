package bidder

import (
	"strconv"
	"time"

	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/pingpost"
)

// ResetRecord is a ResetPacing in a recording.
type ResetRecord struct {
	Campaign string `json:"campaign,omitempty"` // "" for all
}

// AppendJSON appends the decision in its one recorded form: what two Agents that decide alike must
// agree on to the byte. It does not allocate beyond dst.
func (d *Decision) AppendJSON(dst []byte) []byte {
	if d.Bid {
		dst = append(dst, `{"bid":`...)
		dst = d.Price.AppendDollars(dst)
		dst = append(dst, `,"expires":`...)
		dst = strconv.AppendInt(dst, d.Ref.Expires.UnixMilli(), 10)
		dst = append(dst, `,"lease":`...)
		dst = strconv.AppendInt(dst, int64(d.Ref.Lease), 10)
		dst = append(dst, `,"bid_seq":`...)
		dst = strconv.AppendUint(dst, d.Ref.Seq, 10)
	} else {
		dst = append(dst, `{"no_bid":"`...)
		dst = append(dst, d.Reason.String()...)
		dst = append(dst, '"')
		if d.Price > 0 {
			dst = append(dst, `,"would_bid":`...)
			dst = d.Price.AppendDollars(dst)
		}
	}
	if d.Campaign != "" {
		dst = appendText(append(dst, `,"campaign":`...), d.Campaign)
	}
	if d.Rule != "" {
		dst = appendText(append(dst, `,"rule":`...), d.Rule)
	}
	if d.Arm != "" {
		dst = appendText(append(dst, `,"arm":`...), d.Arm)
	}
	if d.Would.Campaign != "" {
		dst = appendText(append(dst, `,"observed":`...), d.Would.Campaign)
		dst = d.Would.Price.AppendDollars(append(dst, `,"would_bid":`...))
	}
	if d.Quote.Worth > 0 {
		dst = appendQuote(dst, &d.Quote)
	}
	dst = strconv.AppendUint(append(dst, `,"generation":`...), uint64(d.Generation), 10)
	if d.Repeat {
		dst = append(dst, `,"repeat":true`...)
	}
	if d.Test {
		dst = append(dst, `,"test":true`...)
	}
	return append(dst, '}')
}

// appendQuote appends how the strategy came to a price. A bid that explores tells by which factor and
// how many do: without that share nothing could be concluded from what became of it.
func appendQuote(dst []byte, q *strategy.Quote) []byte {
	dst = appendFigure(append(dst, `,"worth":`...), q.Worth)
	dst = appendFigure(append(dst, `,"lambda":`...), q.Lambda)
	dst = appendFigure(append(dst, `,"nu":`...), q.Nu)
	if q.Shaded {
		dst = appendFigure(append(dst, `,"chance":`...), q.Chance)
	}
	if q.Tried > 0 {
		dst = appendFigure(append(dst, `,"tried":`...), q.Tried)
		dst = appendFigure(append(dst, `,"explore":`...), q.Explore)
	}
	return dst
}

// appendFigure appends a number of the strategy, to six digits. None of them is infinite.
func appendFigure(dst []byte, figure float64) []byte {
	return strconv.AppendFloat(dst, figure, 'g', 6, 64)
}

// appendText appends a name as a JSON string. Names come from YAML, so they are valid UTF-8.
func appendText(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, `\u00`...)
			dst = append(dst, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// The recorded forms of the inputs that are not pings. Each is the data of one record; together
// with the snapshot they let another Agent decide the same again.
type (
	// CancelRecord is a bid that was not sent.
	CancelRecord struct {
		Seq uint64 `json:"bid_seq"`
	}
	// PostRecord is a post and what was decided about it, by the rules of Generation.
	PostRecord struct {
		Generation uint32          `json:"generation,omitempty"`
		Facts      PostFacts       `json:"facts"`
		Ref        budget.BidRef   `json:"ref"`
		Authentic  bool            `json:"authentic"`
		Rejection  *Rejection      `json:"rejection,omitempty"`
		Refuse     pingpost.Reason `json:"refuse,omitempty"`
		Charge     *budget.Charge  `json:"charge,omitempty"`
	}
	// NoticeRecord is an authentic notice.
	NoticeRecord struct {
		Outcome       string         `json:"outcome"`
		Ref           budget.BidRef  `json:"ref"`
		ClearingPrice pingpost.Cents `json:"clearing_price,omitempty"`
		MinBidToWin   pingpost.Cents `json:"min_bid_to_win,omitempty"`
	}
	// SwapRecord is a change of the rules. The segment of a recording ends with it: the next one
	// begins with the state after it.
	SwapRecord struct {
		Generation uint32 `json:"generation"`
		Rules      string `json:"rules"` // Ruleset.Hash
	}
	// UpkeepRecord is a look for what to ask of the store, and the question that came of it.
	UpkeepRecord struct {
		Surrender bool           `json:"surrender,omitempty"`
		Ask       *budget.Upkeep `json:"ask,omitempty"`
	}
)

// AppendJSON appends the notice as encoding/json would: most bids end with one. It does not
// allocate beyond dst.
func (n *NoticeRecord) AppendJSON(dst []byte) []byte {
	ref := &n.Ref
	dst = appendText(append(dst, `{"outcome":`...), n.Outcome)
	dst = strconv.AppendInt(append(dst, `,"ref":{"lease":`...), int64(ref.Lease), 10)
	dst = strconv.AppendUint(append(dst, `,"campaign":`...), uint64(ref.Campaign), 10)
	dst = ref.Price.AppendDollars(append(dst, `,"price":`...))
	dst = ref.Expires.AppendFormat(append(dst, `,"expires":"`...), time.RFC3339Nano)
	dst = strconv.AppendInt(append(dst, `","stands":`...), int64(ref.Stands), 10)
	dst = strconv.AppendUint(append(dst, `,"run":`...), uint64(ref.Run), 10)
	dst = strconv.AppendUint(append(dst, `,"seq":`...), ref.Seq, 10)
	dst = strconv.AppendUint(append(dst, `,"terms":`...), ref.Terms, 10)
	dst = append(dst, '}')
	if n.ClearingPrice != 0 {
		dst = n.ClearingPrice.AppendDollars(append(dst, `,"clearing_price":`...))
	}
	if n.MinBidToWin != 0 {
		dst = n.MinBidToWin.AppendDollars(append(dst, `,"min_bid_to_win":`...))
	}
	return append(dst, '}')
}

// RecordOf gives the recorded form of a settlement.
func RecordOf(facts PostFacts, ref budget.BidRef, authentic bool, s Settlement) PostRecord {
	record := PostRecord{
		Generation: s.Generation, Facts: facts, Ref: ref, Authentic: authentic,
		Rejection: s.Rejection, Refuse: s.Refuse,
	}
	if s.Charge.BidID != "" {
		record.Charge = &s.Charge
	}
	return record
}
