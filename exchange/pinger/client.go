package pinger

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"leadbid/exchange"
	"leadbid/pingpost"
)

// The limits on what a buyer may send back, and for how long a connection waits for the next
// request: shorter than our own bidder keeps it open, so that we hardly ever send into a
// connection that is just being closed.
const (
	maxAnswerBody = 64 << 10
	keepIdle      = 20 * time.Second
	handshakeTime = 5 * time.Second
)

// client is the HTTP side of one buyer.
type client struct {
	Buyer
	http       *fasthttp.HostClient
	pingURL    string
	postURL    string
	noticeURL  string
	authorized string
	health     health
}

func newClient(buyer Buyer, maxConns int) (*client, error) {
	base, err := url.Parse(buyer.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, errors.New("the address is not http://host or https://host")
	}
	isTLS := base.Scheme == "https"
	root := strings.TrimRight(buyer.BaseURL, "/")
	return &client{
		Buyer:      buyer,
		pingURL:    root + "/v1/ping/" + url.PathEscape(buyer.Exchange),
		postURL:    root + "/v1/post/" + url.PathEscape(buyer.Exchange),
		noticeURL:  root + "/v1/notice/" + url.PathEscape(buyer.Exchange),
		authorized: "Bearer " + buyer.Key,
		http: &fasthttp.HostClient{
			Addr:                     fasthttp.AddMissingPort(base.Host, isTLS),
			IsTLS:                    isTLS,
			TLSConfig:                &tls.Config{MinVersion: tls.VersionTLS12},
			DialTimeout:              dial,
			MaxConns:                 maxConns,
			MaxIdleConnDuration:      keepIdle,
			MaxResponseBodySize:      maxAnswerBody,
			WriteTimeout:             handshakeTime, // also of the TLS handshake; requests have their own deadline
			RetryIfErr:               onceIfClosed,
			NoDefaultUserAgentHeader: true,
			SecureErrorLogMessage:    true,
		},
	}, nil
}

// dial is bounded by the deadline of the request that needs the connection.
func dial(address string, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", address, timeout)
}

// onceIfClosed repeats a request whose kept connection turned out to be closed. Every message
// here may be sent twice: buyers tell them apart by their ids.
func onceIfClosed(_ *fasthttp.Request, attempts int, err error) (resetTimeout, retry bool) {
	closed := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	return false, attempts == 1 && closed
}

// send posts a body and hands the answer's status and body to read, which must not keep the body.
func (c *client) send(deadline time.Time, address string, body []byte, read func(status int, body []byte)) error {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	request.Header.SetMethod(fasthttp.MethodPost)
	request.Header.SetContentType("application/json")
	request.Header.Set(fasthttp.HeaderAuthorization, c.authorized)
	request.SetRequestURI(address)
	request.SetBodyRaw(body)
	if err := c.http.DoDeadline(request, response, deadline); err != nil {
		return err
	}
	read(response.StatusCode(), response.Body())
	return nil
}

// ask sends one ping and says what came back. began is when the auction began: latency counts
// from there, so that waiting for a goroutine or a connection is not hidden.
func (c *client) ask(began, deadline time.Time, pingID string, body []byte, now func() time.Time) exchange.Answer {
	var answer pingpost.Answer
	err := c.send(deadline, c.pingURL, body, func(status int, body []byte) {
		answer, _ = c.Profile.DecodeAnswer(body, status) // an error is an answer too: AnswerError
		answer.PingID, answer.BidID = strings.Clone(answer.PingID), strings.Clone(answer.BidID)
		answer.Detail = strings.Clone(answer.Detail)
	})
	latency := time.Since(began)
	result := c.understood(&answer, pingID, now)
	if err != nil {
		result = failed(c.Name, err)
	}
	result.Latency = latency
	c.health.note(time.Now(), result.Status, result.Detail)
	return result
}

// understood turns a decoded answer into the Market's terms.
func (c *client) understood(answer *pingpost.Answer, pingID string, now func() time.Time) exchange.Answer {
	result := exchange.Answer{Buyer: c.Name, Status: exchange.AnswerNoBid, Reason: answer.Reason}
	switch {
	case answer.Kind == pingpost.AnswerError:
		return broken(c.Name, answer.Detail, 0)
	case answer.PingID != "" && answer.PingID != pingID:
		return broken(c.Name, "the answer names another ping", 0)
	case answer.Kind != pingpost.AnswerBid:
		return result
	case answer.Bid <= 0 || answer.Bid > pingpost.MaxCents || answer.BidID == "":
		return broken(c.Name, "the bid has no usable price or id", 0)
	}
	result.Status, result.Bid, result.BidID = exchange.AnswerBid, answer.Bid, answer.BidID
	if answer.ExpiresInMS > 0 {
		result.Until = now().Add(time.Duration(min(answer.ExpiresInMS, maxBidLife.Milliseconds())) * time.Millisecond)
	}
	return result
}

// maxBidLife bounds what a buyer may say of how long its bid stands.
const maxBidLife = 24 * time.Hour

// failed says what became of a ping that got no answer.
func failed(buyer string, err error) exchange.Answer {
	if isTimeout(err) {
		return exchange.Answer{Buyer: buyer, Status: exchange.AnswerTimedOut, Reason: pingpost.TimedOut}
	}
	return broken(buyer, describe(err), 0)
}

func (c *client) post(deadline time.Time, post *pingpost.Post) (verdict pingpost.Verdict, latency time.Duration) {
	began := time.Now()
	err := c.send(deadline, c.postURL, c.Profile.AppendPost(nil, post), func(status int, body []byte) {
		verdict, _ = c.Profile.DecodeVerdict(body, status) // an error is a verdict too: VerdictError
		verdict.PingID, verdict.LeadID = strings.Clone(verdict.PingID), strings.Clone(verdict.LeadID)
		verdict.Detail = strings.Clone(verdict.Detail)
	})
	switch {
	case err != nil && isTimeout(err):
		verdict = pingpost.Verdict{Kind: pingpost.VerdictUnknown, Detail: "no answer in time"}
	case err != nil:
		verdict = pingpost.Verdict{Kind: pingpost.VerdictUnknown, Detail: describe(err)}
	case verdict.PingID != "" && verdict.PingID != post.PingID:
		verdict = pingpost.Verdict{Kind: pingpost.VerdictError, Detail: "the answer names another ping"}
	}
	verdict.PingID = post.PingID
	return verdict, time.Since(began)
}

func (c *client) notify(deadline time.Time, notice *pingpost.Notice) error {
	var refused error
	err := c.send(deadline, c.noticeURL, c.Profile.AppendNotice(nil, notice), func(status int, body []byte) {
		refused = c.Profile.Acknowledged(notice, body, status)
	})
	switch {
	case err != nil && isTimeout(err):
		return errors.New("no answer in time")
	case err != nil:
		return errors.New(describe(err))
	case refused != nil:
		return fmt.Errorf("%w: %w", ErrAnswered, refused)
	}
	return nil
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, fasthttp.ErrTimeout) || errors.Is(err, fasthttp.ErrDialTimeout) ||
		errors.As(err, &network) && network.Timeout()
}

// describe words what went wrong on the way. The errors of the HTTP client may quote what the
// buyer sent, so only known ones are told apart.
func describe(err error) string {
	switch {
	case errors.Is(err, fasthttp.ErrNoFreeConns):
		return "too many requests to this buyer are under way"
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return "the answer is larger than 64 KiB"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, fasthttp.ErrConnectionClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection closed before the answer"
	}
	var network *net.OpError
	if errors.As(err, &network) {
		return "no connection"
	}
	return "not a valid HTTP answer"
}
