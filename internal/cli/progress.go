package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progressEvery is how often progress is told where stderr is not a terminal.
const progressEvery = 5 * time.Second

// Progress tells how far a longer piece of work has come: as a bar on a terminal, else as a line
// every five seconds. Its methods may be called from several goroutines.
type Progress struct {
	mu    sync.Mutex
	what  string
	total int64
	done  int64
	bar   *progressbar.ProgressBar // nil where stderr is not a terminal
	out   io.Writer
	last  time.Time
}

// Progress starts telling. what is the work in a word or two ("replaying"), total its size in
// the unit of Set, -1 where it is not known.
func (e *Env) Progress(what string, total int64) *Progress {
	progress := &Progress{what: what, total: total, out: e.Stderr, last: time.Now()}
	if IsTerminal(e.Stderr) {
		progress.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetDescription(what),
			progressbar.OptionSetWriter(e.Stderr),
			progressbar.OptionShowCount(),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionSetRenderBlankState(true))
	}
	return progress
}

// Set tells that done of the total is finished.
func (p *Progress) Set(done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setLocked(done)
}

// Add tells that n more is finished.
func (p *Progress) Add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setLocked(p.done + n)
}

func (p *Progress) setLocked(done int64) {
	p.done = done
	if p.bar != nil {
		_ = p.bar.Set64(done) // A bar that cannot be drawn must not stop the work.
		return
	}
	now := time.Now()
	if now.Sub(p.last) < progressEvery {
		return
	}
	p.last = now
	if p.total > 0 {
		fmt.Fprintf(p.out, "%s: %d of %d (%d %%)\n", p.what, done, p.total, done*100/p.total)
	} else {
		fmt.Fprintf(p.out, "%s: %d\n", p.what, done)
	}
}

// Done removes the bar, so that what follows begins on a clean line.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
