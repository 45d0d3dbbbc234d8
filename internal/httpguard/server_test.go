package httpguard_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"
	"go.uber.org/goleak"

	"leadbid/internal/httpguard"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's own: the ticker of the Date header lives as long as the process, the sweeper
		// of a stopped server's workers up to ten seconds longer than the server.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// start serves a handler on an in-memory listener until the test ends.
func start(t *testing.T, handler fasthttp.RequestHandler, options httpguard.Options) *fasthttputil.InmemoryListener {
	t.Helper()
	listener := fasthttputil.NewInmemoryListener()
	server := httpguard.NewServer(handler, options)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(); err != nil {
			t.Error(err)
		}
		listener.Close() // where Serve has not begun, Shutdown did not reach it
		<-done
	})
	return listener
}

func echoPath(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("path " + string(ctx.Path())) }

// exchange sends raw bytes, then a plain request on the same connection, and reads until the
// server closes or has answered both.
func exchange(t *testing.T, listener *fasthttputil.InmemoryListener, raw string) (statuses []int, rest string) {
	t.Helper()
	conn, err := listener.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		_, _ = io.WriteString(conn, raw)
		_, _ = io.WriteString(conn, "GET /after HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	}()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	var bodies strings.Builder
	for {
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				statuses = append(statuses, 0) // the server kept the connection and said nothing
			}
			return statuses, bodies.String()
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		statuses = append(statuses, answer.StatusCode)
		fmt.Fprintf(&bodies, "%s\n", body)
	}
}

// TestTwentyRawRequests is the list of requests that fasthttp reads in another way than a strict
// server, or that cost us something before they are refused.
func TestTwentyRawRequests(t *testing.T) {
	const post = "POST /in HTTP/1.1\r\nHost: h\r\n"
	smuggled := "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	manyHeaders := strings.Repeat("X-A: 1\r\n", 500)
	for i, c := range []struct {
		name, raw string
		status    int
	}{
		{"two transfer encodings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"unknown coding", post + "Transfer-Encoding: odd\r\n\r\n0\r\n\r\n", 400},
		{"gzip and chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
		{"chunked on HTTP/1.0", "POST /in HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"two equal lengths", post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400},
		{"two different lengths", post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", 400},
		{"length with a sign", post + "Content-Length: +3\r\n\r\n{} ", 400},
		{"length in hexadecimal", post + "Content-Length: 0x3\r\n\r\n{} ", 400},
		{"space before the colon", post + "Content-Length : 2\r\n\r\n{}", 400},
		{"two hosts", "POST /in HTTP/1.1\r\nHost: h\r\nHost: i\r\nContent-Length: 2\r\n\r\n{}", 400},
		{"NUL in a value", post + "X-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}", 400},
		{"line feed in a chunk extension", post + "Transfer-Encoding: chunked\r\n\r\n2;a=\nb\r\n{}\r\n0\r\n\r\n", 400},
		{"body over the limit", post + "Content-Length: 70000\r\n\r\n" + strings.Repeat("x", 70000), 413},
		{"header lines of 9 KiB", post + "X-A: " + strings.Repeat("x", 9<<10) + "\r\n\r\n", 431},
		{"bare line feeds", "POST /in HTTP/1.1\nHost: h\nContent-Length: 2\n\n{}", 400},
		{"length, then transfer encoding", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled, 400},
		{"transfer encoding, then length", post + "tRANSFER-encoding:chunked\r\nContent-Length: 4\r\n\r\n" + smuggled, 400},
		{"folded line", post + "X-A: a\r\n b\r\nContent-Length: 2\r\n\r\n{}", 400},
		{"500 headers", post + manyHeaders + "Content-Length: 2\r\n\r\n{}", 400},
		{"invitation to continue", post + "Expect: 100-continue\r\nContent-Length: 70000\r\n\r\n", 417},
	} {
		t.Run(fmt.Sprintf("%02d %s", i+1, c.name), func(t *testing.T) {
			t.Parallel()
			listener := start(t, echoPath, httpguard.Options{})
			statuses, bodies := exchange(t, listener, c.raw)
			if len(statuses) != 1 || statuses[0] != c.status {
				t.Fatalf("statuses %v, want one %d and a closed connection; bodies %q", statuses, c.status, bodies)
			}
			if strings.Contains(bodies, "path") {
				t.Fatalf("a request got through: %q", bodies)
			}
		})
	}
}

func TestOrdinaryRequestsPass(t *testing.T) {
	listener := start(t, echoPath, httpguard.Options{})
	for name, raw := range map[string]string{
		"body":             "POST /in HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
		"pipelined":        "GET /in HTTP/1.1\r\nHost: h\r\n\r\n",
		"64 fields":        "GET /in HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X-A: 1\r\n", 63) + "\r\n",
		"GET with a body":  "GET /in HTTP/1.1\r\nHost: h\r\nContent-Length: 22\r\n\r\nGET /smuggled HTTP/1.1",
		"form with a file": "POST /in HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 2\r\n\r\n{}",
		"similar names":    "GET /in HTTP/1.1\r\nHost: h\r\nTransfer-Encodings: x\r\nTE: trailers\r\n\r\n",
	} {
		statuses, bodies := exchange(t, listener, raw)
		if len(statuses) != 2 || statuses[0] != 200 || bodies != "path /in\npath /after\n" {
			t.Errorf("%s: %v %q", name, statuses, bodies)
		}
	}
}

func TestAnswersCarryNoBanner(t *testing.T) {
	listener := start(t, echoPath, httpguard.Options{})
	conn, err := listener.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /in HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil || !bytes.Contains(answer, []byte("path /in")) || bytes.Contains(answer, []byte("Server:")) {
		t.Fatalf("%s %v", answer, err)
	}
}

func TestBodyLimitByTarget(t *testing.T) {
	listener := start(t, echoPath, httpguard.Options{
		MaxBody:   100,
		BodyLimit: func(target []byte) int { return map[bool]int{true: 10}[bytes.HasPrefix(target, []byte("/small"))] },
	})
	for _, c := range []struct {
		target       string
		size, status int
	}{{"/small", 10, 200}, {"/small", 11, 413}, {"/large", 100, 200}, {"/large", 101, 413}} {
		raw := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", c.target, c.size, strings.Repeat("x", c.size))
		if statuses, _ := exchange(t, listener, raw); statuses[0] != c.status {
			t.Errorf("%s with %d bytes: %v", c.target, c.size, statuses)
		}
	}
}

func TestErrorsAreJSON(t *testing.T) {
	listener := start(t, echoPath, httpguard.Options{MaxBody: 10})
	_, bodies := exchange(t, listener, "POST /in HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n12345678901")
	if want := `{"error":{"code":"too_large","message":"the body is larger than allowed here"}}` + "\n"; bodies != want {
		t.Fatalf("%q", bodies)
	}
	if got := string(httpguard.ErrorBody("invalid_field", `no "x"`, "zip")); got !=
		`{"error":{"code":"invalid_field","message":"no \"x\"","field":"zip"}}` {
		t.Fatal(got)
	}
}

func TestOverloadIsAnsweredAtOnce(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	handler := func(ctx *fasthttp.RequestCtx) {
		if string(ctx.Path()) == "/slow" {
			entered <- struct{}{}
			<-release
		}
		ctx.SetBodyString("handled")
	}
	for name, c := range map[string]struct {
		overloaded fasthttp.RequestHandler
		status     int
	}{
		"plain":  {nil, 503},
		"no-bid": {func(ctx *fasthttp.RequestCtx) { httpguard.WriteJSON(ctx, 200, []byte(`{"status":"no_bid"}`)) }, 200},
	} {
		listener := start(t, handler, httpguard.Options{MaxInFlight: 1, Overloaded: c.overloaded})
		first := make(chan []int)
		go func() {
			statuses, _ := exchange(t, listener, "GET /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			first <- statuses
		}()
		<-entered
		statuses, bodies := exchange(t, listener, "GET /fast HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		release <- struct{}{}
		if len(statuses) != 1 || statuses[0] != c.status || strings.Contains(bodies, "handled") {
			t.Errorf("%s: %v %q", name, statuses, bodies)
		}
		if statuses := <-first; len(statuses) != 1 || statuses[0] != 200 {
			t.Errorf("%s: the first request got %v", name, statuses)
		}
		if statuses, _ := exchange(t, listener, "GET /fast HTTP/1.1\r\nHost: h\r\n\r\n"); len(statuses) != 2 || statuses[1] != 200 {
			t.Errorf("%s: after the load: %v", name, statuses)
		}
	}
}

func TestPanicIsAnswered(t *testing.T) {
	var none []int
	f := func(panics func(), want string) {
		t.Helper()
		told := make(chan string, 2)
		listener := start(t, func(ctx *fasthttp.RequestCtx) {
			if string(ctx.Path()) == "/boom" {
				ctx.SetBodyString("half an answer")
				panics()
			}
		}, httpguard.Options{Panicked: func(what string, stack []byte) { told <- what; told <- string(stack) }})
		statuses, bodies := exchange(t, listener, "GET /boom HTTP/1.1\r\nHost: h\r\n\r\n")
		if len(statuses) != 1 || statuses[0] != 500 || strings.Contains(bodies, "half") || strings.Contains(bodies, "Canary") {
			t.Fatalf("%v %q", statuses, bodies)
		}
		if what := <-told; what != want {
			t.Errorf("it is told as %q, want %q", what, want)
		}
		if stack := <-told; !strings.Contains(stack, "TestPanicIsAnswered") || strings.Contains(stack, "Canary") {
			t.Errorf("the stack is %s", stack)
		}
	}
	f(func() { none[len(none)] = 1 }, "runtime error: index out of range [0] with length 0")
	f(func() { panic("reading Canary") }, "a string, whose text may quote the request")
	f(func() { panic(errors.New("reading Canary")) }, "a *errors.errorString, whose text may quote the request")
}

func TestListenAddresses(t *testing.T) {
	for address, loopback := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:80": true, "localhost:80": true,
		"0.0.0.0:80": false, ":80": false, "[::]:80": false, "10.0.0.1:80": false, "example.com:80": false,
		"192.168.1.2:0": false,
	} {
		if httpguard.IsLoopback(address) != loopback {
			t.Errorf("%s", address)
		}
		if err := httpguard.NonLoopbackWithoutAuth(address, false); (err == nil) != loopback {
			t.Errorf("%s without keys: %v", address, err)
		}
		if err := httpguard.NonLoopbackWithoutAuth(address, true); err != nil {
			t.Errorf("%s with keys: %v", address, err)
		}
	}
}
