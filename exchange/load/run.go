package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/valyala/fasthttp"

	"leadbid/pingpost"
)

// Run sends the steps one after the other and returns what was measured. Each step ends when its
// last answer is in or has timed out. Where ctx ends first, the result holds what was measured
// until then and the error is ctx's. Wrong options are named all at once.
func Run(ctx context.Context, options Options) (*Result, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	requests, err := prepare(options.Population, options.Protocol, options.Run)
	if err != nil {
		return nil, err
	}
	target, _ := url.Parse(options.Target)
	if err := reach(target, options.Timeout); err != nil {
		return nil, err
	}
	g := &generator{options: &options, requests: requests, client: newClient(target, options.Connections, options.Timeout)}
	defer g.client.CloseIdleConnections()
	notices := startNotices(&options)
	g.notices = notices
	result := &Result{Target: options.Target, Connections: options.Connections, Population: len(requests)}
	for i, rate := range options.Rates {
		step := g.step(ctx, i, rate)
		result.Steps, result.Refusal = append(result.Steps, step), cmp.Or(result.Refusal, step.refusal.text)
		if err = ctx.Err(); err != nil {
			err = fmt.Errorf("load: stopped in step %d of %d: %w", i+1, len(options.Rates), err)
			break
		}
	}
	result.Notices = notices.finish()
	return result, err
}

// ErrUnreachable is the cause of an error of Run where nothing answers at the target's address.
var ErrUnreachable = errors.New("cannot connect")

// reach opens one connection, so that a target that is not there is one clear error and not a
// million of them.
func reach(target *url.URL, timeout time.Duration) error {
	connection, err := net.DialTimeout("tcp", hostPort(target), timeout)
	if err != nil {
		return fmt.Errorf("load: reaching the target: %w: %w", ErrUnreachable, err)
	}
	return connection.Close()
}

func hostPort(target *url.URL) string {
	port := target.Port()
	if port == "" {
		port = "80"
		if target.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(target.Hostname(), port)
}

func newClient(target *url.URL, connections int, timeout time.Duration) *fasthttp.HostClient {
	return &fasthttp.HostClient{
		Addr: hostPort(target), IsTLS: target.Scheme == "https",
		// One more than are used at once, so that a connection on its way back is no obstacle.
		MaxConns: connections + 1, MaxIdleConnDuration: time.Minute,
		// A kept-alive connection that the target had closed meanwhile is opened again and the request
		// repeated, by the client itself: a ping that comes twice is one ping.
		ReadTimeout: timeout, WriteTimeout: timeout, MaxResponseBodySize: 1 << 20,
		Dial:                     func(addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, timeout) },
		NoDefaultUserAgentHeader: true,
	}
}

// generator is what all steps of a run share.
type generator struct {
	options  *Options
	requests []request
	client   *fasthttp.HostClient
	notices  *notices
	number   int64 // of the next send; the pacer's alone
}

// due is one send of the schedule.
type due struct {
	at     time.Duration // since the step's start
	number int64
}

// step runs one rate.
func (g *generator) step(ctx context.Context, index, rate int) Step {
	queue := make(chan due, g.options.Backlog)
	workers := make([]*worker, g.options.Connections)
	start := time.Now()
	var working sync.WaitGroup
	for i := range workers {
		workers[i] = newWorker(g, start)
		working.Go(func() { workers[i].work(ctx, queue) })
	}
	var sent, dropped atomic.Int64
	stopTelling := g.tell(index, rate, start, &sent, &dropped)
	scheduled := g.pace(ctx, rate, start, queue, &sent, &dropped)
	close(queue)
	working.Wait()
	elapsed := time.Since(start)
	stopTelling()
	step := newStep(rate, g.options.For)
	step.Scheduled, step.Dropped, step.elapsed = scheduled, dropped.Load(), elapsed
	for _, w := range workers {
		step.merge(w)
	}
	step.close()
	return step
}

// pace keeps the schedule: one send every 1/rate seconds. It runs on a thread of its own and only
// ever puts a send into the queue or, where that is full, drops it. It returns how many sends
// were scheduled.
func (g *generator) pace(
	ctx context.Context, rate int, start time.Time, queue chan<- due, sent, dropped *atomic.Int64,
) int64 {
	done := make(chan int64)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its goroutine, and its timer setting with it
		sharpen()
		total := int64(float64(rate) * g.options.For.Seconds())
		var next int64
		for next < total && ctx.Err() == nil {
			at := time.Duration(float64(next) / float64(rate) * float64(time.Second))
			if wait := at - time.Since(start); wait > 0 {
				// Short naps keep an end of ctx from waiting at low rates.
				nap(min(wait, 100*time.Millisecond))
				continue
			}
			select {
			case queue <- due{at, g.number}:
				sent.Add(1)
			default:
				dropped.Add(1)
			}
			next++
			g.number++
		}
		done <- next
	}()
	return <-done
}

// tell reports progress until the returned function is called.
func (g *generator) tell(index, rate int, start time.Time, sent, dropped *atomic.Int64) (stop func()) {
	if g.options.Progress == nil {
		return func() {}
	}
	report := func() {
		g.options.Progress(Progress{
			Step: index + 1, Steps: len(g.options.Rates), Rate: rate,
			Elapsed: time.Since(start), Sent: sent.Load(), Dropped: dropped.Load(),
		})
	}
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				report()
			case <-stopping:
				report()
				return
			}
		}
	}()
	return func() { close(stopping); <-stopped }
}

// worker owns one connection's worth of sends and what it measured; nothing of it is shared until
// its step ends.
type worker struct {
	generator *generator
	start     time.Time
	free      time.Duration // when it was last done, since start
	request   fasthttp.Request
	response  fasthttp.Response
	body      []byte

	latency, lag *hdrhistogram.Histogram
	bids, noBids int64
	unsent       int64 // still waiting when the run was stopped
	reasons      map[string]int64
	errors       map[string]int64
	refusal      refusal // the first of this worker
}

func newWorker(g *generator, start time.Time) *worker {
	w := &worker{
		generator: g, start: start, latency: newHistogram(), lag: newHistogram(),
		reasons: map[string]int64{}, errors: map[string]int64{},
	}
	setPost(&w.request, g.options.Target, g.options.Key)
	return w
}

func setPost(request *fasthttp.Request, target, key string) {
	request.SetRequestURI(target)
	request.Header.SetMethod(fasthttp.MethodPost)
	request.Header.SetContentType("application/json")
	if key != "" {
		request.Header.Set(fasthttp.HeaderAuthorization, "Bearer "+key)
	}
}

func (w *worker) work(ctx context.Context, queue <-chan due) {
	for send := range queue {
		if ctx.Err() != nil {
			w.unsent++
			continue
		}
		prepared := &w.generator.requests[send.number%int64(len(w.generator.requests))]
		w.body = prepared.appendTo(w.body[:0], send.number)
		w.request.SetBodyRaw(w.body)
		// What a send waited for a free connection is the target's time. The rest is our own.
		began := time.Since(w.start)
		record(w.lag, began-max(send.at, w.free))
		err := w.generator.client.Do(&w.request, &w.response)
		w.free = time.Since(w.start)
		record(w.latency, w.free-send.at)
		w.judge(send.number, err)
	}
}

// judge counts what came back.
func (w *worker) judge(number int64, err error) {
	if err != nil {
		w.errors[errorKind(err)]++
		return
	}
	status := w.response.StatusCode()
	answer, err := w.generator.options.Protocol.ReadAnswer(w.response.Body(), status)
	switch {
	case err != nil && status != fasthttp.StatusOK:
		w.errors[fmt.Sprintf("status %d", status)]++
		if w.refusal.text == "" {
			w.refusal = newRefusal(number, status, w.response.Body())
		}
	case err != nil || answer.Kind == pingpost.AnswerError:
		w.errors["unreadable answer"]++
	case answer.Kind == pingpost.AnswerBid:
		w.bids++
		w.generator.notices.lost(pingID(w.generator.options.Run, number), strings.Clone(answer.BidID))
	default:
		w.noBids++
		if reason := answer.Reason.String(); reason != "" {
			w.reasons[reason]++
		}
	}
}

// errorKind names a failure in a few words, so that the kinds stay few.
func errorKind(err error) string {
	var network net.Error
	switch {
	case errors.Is(err, fasthttp.ErrTimeout), errors.Is(err, fasthttp.ErrDialTimeout),
		errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.Is(err, fasthttp.ErrConnectionClosed):
		return "connection closed"
	}
	return "connection failed"
}
