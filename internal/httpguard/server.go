package httpguard

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// The settings of a public listener. fasthttp's own defaults are no timeouts at all and bodies of
// 4 MiB.
const (
	readTimeout    = 2 * time.Second // for the whole request: it bounds slow senders
	writeTimeout   = 2 * time.Second
	idleTimeout    = 45 * time.Second
	readBufferSize = 8 << 10 // all header lines together
	maxConns       = 20_000
)

// Options are what the two public listeners set differently.
type Options struct {
	// MaxBody is the largest body in bytes, 64 KiB where 0. A larger one is answered 413 before it
	// is read.
	MaxBody int

	// BodyLimit, where set, gives a smaller limit in bytes for some request targets; 0 means
	// MaxBody. The target is as sent, not yet normalised.
	BodyLimit func(target []byte) int

	// MaxConnsPerIP bounds the connections of one address; 0 means no bound, as is right behind a
	// proxy.
	MaxConnsPerIP int

	// MaxInFlight bounds the requests that are being handled at one time; 0 means no bound. What
	// is beyond goes to Overloaded at once, which must be fast and must not wait for anything.
	MaxInFlight int
	// Overloaded answers a request beyond MaxInFlight; where nil it is 503 with Retry-After.
	Overloaded fasthttp.RequestHandler

	// Panicked is told of a panic in the handler, in words and with the stack, neither of which holds
	// anything of the request; the client gets 500 and the connection is closed. Where nil a panic
	// ends the process.
	Panicked func(what string, stack []byte)

	// Certificate is what the listener proves itself with, over TLS; nil where it speaks plain HTTP.
	Certificate *tls.Certificate

	// Logger gets fasthttp's own messages, none of which holds a header or a body; nil drops them.
	Logger fasthttp.Logger
}

// NewServer makes a server that hands to handler only requests that are within the limits and
// cannot be read in two ways. It does not listen.
func NewServer(handler fasthttp.RequestHandler, options Options) *fasthttp.Server {
	if options.MaxBody == 0 {
		options.MaxBody = 64 << 10
	}
	if options.Logger == nil {
		options.Logger = silent{}
	}
	server := &fasthttp.Server{
		Handler:            Guard(bounded(recovering(handler, options.Panicked), options)),
		ErrorHandler:       answerUnreadable,
		ExpectHandler:      refuseToContinue,
		Logger:             options.Logger,
		ReadTimeout:        readTimeout,
		WriteTimeout:       writeTimeout,
		IdleTimeout:        idleTimeout,
		ReadBufferSize:     readBufferSize,
		MaxRequestBodySize: options.MaxBody,
		MaxConnsPerIP:      options.MaxConnsPerIP,
		Concurrency:        maxConns,

		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		// A form with files would otherwise be unpacked to disk before anyone asked for it.
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
		CloseOnShutdown:              true,
	}
	if limit := options.BodyLimit; limit != nil {
		server.HeaderReceived = func(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
			return fasthttp.RequestConfig{MaxRequestBodySize: limit(header.RequestURI())}
		}
	}
	if options.Certificate != nil {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*options.Certificate}}
	}
	return server
}

// ErrCertificate is that a certificate cannot be served with.
var ErrCertificate = errors.New("the certificate and its key cannot be used")

// LoadCertificate reads a certificate and its key, both in PEM. The error is ErrCertificate.
func LoadCertificate(certificate, key string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("%w (%s, %s): %w", ErrCertificate, certificate, key, err)
	}
	return &pair, nil
}

// Serve serves what a listener accepts, over TLS where the server has a certificate, until the server is
// shut down or the listener ends.
func Serve(server *fasthttp.Server, listener net.Listener) error {
	listener = LazyDeadlines(listener)
	if server.TLSConfig != nil {
		return server.ServeTLS(listener, "", "") // its certificate is loaded
	}
	return server.Serve(listener)
}

// bounded refuses what is beyond MaxInFlight without queueing it: late work is lost work.
func bounded(handler fasthttp.RequestHandler, options Options) fasthttp.RequestHandler {
	if options.MaxInFlight <= 0 {
		return handler
	}
	overloaded := options.Overloaded
	if overloaded == nil {
		overloaded = busy
	}
	bound := int64(options.MaxInFlight)
	inFlight := new(atomic.Int64)
	return func(ctx *fasthttp.RequestCtx) {
		defer inFlight.Add(-1)
		if inFlight.Add(1) > bound {
			overloaded(ctx)
			return
		}
		handler(ctx)
	}
}

func busy(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
	WriteError(ctx, fasthttp.StatusServiceUnavailable, "overload", "too many requests at one time", "")
}

func recovering(handler fasthttp.RequestHandler, panicked func(string, []byte)) fasthttp.RequestHandler {
	if panicked == nil {
		return handler
	}
	return func(ctx *fasthttp.RequestCtx) {
		defer func() {
			if value := recover(); value != nil {
				panicked(panicText(value), debug.Stack())
				ctx.Response.Reset()
				WriteError(ctx, fasthttp.StatusInternalServerError, "internal", "the request could not be handled", "")
				ctx.SetConnectionClose()
			}
		}()
		handler(ctx)
	}
}

// panicText says what happened without a word of the request: Go's own errors hold numbers and types
// only, while any other text may quote what was being read, and the stack tells where that was.
func panicText(value any) string {
	if err, ok := value.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T, whose text may quote the request", value)
}

// answerUnreadable answers what fasthttp could not read as a request; it closes the connection
// afterwards by itself.
func answerUnreadable(ctx *fasthttp.RequestCtx, err error) {
	var headersTooLarge *fasthttp.ErrSmallBuffer
	var network net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		WriteError(ctx, fasthttp.StatusRequestEntityTooLarge, "too_large", "the body is larger than allowed here", "")
	case errors.As(err, &headersTooLarge):
		WriteError(ctx, fasthttp.StatusRequestHeaderFieldsTooLarge, "headers_too_large",
			"the header lines are larger than 8 KiB", "")
	case errors.As(err, &network) && network.Timeout():
		WriteError(ctx, fasthttp.StatusRequestTimeout, "too_slow", "the request did not arrive in time", "")
	default:
		WriteError(ctx, fasthttp.StatusBadRequest, "malformed", "not a valid HTTP request", "")
	}
}

// refuseToContinue declines "Expect: 100-continue": bodies here are too small to be worth a round
// trip, and an oversized one would be invited before it is refused. fasthttp closes the connection
// then, so that a body sent anyway is not read as the next request (its ContinueHandler would keep
// the connection open).
func refuseToContinue(*fasthttp.RequestCtx) int { return fasthttp.StatusExpectationFailed }

type silent struct{}

func (silent) Printf(string, ...any) {}
