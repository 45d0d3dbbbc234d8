package httpguard_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"leadbid/internal/httpguard"
)

func TestAdmin(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "things_total", Help: "Things."})
	registry.MustRegister(counter)
	counter.Inc()
	var notReady error
	mux := httpguard.AdminMux(registry, func() error { return notReady })
	mux.HandleFunc("POST /pause", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		_, _ = w.Write(body)
	})
	handler := httpguard.NewAdminServer(mux).Handler

	ask := func(method, target, host, body string, header ...string) (int, string) {
		request := httptest.NewRequest(method, target, strings.NewReader(body))
		request.Host = host
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		return answer.Code, answer.Body.String()
	}
	expect := func(name string, status int, text string) func(int, string) {
		return func(gotStatus int, gotText string) {
			t.Helper()
			if gotStatus != status || !strings.Contains(gotText, text) {
				t.Errorf("%s: %d %q", name, gotStatus, gotText)
			}
		}
	}
	expect("alive", 200, "ok")(ask("GET", "/healthz", "127.0.0.1:8081", ""))
	expect("ready", 200, "ready")(ask("GET", "/readyz", "[::1]:8081", ""))
	expect("metrics", 200, "things_total 1")(ask("GET", "/metrics", "localhost:8081", ""))
	expect("profiles", 200, "goroutine")(ask("GET", "/debug/pprof/", "[::1]", ""))
	expect("rebound name", 421, "")(ask("GET", "/metrics", "evil.example:8081", ""))
	expect("own route", 200, "x")(ask("POST", "/pause", "localhost", "x"))
	expect("other origin", 403, "")(ask("POST", "/pause", "localhost", "x", "Sec-Fetch-Site", "cross-site"))
	expect("old browser", 403, "")(ask("POST", "/pause", "localhost", "x", "Origin", "https://evil.example"))
	expect("too large", 413, "")(ask("POST", "/pause", "localhost", strings.Repeat("x", 1<<20+1)))
	notReady = errors.New("draining")
	expect("draining", 503, "draining")(ask("GET", "/readyz", "127.0.0.1", ""))
	expect("still alive", 200, "ok")(ask("GET", "/healthz", "127.0.0.1", ""))
}
