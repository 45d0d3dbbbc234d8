package simulate

import (
	"errors"
	"fmt"
	"time"
)

// Faults are how a rival misbehaves, each as a share of its requests from 0 to 1. Which request
// suffers depends on (seed, rival, ping id), so that a repeated run meets the same faults.
type Faults struct {
	SlowPings  float64       // answered after SlowBy
	SlowBy     time.Duration // on top of the usual time
	HangPings  float64       // not answered until the asker gives up or the server closes
	BrokenJSON float64       // pings answered with half a JSON body
	ResetPings float64       // the connection is reset instead of an answer

	// Posts that are decided, and whose answer is lost: the first answer only, so that a repeated
	// post learns the decision; or every answer, so that only a voided notice can end it.
	LostVerdicts float64
	DeafPosts    float64
}

func (f *Faults) check() error {
	var faults []error
	for _, one := range []struct {
		name  string
		share float64
	}{
		{"slow pings", f.SlowPings}, {"hanging pings", f.HangPings}, {"broken JSON", f.BrokenJSON},
		{"reset pings", f.ResetPings}, {"lost verdicts", f.LostVerdicts}, {"deaf posts", f.DeafPosts},
	} {
		if !(one.share >= 0 && one.share <= 1) {
			faults = append(faults, fmt.Errorf("simulate: the share of %s is %g, and must be 0 to 1", one.name, one.share))
		}
	}
	if f.SlowPings > 0 && f.SlowBy <= 0 {
		faults = append(faults, errors.New("simulate: slow pings need a delay above 0"))
	}
	return errors.Join(faults...)
}

// pingFault is what happens to one answer.
type pingFault uint8

const (
	faultNone pingFault = iota
	faultSlow
	faultHang
	faultBroken
	faultReset
)

// onPing draws the fault of a ping: at most one, the shares being laid side by side.
func (f *Faults) onPing(seed uint64, rival int, pingID string) pingFault {
	at := share(keyed(seed, "ping fault", pingID, int64(rival)))
	for _, one := range []struct {
		fault pingFault
		share float64
	}{
		{faultReset, f.ResetPings}, {faultHang, f.HangPings}, {faultBroken, f.BrokenJSON}, {faultSlow, f.SlowPings},
	} {
		if at -= one.share; at < 0 {
			return one.fault
		}
	}
	return faultNone
}

// losesVerdict tells whether the answer to a post gets lost, at its n-th try counted from 1.
func (f *Faults) losesVerdict(seed uint64, rival int, pingID string, try int) bool {
	at := share(keyed(seed, "post fault", pingID, int64(rival)))
	return at < f.DeafPosts || (at < f.DeafPosts+f.LostVerdicts && try == 1)
}
