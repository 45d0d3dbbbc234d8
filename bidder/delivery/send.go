package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"leadbid/internal/safedial"
	"leadbid/internal/webhook"
	"leadbid/rules"
)

// outcome is how an attempt ended. err is nil where the target has the lead; its text holds no
// personal data, nothing of the answer's body, and not the webhook's URL, which may hold a key.
type outcome struct {
	err     error
	gone    bool // the receiver answered 410
	refused bool // the receiver is there, and will not have this lead
}

var (
	errDisabled = errors.New("the webhook is disabled: its receiver answered 410 Gone")
	errNoTarget = errors.New("the configuration has no such target for this campaign")
	errPlain    = errors.New("a webhook needs an https address")
)

const (
	webhookTimeout = 15 * time.Second // the whole attempt, from resolving the name on
	maxResponse    = 64 << 10
)

// newClient makes the client for all webhooks: no proxy, no redirects, no cookies, and no address
// that is not public unless that is allowed.
func newClient(allowPrivate bool) *http.Client {
	dialer := &safedial.Dialer{AllowPrivate: allowPrivate}
	return &http.Client{
		Timeout: webhookTimeout,
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: maxResponse,
			MaxIdleConnsPerHost:    webhookWorkers,
			IdleConnTimeout:        30 * time.Second,
			TLSHandshakeTimeout:    10 * time.Second,
			// What a receiver answers is not read beyond its status: nothing to unpack.
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send makes one attempt.
func (d *Deliverer) send(ctx context.Context, target rules.Target, j job) outcome {
	switch {
	case target.Webhook != "":
		return d.post(ctx, target, j)
	case target.File != "":
		return outcome{err: d.appendTo(target.File, j)}
	}
	return outcome{err: errNoTarget}
}

// post sends a signed webhook. Only an answer of 2xx is success.
func (d *Deliverer) post(ctx context.Context, target rules.Target, j job) outcome {
	body, err := encode(j.Delivery, maxPayload)
	if err != nil {
		return outcome{err: err}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.Webhook, bytes.NewReader(body))
	if err != nil {
		return outcome{err: errors.New("the webhook's address cannot be read")}
	}
	if !d.options.AllowPrivate && request.URL.Scheme != "https" && !isLoopback(request.URL.Hostname()) {
		return outcome{err: errPlain}
	}
	secret, err := webhook.ParseSecret(target.Secret)
	if err != nil {
		return outcome{err: err}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "leadbid")
	webhook.Sign(request.Header, j.ID, d.options.Wall(), body, secret)
	response, err := d.client.Do(request)
	if err != nil {
		return outcome{err: plainError(err)}
	}
	defer response.Body.Close()
	// A short answer is read to its end, so that the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxResponse))
	switch status := response.StatusCode; {
	case status >= 200 && status < 300:
		return outcome{}
	case status == http.StatusGone:
		return outcome{err: errDisabled, gone: true}
	case status >= 300 && status < 400:
		return outcome{err: fmt.Errorf("the receiver answered %d: redirects are not followed", status)}
	default:
		return outcome{err: fmt.Errorf(answered, status), refused: isRefusal(status)}
	}
}

const answered = "the receiver answered %d"

// isRefusal tells whether an answer speaks of the lead that was sent, and not of the receiver.
func isRefusal(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// wasRefused tells it of the error that an attempt left in the outbox.
func wasRefused(text string) bool {
	var status int
	_, err := fmt.Sscanf(text, answered, &status)
	return err == nil && isRefusal(status)
}

// plainError drops the URL that net/http puts into its errors.
func plainError(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		if wrapped.Timeout() {
			return errors.New("no answer in time")
		}
		return wrapped.Err
	}
	return err
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// appendTo appends the lead to a file of JSON lines.
func (d *Deliverer) appendTo(name string, j job) error {
	line, err := encode(j.Delivery, 0)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(d.options.BaseDir, name)
	}
	return d.journals.at(filepath.Clean(name)).append(j.ID, line)
}
