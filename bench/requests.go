package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"leadbid/exchange/load"
	"leadbid/exchange/simulate"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// populationStart is when the made-up homeowners begin to come: fixed, so that each run sends the
// same ones.
var populationStart = time.Date(2026, time.March, 2, 15, 0, 0, 0, time.UTC)

// trade is the one that all of the homeowners need.
const trade = "hvac"

// homeowners makes the population: people around Chicago who need heating or cooling.
func homeowners(count int) ([]simulate.Homeowner, error) {
	wanted := simulate.DefaultSettings(1, populationStart)
	wanted.TmaxMS = 300
	wanted.Trades = nil
	for _, one := range simulate.DefaultTrades() {
		if strings.HasPrefix(one.Name, trade) {
			wanted.Trades = append(wanted.Trades, one)
		}
	}
	generator, err := simulate.NewGenerator(wanted)
	if err != nil {
		return nil, err
	}
	return generator.Take(count), nil
}

// eachNew speaks as another protocol does, and makes every ping a new homeowner's: the certificate
// carries the ping's id, since a bidder refuses a second ping on the same certificate. A token
// alone cannot carry it, so a ping that shows only a token shows nothing.
type eachNew struct{ load.Protocol }

func (p eachNew) AppendRequest(dst []byte, homeowner *simulate.Homeowner) []byte {
	one := *homeowner
	for _, consent := range []*pingpost.Consent{&one.Ping.Consent, &one.Consent} {
		if consent.TrustedFormURL == "" {
			consent.LeadID = ""
			continue
		}
		consent.TrustedFormURL = "https://cert.trustedform.com/" + one.Ping.ID
	}
	return p.Protocol.AppendRequest(dst, &one)
}

// idDigits is the room for a request's number in its id.
const idDigits = 10

// idOf is the id of the ping, or the seller's id of the lead, of a request.
func idOf(number int64) string { return fmt.Sprintf("bench-0123456789abcdef-%0*d", idDigits, number) }

// request is one prepared HTTP request, with the places where its number goes.
type request struct {
	text   []byte
	places []int // offsets of the digits
}

// prepare spells all requests before a clock starts.
func prepare(population []simulate.Homeowner, protocol load.Protocol, to endpoint) []request {
	id := idOf(0)
	requests := make([]request, len(population))
	for i := range population {
		one := population[i]
		one.Ping.ID = id
		text := to.appendHead(nil, len(protocol.AppendRequest(nil, &one)))
		text = protocol.AppendRequest(text, &one)
		requests[i].text = text
		for at := bytes.Index(text, []byte(id)); at >= 0; {
			end := at + len(id)
			requests[i].places = append(requests[i].places, end-idDigits)
			if next := bytes.Index(text[end:], []byte(id)); next >= 0 {
				at = end + next
			} else {
				at = -1
			}
		}
	}
	return requests
}

// appendTo appends the request with this number.
func (r *request) appendTo(dst []byte, number int64) []byte {
	start := len(dst)
	dst = append(dst, r.text...)
	for _, place := range r.places {
		rest := number
		for i := start + place + idDigits - 1; i >= start+place; i-- {
			dst[i] = byte('0' + rest%10)
			rest /= 10
		}
	}
	return dst
}

// endpoint is where requests go.
type endpoint struct{ addr, path, key string }

func (e endpoint) appendHead(dst []byte, length int) []byte {
	return fmt.Appendf(dst, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", e.path, e.addr, e.key, length)
}

// appendLost appends the request that tells a bidder of a bid which did not win.
func (e endpoint) appendLost(dst []byte, profile *wire.Profile, number int64, bidID []byte) []byte {
	body := profile.AppendNotice(nil, &pingpost.Notice{
		PingID: idOf(number), BidID: string(bidID), Outcome: pingpost.OutcomeLost,
	})
	return append(e.appendHead(dst, len(body)), body...)
}
