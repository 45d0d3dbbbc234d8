package httpguard

import (
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Degraded is an error of a program that should get its traffic all the same: readiness tells it, and
// stays ready.
type Degraded string

func (d Degraded) Error() string { return string(d) }

// AdminMux makes the routes that every operators' listener has: /healthz (the process lives),
// /readyz (ready gives nil; its error's text is the answer otherwise, so it must hold no secret),
// a Degraded is told with status 200), /metrics of the given registry, and /debug/pprof. The caller
// adds its own routes and serves the whole through NewAdminServer.
func AdminMux(registry prometheus.Gatherer, ready func() error) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answerText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		var degraded Degraded
		switch err := ready(); {
		case errors.As(err, &degraded):
			answerText(w, http.StatusOK, degraded.Error())
			return
		case err != nil:
			answerText(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		answerText(w, http.StatusOK, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// NewAdminServer wraps the routes of an operators' listener, which asks for no key and therefore
// belongs on the loopback, with limits and with what keeps a web page that the operator has open
// elsewhere from using it: a request must name the machine by number or as localhost (a page that
// rebinds its own name to 127.0.0.1 does not), and a browser's write must come from the same
// origin. It does not listen.
func NewAdminServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           refuseForeignNames(http.NewCrossOriginProtection().Handler(handler)),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    readBufferSize,
		// No WriteTimeout: a CPU profile takes as long as it was asked to.
	}
}

func refuseForeignNames(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if host != "localhost" && net.ParseIP(trimBrackets(host)) == nil {
			answerText(w, http.StatusMisdirectedRequest, "use the address of this listener, or localhost")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		next.ServeHTTP(w, r)
	})
}

func trimBrackets(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

func answerText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
