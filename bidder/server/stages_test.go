package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/pingpost/zips"
	"leadbid/rules"
)

// BenchmarkStages tells where the time of a bid goes: the whole way of a request through the server,
// without the kernel, beside a server that does nothing, and each stage of ours where it stands: one
// request goes through all of them before the next comes, so that a stage finds the caches as the
// others left them. Every bid is lost, as in bench.
func BenchmarkStages(b *testing.B) {
	for _, rules := range []int{100, 5000} {
		b.Run(fmt.Sprintf("rules=%d", rules), func(b *testing.B) {
			staged := newStaged(b, rules)
			b.Run("bare", func(b *testing.B) { staged.serve(b, bareServer()) })
			b.Run("whole", func(b *testing.B) { staged.serve(b, staged.server.public) })
			for i, stage := range stages {
				b.Run(fmt.Sprintf("%02d-%s", i+1, stage.name), func(b *testing.B) { staged.measure(b, i) })
			}
			for i, name := range afterBatch {
				b.Run(fmt.Sprintf("%02d-%s", len(stages)+i+1, name), func(b *testing.B) { staged.measure(b, len(stages)+i) })
			}
		})
	}
}

const (
	stagedBatch = 32
	stagedKey   = "bench-0123456789abcdef0123456789abcdef"
)

// staged is a bidder that does not listen, and requests for it.
type staged struct {
	server   *Server
	exchange *exchange
	requests [][]byte // with an id of ten digits to be written at places
	places   [][]int
	bodies   []int // where they begin
	number   int64

	batch [stagedBatch]stagedRequest
}

// stagedRequest is one request on its way.
type stagedRequest struct {
	raw     []byte
	body    []byte
	ctx     *fasthttp.RequestCtx
	scratch request
	arrived time.Time
	took    time.Duration
}

func stagedConfiguration(count int) string {
	var text strings.Builder
	text.WriteString(`version: 1
business: {name: Bench, timezone: America/Chicago, budget: {month: $50000000}}
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: sqlite:bidder.db
mode: live
exchanges:
  bench: {profile: native, auth: {bearer: "${BENCH_KEY}"}, commitment: refusable, auction: first, tells: result, reasons: true}
campaigns:
  metro:
    services: [hvac]
    area: {zip: 60614, miles: 25, only_states: [IL]}
    budget: {day: $50000000}
    capacity: {leads: {week: 1000000}}
    require: {consent: promised}
    limits: {min_bid: $5, max_bid: $60}
    adjust:
      - {name: slow week, when: capacity.week.pace < 0.8, multiply: 1.2}
      - {name: paid search, when: 'source startsWith "google"', add: 3}
    rules:
`)
	near, _ := zips.Within(60614, 25)
	for miles := 50.0; len(near) < count; miles += 25 {
		near, _ = zips.Within(60614, miles)
	}
	for i := range count - 1 {
		var picked [4]string
		for j := range picked {
			picked[j] = `"` + near[(i*len(near)/(count-1)+j*61)%len(near)].String() + `"`
		}
		fmt.Fprintf(&text, "      - {when: 'zip in [%s] and urgency in [\"emergency\", \"asap\"] and lead_score >= %d "+
			"and property_type != \"condo\"', bid: 20 + 0.1 * lead_score}\n", strings.Join(picked[:], ", "), 10+i%50)
	}
	text.WriteString("      - {name: everywhere else, when: lead_score >= 35, bid: 18 + 0.1 * lead_score}\n")
	text.WriteString("record: {dir: recordings}\n")
	return text.String()
}

func newStaged(b *testing.B, count int) *staged {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bidder.yaml"), []byte(stagedConfiguration(count)), 0o600); err != nil {
		b.Fatal(err)
	}
	rs, faults := rules.Load(os.DirFS(dir), "bidder.yaml", func(string) (string, bool) { return stagedKey, true })
	if rs == nil {
		b.Fatal(faults.Err())
	}
	s, err := New(b.Context(), Options{Rules: rs, Dir: dir, Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close(context.Background()) })
	st := &staged{server: s, exchange: s.inForce.Load().exchanges["bench"]}
	st.prepare()
	st.warm(b)
	return st
}

// prepare spells requests of homeowners near Chicago.
func (st *staged) prepare() {
	near, _ := zips.Within(60614, 25)
	id := "bench-0123456789abcdef-0000000000"
	urgencies, properties := pingpost.UrgencyWords(), pingpost.PropertyWords()
	for i := range 4096 {
		body := fmt.Sprintf(`{"ping_id":%q,"tmax_ms":300,"auction":"first","service":"hvac","task":"furnace","job":"repair",`+
			`"zip":%q,"state":"IL","city":"Chicago","urgency":%q,"property_type":%q,"homeowner":true,"lead_score":%d,`+
			`"source":"google-%d","sub_ids":["a%d"],"exclusive":true,"max_sold":1,`+
			`"consent":{"agreed":true,"trustedform_url":"https://cert.trustedform.com/%s"}}`,
			id, near[i*7919%len(near)].String(), urgencies[i*31%len(urgencies)], properties[i%len(properties)], i*17%101, i%40, i%9, id)
		head := fmt.Sprintf("POST /v1/ping/bench HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", stagedKey, len(body))
		raw := []byte(head + body)
		var places []int
		for from := 0; ; {
			at := bytes.Index(raw[from:], []byte(id))
			if at < 0 {
				break
			}
			from += at + len(id)
			places = append(places, from-10)
		}
		st.requests, st.places, st.bodies = append(st.requests, raw), append(st.places, places), append(st.bodies, len(head))
	}
}

// next gives the next request under a new id.
func (st *staged) next(into []byte) (raw []byte, body int) {
	st.number++
	at := st.number % int64(len(st.requests))
	raw = append(into[:0], st.requests[at]...)
	for _, place := range st.places[at] {
		rest := st.number
		for i := place + 9; i >= place; i-- {
			raw[i] = byte('0' + rest%10)
			rest /= 10
		}
	}
	return raw, st.bodies[at]
}

// warm asks until the leases are as large as they need be, and the memory of repeats is full.
func (st *staged) warm(b *testing.B) {
	for range 10 {
		st.tend(b)
		st.run(-1, func() { st.tend(b) })
	}
	for range 140_000 / stagedBatch {
		st.run(-1, func() {})
	}
	var bids int
	reasons := map[string]int{}
	for i := range st.batch {
		reasons[st.batch[i].scratch.decided.Reason.String()]++
		if st.batch[i].scratch.decided.Bid {
			bids++
		}
	}
	if bids < stagedBatch/2 {
		b.Fatalf("only %d of %d pings got a bid: %v", bids, stagedBatch, reasons)
	}
}

// tend lets the time of a question to the store pass, and asks it.
func (st *staged) tend(b *testing.B) {
	st.server.clock.set(st.server.clock.now().Add(time.Second))
	st.server.tendLeases(b.Context())
}

var stages = []struct {
	name string
	run  func(st *staged, r *stagedRequest)
}{
	{"route-and-key", func(st *staged, r *stagedRequest) {
		path := target(r.ctx)
		x := st.server.inForce.Load().exchanges[string(path[len(pingRoute):])]
		if !x.admits(st.server.clock, false, r.ctx.Request.Header.Peek(fasthttp.HeaderAuthorization)) {
			panic("not admitted")
		}
	}},
	{"clock", func(st *staged, r *stagedRequest) { r.arrived = st.server.clock.now() }},
	{"decode", func(st *staged, r *stagedRequest) {
		if err := r.scratch.decode(st.exchange, r.body); err != nil {
			panic(err)
		}
	}},
	{"digest", func(st *staged, r *stagedRequest) {
		r.scratch.ping.Exchange = st.exchange.Name
		r.scratch.ping.Digest = r.scratch.ping.ComputeDigest()
	}},
	{"decide", func(st *staged, r *stagedRequest) {
		r.scratch.decided = st.server.agent.Decide(r.arrived, &r.scratch.ping)
	}},
	{"record", func(st *staged, r *stagedRequest) { st.server.record.ping(&r.scratch, &r.scratch.decided) }},
	{"sign-and-answer", func(st *staged, r *stagedRequest) {
		st.server.answerPing(r.ctx, st.exchange, &r.scratch, &r.scratch.decided)
	}},
	{"count", func(st *staged, r *stagedRequest) {
		st.server.meters.decided(st.exchange, &r.scratch.decided, r.took)
		st.server.wakeLeases(r.scratch.decided.Reason)
		st.server.logDecision(st.exchange, &r.scratch.ping, &r.scratch.decided)
	}},
}

// afterBatch is what follows: the notices that the bids lost, and the writer of the recording.
var afterBatch = []string{"lost-notice", "recording-writer"}

// run takes a batch through all stages and gives how long the one took.
func (st *staged) run(timed int, beforeLoss func()) (took time.Duration) {
	for i := range st.batch {
		r := &st.batch[i]
		if r.ctx == nil {
			r.ctx = &fasthttp.RequestCtx{}
			r.ctx.Init(&fasthttp.Request{}, nil, nil)
			r.ctx.Request.Header.SetMethod("POST")
			r.ctx.Request.SetRequestURI("/v1/ping/bench")
			r.ctx.Request.Header.Set("Authorization", "Bearer "+stagedKey)
		}
		var body int
		r.raw, body = st.next(r.raw)
		r.body = r.raw[body:]
	}
	var clock time.Duration
	for j := range st.batch {
		for i := range stages {
			if i != timed {
				stages[i].run(st, &st.batch[j])
				continue
			}
			start := time.Now()
			stages[i].run(st, &st.batch[j])
			between := time.Now()
			took += between.Sub(start)
			clock += time.Since(between)
		}
	}
	beforeLoss()
	took += st.batched(timed == len(stages), func() {
		for i := range st.batch {
			if r := &st.batch[i]; r.scratch.decided.Bid {
				lose(st.server, r.arrived, r.scratch.decided.Ref)
			}
		}
	})
	took += st.batched(timed == len(stages)+1, st.server.record.take)
	return took - clock
}

// lose takes a loss notice as a request would. It is recorded, or the recording would wait for it.
func lose(s *Server, at time.Time, ref budget.BidRef) {
	lost := pingpost.Notice{Outcome: pingpost.OutcomeLost}
	s.record.notice(s.agent.Notify(at, lost.Outcome, ref), &lost, ref)
}

// batched does what is done for a whole batch, and gives how long it took where that is asked for.
func (st *staged) batched(timed bool, do func()) (took time.Duration) {
	start := time.Now()
	do()
	if timed {
		took = time.Since(start)
	}
	return took
}

func (st *staged) measure(b *testing.B, stage int) {
	st.tend(b)
	var took []time.Duration
	for range (b.N + stagedBatch - 1) / stagedBatch {
		took = append(took, st.run(stage, func() {}))
	}
	if stage == len(stages)+1 {
		reportLeast(b, took)
		return
	}
	report(b, took)
}

// serve takes requests through a server on a connection that is memory. Loss notices are not timed.
func (st *staged) serve(b *testing.B, server *fasthttp.Server) {
	st.tend(b)
	conn := &memory{staged: st, left: (b.N + stagedBatch) / stagedBatch * stagedBatch, since: time.Now()}
	if err := server.ServeConn(conn); err != nil && err != io.EOF {
		b.Fatal(err)
	}
	report(b, conn.took[1:])
}

// reportLeast is for the writer: one batch in some compresses for all of them, so that what counts is
// the sum of many, and of those sums the least.
func reportLeast(b *testing.B, batches []time.Duration) {
	const many = 32
	var least time.Duration
	for group := range slices.Chunk(batches, many) {
		var sum time.Duration
		for _, batch := range group {
			sum += batch
		}
		if len(group) == many && (least == 0 || sum < least) {
			least = sum
		}
	}
	b.ReportMetric(float64(least.Nanoseconds())/(many*stagedBatch), "ns/op")
}

// report gives the median of the batches: what else runs on the machine hits some of them.
func report(b *testing.B, batches []time.Duration) {
	slices.Sort(batches)
	b.ReportMetric(float64(batches[len(batches)/2].Nanoseconds())/stagedBatch, "ns/op")
}

func bareServer() *fasthttp.Server {
	body := bytes.Repeat([]byte("a"), 180)
	return &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType("application/json")
		ctx.SetBody(body)
	}}
}

// memory is a connection on which requests come one after the other.
type memory struct {
	staged   *staged
	left     int
	raw      []byte
	since    time.Time
	took     []time.Duration
	answers  [stagedBatch][]byte
	answered int
}

func (m *memory) Read(into []byte) (int, error) {
	if m.left%stagedBatch == 0 {
		m.took = append(m.took, time.Since(m.since))
		m.tellLost()
		m.since = time.Now()
	}
	if m.left == 0 {
		return 0, io.EOF
	}
	m.left--
	m.raw, _ = m.staged.next(m.raw)
	return copy(into, m.raw), nil
}

func (m *memory) Write(from []byte) (int, error) {
	m.answers[m.answered] = append(m.answers[m.answered][:0], from...)
	m.answered++
	return len(from), nil
}

// tellLost frees what the bids of the last batch hold.
func (m *memory) tellLost() {
	s := m.staged.server
	for _, answer := range m.answers[:m.answered] {
		if bidID := textOf(answer, "bid_id"); bidID != "" {
			ref, _ := s.run.Keys.OpenBidID(bidID, m.staged.exchange.Name, textOf(answer, "ping_id"))
			lose(s, s.clock.now(), ref)
		}
	}
	m.answered = 0
	s.record.take()
}

func textOf(answer []byte, name string) string {
	_, rest, _ := bytes.Cut(answer, []byte(`"`+name+`":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(text)
}

func (m *memory) Close() error                     { return nil }
func (m *memory) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (m *memory) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (m *memory) SetDeadline(time.Time) error      { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }
