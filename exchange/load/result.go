package load

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"leadbid/exchange/simulate"
)

// Result is what a run measured. Its JSON is stable: times are in milliseconds.
type Result struct {
	Target      string       `json:"target"`
	Connections int          `json:"connections"`
	Population  int          `json:"population"` // different homeowners that the sends were about
	Steps       []Step       `json:"steps"`
	Notices     NoticeResult `json:"notices"`

	// Refusal is the first answer that was an error by its status: that and its body, in one line.
	Refusal string `json:"first_refusal,omitempty"`
}

// Step is what one rate measured.
type Step struct {
	Rate      int     `json:"rate"`      // asked for, per second
	Seconds   float64 `json:"seconds"`   // asked for
	Scheduled int64   `json:"scheduled"` // sends whose time came: Answered + Errors + Dropped
	Answered  int64   `json:"answered"`
	Errors    int64   `json:"errors"`
	Dropped   int64   `json:"dropped"` // not sent: the backlog was full, or the run was stopped
	Bids      int64   `json:"bids"`
	NoBids    int64   `json:"no_bids"`

	PerSecond float64 `json:"answered_per_second"` // over the step and the wait for its last answers
	BidShare  float64 `json:"bid_share"`           // of the answered; 0 where nothing was

	Latency Percentiles `json:"latency_ms"` // from the scheduled instant; errors as slow as they were
	Lag     Percentiles `json:"lag_ms"`     // by how much the generator itself was late

	Reasons    []Count `json:"no_bid_reasons"` // most frequent first; only those that were told
	ErrorKinds []Count `json:"error_kinds"`    // most frequent first

	elapsed         time.Duration
	latency, lag    *hdrhistogram.Histogram
	reasons, errors map[string]int64
	refusal         refusal
}

// Percentiles are in milliseconds, to three digits.
type Percentiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// Count is how often a thing happened.
type Count struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// newHistogram counts nanoseconds up to ten minutes to three digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1_000, (10 * time.Minute).Nanoseconds(), 3)
}

// record counts a length; what is beyond the histogram counts as its end.
func record(histogram *hdrhistogram.Histogram, length time.Duration) {
	value := min(max(length.Nanoseconds(), 0), histogram.HighestTrackableValue())
	if err := histogram.RecordValue(value); err != nil {
		panic("load: " + err.Error()) // the bounds above leave no such value
	}
}

func newStep(rate int, length time.Duration) Step {
	return Step{
		Rate: rate, Seconds: length.Seconds(), latency: newHistogram(), lag: newHistogram(),
		reasons: map[string]int64{}, errors: map[string]int64{},
	}
}

// merge adds a worker's share. Histograms are merged; percentiles never are.
func (s *Step) merge(w *worker) {
	s.latency.Merge(w.latency)
	s.lag.Merge(w.lag)
	s.Dropped += w.unsent
	s.Bids += w.bids
	s.NoBids += w.noBids
	s.refusal = s.refusal.earlier(w.refusal)
	for name, count := range w.reasons {
		s.reasons[name] += count
	}
	for name, count := range w.errors {
		s.errors[name] += count
		s.Errors += count
	}
}

// close derives the rest from what was merged.
func (s *Step) close() {
	s.Answered = s.Bids + s.NoBids
	s.PerSecond = math.Round(float64(s.Answered)/s.elapsed.Seconds()*10) / 10
	if s.Answered > 0 {
		s.BidShare = float64(s.Bids) / float64(s.Answered)
	}
	s.Latency, s.Lag = percentiles(s.latency), percentiles(s.lag)
	s.Reasons, s.ErrorKinds = counts(s.reasons), counts(s.errors)
}

func percentiles(histogram *hdrhistogram.Histogram) Percentiles {
	at := func(quantile float64) float64 { return milliseconds(histogram.ValueAtQuantile(quantile)) }
	return Percentiles{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: milliseconds(histogram.Max())}
}

func milliseconds(nanoseconds int64) float64 {
	return math.Round(float64(nanoseconds)/1e3) / 1e3
}

func counts(byName map[string]int64) []Count {
	list := []Count{}
	for name, count := range byName {
		list = append(list, Count{name, count})
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// WriteJSON writes the result as one indented JSON object.
func (r *Result) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("load: writing the result: %w", err)
	}
	return nil
}

// WriteText writes the result as a table for people.
func (r *Result) WriteText(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s, %d connections, %d different homeowners (%s)\n\n",
		r.Target, r.Connections, r.Population, simulate.Label)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "rate/s\tanswered\tbids\terrors\tdropped\tp50\tp90\tp99\tp99.9\tmax\tlag p99\t")
	for _, s := range r.Steps {
		fmt.Fprintf(table, "%d\t%d\t%.1f %%\t%d\t%d\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n",
			s.Rate, s.Answered, 100*s.BidShare, s.Errors, s.Dropped,
			s.Latency.P50, s.Latency.P90, s.Latency.P99, s.Latency.P999, s.Latency.Max, s.Lag.P99)
	}
	_ = table.Flush() // a strings.Builder takes everything
	text.WriteString("\nLatency in milliseconds from the scheduled send; lag is the generator's own delay.\n")
	for _, s := range r.Steps {
		writeCounts(&text, fmt.Sprintf("%d/s no-bids", s.Rate), s.Reasons)
		writeCounts(&text, fmt.Sprintf("%d/s errors", s.Rate), s.ErrorKinds)
	}
	if r.Refusal != "" {
		fmt.Fprintf(&text, "the first refusal: %s\n", r.Refusal)
	}
	if n := r.Notices; n != (NoticeResult{}) {
		fmt.Fprintf(&text, "loss notices: %d sent, %d failed, %d dropped\n", n.Sent, n.Failed, n.Dropped)
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("load: writing the result: %w", err)
	}
	return nil
}

func writeCounts(text *strings.Builder, title string, list []Count) {
	if len(list) == 0 {
		return
	}
	parts := make([]string, len(list))
	for i, one := range list {
		parts[i] = fmt.Sprintf("%s %d", one.Name, one.Count)
	}
	fmt.Fprintf(text, "%s: %s\n", title, strings.Join(parts, ", "))
}
