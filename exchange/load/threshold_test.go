package load_test

import (
	"strings"
	"testing"

	"leadbid/exchange/load"
)

func TestThresholds(t *testing.T) {
	result := &load.Result{Steps: []load.Step{{
		Rate: 1000, Scheduled: 10_000, Answered: 9_995, Errors: 5, Dropped: 0, BidShare: .625,
		Latency: load.Percentiles{P50: .2, P90: .9, P99: 5, P999: 7.25, Max: 12},
		Lag:     load.Percentiles{P99: .3},
	}}}
	// f reads the conditions and tells what fails; "" where nothing does.
	f := func(conditions, want string) {
		t.Helper()
		thresholds, err := load.ParseThresholds(conditions)
		if err != nil {
			t.Errorf("%s: %v", conditions, err)
			return
		}
		if got := strings.Join(result.Failures(thresholds), "; "); got != want {
			t.Errorf("%s: %q, expected %q", conditions, got, want)
		}
	}
	f("p99>5ms", "")
	f("p99>=5ms", "at 1000/s p99 is 5ms: fails p99>=5ms")
	f("p99.9 > 7ms", "at 1000/s p99.9 is 7.25ms: fails p99.9 > 7ms")
	f("p50>200us,p90>0.9ms", "")
	f("p50>199us", "at 1000/s p50 is 0.2ms: fails p50>199us")
	f("max<1s", "at 1000/s max is 12ms: fails max<1s")
	f("lag_p99>250µs", "at 1000/s lag_p99 is 0.3ms: fails lag_p99>250µs")
	f("errors>5", "")
	f("errors>0", "at 1000/s errors is 5: fails errors>0")
	f("errors>0.05%", "")
	f("errors>=0.05%", "at 1000/s errors is 0.05%: fails errors>=0.05%")
	f("dropped>0", "")
	f("bid_share<60%", "")
	f("bid_share<=0.625", "at 1000/s bid_share is 62.50%: fails bid_share<=0.625")
	f("p99>4ms, errors>0", "at 1000/s p99 is 5ms: fails p99>4ms; at 1000/s errors is 5: fails errors>0")

	// Nothing came back: nothing is known, and that is no pass.
	result = &load.Result{Steps: []load.Step{{Rate: 10, Scheduled: 20, Dropped: 20}}}
	f("p99>5ms", "at 10/s p99 is unknown, for want of answers: fails p99>5ms")
	f("bid_share<1%", "at 10/s bid_share is unknown, for want of answers: fails bid_share<1%")
	f("errors>0", "")

	// All was refused, and fast: that is no pass either.
	result = &load.Result{Steps: []load.Step{{Rate: 10, Scheduled: 20, Errors: 20, Latency: load.Percentiles{P99: .1}}}}
	f("p99>5ms", "at 10/s p99 is unknown, for want of answers: fails p99>5ms")
}

func TestThresholdFaults(t *testing.T) {
	f := func(conditions string, wanted ...string) {
		t.Helper()
		_, err := load.ParseThresholds(conditions)
		for _, part := range wanted {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v, expected a fault with %q", conditions, err, part)
			}
		}
	}
	f("", "not a threshold")
	f("p99=5ms", "not a threshold", "p99>5ms")
	f("p98>5ms", "not measured", "p50, p90, p99, p99.9, max, lag_p99, errors, dropped, bid_share")
	f("p99>5", "not a length of time")
	f("p99>-5ms", "not a length of time")
	f("errors>many", "not a number")
	f("errors>NaN", "not a number")
	f("errors>-1", "not a number")
	f("bid_share<60", "more than the whole")
	f("p98>5ms,errors>x,p99>5ms", "p98", `"x"`)
}

func FuzzParseThresholds(f *testing.F) {
	for _, seed := range []string{"p99>5ms", "errors>=0.1%,dropped>0", "bid_share<60%", "p99.9<=", "><", ",", "max>1e9s"} {
		f.Add(seed)
	}
	result := &load.Result{Steps: []load.Step{{Rate: 1}}}
	f.Fuzz(func(t *testing.T, text string) {
		thresholds, err := load.ParseThresholds(text)
		if (err == nil) != (len(thresholds) > 0) {
			t.Fatalf("%q: %d thresholds and error %v", text, len(thresholds), err)
		}
		result.Failures(thresholds)
	})
}
