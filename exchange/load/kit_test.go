package load_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"leadbid/exchange/simulate"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

func nativeProfile(t *testing.T) *wire.Profile {
	t.Helper()
	profile, err := wire.Load("native")
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

func population(t *testing.T, size int) []simulate.Homeowner {
	t.Helper()
	generator, err := simulate.NewGenerator(simulate.DefaultSettings(1, time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	return generator.Take(size)
}

// serve answers on a free port of the loopback until the test ends, and gives its address.
func serve(t *testing.T, handler fasthttp.RequestHandler) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &fasthttp.Server{Handler: handler, CloseOnShutdown: true}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String() + "/v1/ping/northside"
}

func answerNoBid(ctx *fasthttp.RequestCtx, profile *wire.Profile) {
	ctx.SetBody(profile.AppendAnswer(nil, &pingpost.Answer{Kind: pingpost.AnswerNoBid, PingID: "p"}))
}

// set is a set of texts for many goroutines.
type set struct {
	mutex sync.Mutex
	texts map[string]bool
}

func newSet() *set { return &set{texts: map[string]bool{}} }

func (s *set) add(text string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.texts[string([]byte(text))] = true
}

func (s *set) has(text string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.texts[text]
}

func (s *set) len() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.texts)
}
