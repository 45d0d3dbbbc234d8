package load

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Threshold is a condition under which a run fails, such as p99>5ms.
type Threshold struct {
	metric   metric
	operator string
	limit    float64 // milliseconds, a count, or a share
	ofSends  bool    // a count that was written in per cent: compared with the scheduled sends
	text     string
}

// String gives the condition as it was written.
func (t Threshold) String() string { return t.text }

// unit is what a metric counts in.
type unit uint8

const (
	unitTime unit = iota
	unitCount
	unitShare
)

type metric struct {
	name string
	unit unit
	of   func(*Step) float64
}

// metrics lists what a threshold may be about.
var metrics = []metric{
	{"p50", unitTime, func(s *Step) float64 { return s.Latency.P50 }},
	{"p90", unitTime, func(s *Step) float64 { return s.Latency.P90 }},
	{"p99", unitTime, func(s *Step) float64 { return s.Latency.P99 }},
	{"p99.9", unitTime, func(s *Step) float64 { return s.Latency.P999 }},
	{"max", unitTime, func(s *Step) float64 { return s.Latency.Max }},
	{"lag_p99", unitTime, func(s *Step) float64 { return s.Lag.P99 }},
	{"errors", unitCount, func(s *Step) float64 { return float64(s.Errors) }},
	{"dropped", unitCount, func(s *Step) float64 { return float64(s.Dropped) }},
	{"bid_share", unitShare, func(s *Step) float64 { return s.BidShare }},
}

// ParseThresholds reads conditions separated by commas. Each is a metric (p50, p90, p99, p99.9,
// max and lag_p99 with a time such as 5ms; errors and dropped with a number or a share of the
// sends such as 0.1%; bid_share with a share such as 60% or 0.6), then >, >=, < or <=, then the
// limit. The error names every condition that cannot be read and what to write.
func ParseThresholds(text string) ([]Threshold, error) {
	var thresholds []Threshold
	var faults []error
	for part := range strings.SplitSeq(text, ",") {
		threshold, err := parseThreshold(strings.TrimSpace(part))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		thresholds = append(thresholds, threshold)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return thresholds, nil
}

func parseThreshold(text string) (Threshold, error) {
	at := strings.IndexAny(text, "<>")
	if at < 0 {
		return Threshold{}, fmt.Errorf("load: %q is not a threshold: write one such as p99>5ms", text)
	}
	t := Threshold{operator: text[at : at+1], text: text}
	if strings.HasPrefix(text[at+1:], "=") {
		t.operator += "="
	}
	name, value := strings.TrimSpace(text[:at]), strings.TrimSpace(text[at+len(t.operator):])
	names := make([]string, len(metrics))
	for i, known := range metrics {
		names[i] = known.name
		if known.name == name {
			t.metric = known
		}
	}
	if t.metric.of == nil {
		return Threshold{}, fmt.Errorf("load: %q in %q is not measured: use one of %s", name, text, strings.Join(names, ", "))
	}
	return t, t.readLimit(value)
}

func (t *Threshold) readLimit(value string) error {
	if t.metric.unit == unitTime {
		length, err := time.ParseDuration(value)
		if err != nil || length < 0 {
			return fmt.Errorf("load: %q in %q is not a length of time: write one such as 5ms or 800us", value, t.text)
		}
		t.limit = float64(length) / float64(time.Millisecond)
		return nil
	}
	digits, percent := strings.CutSuffix(value, "%")
	number, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	// Written so that a number that is none is refused too.
	if err != nil || !(number >= 0 && number <= 1e12) {
		return fmt.Errorf("load: %q in %q is not a number: write one such as 0 or 0.1%%", value, t.text)
	}
	if t.limit = number; percent {
		t.limit = number / 100
	}
	t.ofSends = percent && t.metric.unit == unitCount
	if t.metric.unit == unitShare && t.limit > 1 {
		return fmt.Errorf("load: %q in %q is more than the whole: write a share such as 60%% or 0.6", value, t.text)
	}
	return nil
}

// Failures lists each threshold that a step fails, in words; none means that the run passed. A
// step without a single answer fails every threshold of a time or a share: an absent target is not
// a fast one, and neither is one that refuses everything at once.
func (r *Result) Failures(thresholds []Threshold) []string {
	var failures []string
	for i := range r.Steps {
		for _, t := range thresholds {
			if step := &r.Steps[i]; t.fails(step) {
				failures = append(failures, fmt.Sprintf("at %d/s %s is %s: fails %s",
					step.Rate, t.metric.name, t.show(step), t.text))
			}
		}
	}
	return failures
}

func (t *Threshold) value(step *Step) float64 {
	value := t.metric.of(step)
	if t.ofSends {
		value /= max(float64(step.Scheduled), 1)
	}
	return value
}

// known tells whether the step measured what the threshold is about.
func (t *Threshold) known(step *Step) bool {
	switch t.metric.unit {
	case unitTime, unitShare:
		return step.Answered > 0
	}
	return true
}

func (t *Threshold) fails(step *Step) bool {
	value := t.value(step)
	if !t.known(step) {
		return true
	}
	switch t.operator {
	case ">":
		return value > t.limit
	case ">=":
		return value >= t.limit
	case "<":
		return value < t.limit
	default:
		return value <= t.limit
	}
}

func (t *Threshold) show(step *Step) string {
	value := t.value(step)
	switch {
	case !t.known(step):
		return "unknown, for want of answers"
	case t.metric.unit == unitTime:
		return strconv.FormatFloat(value, 'f', -1, 64) + "ms"
	case t.ofSends || t.metric.unit == unitShare:
		return strconv.FormatFloat(100*value, 'f', 2, 64) + "%"
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}
