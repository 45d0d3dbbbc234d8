package main

import (
	"errors"
	"time"

	"leadbid/bench/sim/books"
	"leadbid/budget/store"
	"leadbid/internal/planted"
)

// database is the process that keeps a contractor's books: a server that several replicas reach over
// the network, or a part of the one bidder there is. It takes what has gathered while the last sync
// was under way, does it, syncs once, and answers. Reads see only what is on the disk.
type database struct {
	process
	c     *contractor
	books *books.Books
	store store.Store // the books as they are asked
	owner *replica    // whose part it is; nil for a server

	queue   []*query
	syncing bool

	slow time.Duration // that each sync takes longer
	full bool          // the disk takes no more
	sick bool          // the next sync fails
}

// query is one thing asked of a database.
type query struct {
	write   bool
	do      func(store.Store) error
	answer  func(error)
	dropped bool // its caller waits no longer, and nothing of it was begun
	begun   bool
}

var (
	errGivenUp = errors.New("no answer in time")
	errFull    = errors.New("no space left on device")
)

func (d *database) ask(q *query) {
	d.queue = append(d.queue, q)
	if !d.syncing {
		d.group()
	}
}

// group does what is queued, as far as it can be answered by one sync.
func (d *database) group() {
	var written, waiting []*query
	queue := d.queue
	d.queue = nil
	for _, q := range queue {
		switch {
		case q.dropped:
		case !q.write && len(written) > 0:
			waiting = append(waiting, q)
		case q.write && d.full && !d.w.calm:
			q.answer(errors.Join(store.ErrAway, errFull))
		default:
			q.begun = true
			err := q.do(d.store)
			if q.write && err == nil && !planted.Is(planted.ReplyBeforeSync) {
				written = append(written, q)
			} else {
				q.answer(err)
			}
		}
	}
	if len(written) == 0 && d.books.Unsynced() == 0 {
		return
	}
	d.syncing = true
	took := d.w.between(time.Millisecond, 8*time.Millisecond)
	if !d.w.calm {
		took += d.slow
	}
	d.after(took, "syncs", func() { d.synced(written, waiting) })
}

func (d *database) synced(written, waiting []*query) {
	if d.sick && !d.w.calm {
		// Whether the disk has it is known when the books are opened anew.
		d.sick = false
		d.w.count.DiskFaults++
		d.w.note(d.name, "a sync failed", "", 0)
		d.die()
		return
	}
	d.books.Sync()
	d.syncing = false
	for _, q := range written {
		q.answer(nil)
	}
	d.queue = append(waiting, d.queue...)
	d.group()
}

// crash loses any of the latest writes that were not synced.
func (d *database) crash() {
	if !d.up {
		return
	}
	d.ended()
	n := d.books.Unsynced()
	kept := 0
	if n > 0 {
		kept = d.w.random.IntN(n + 1)
		if d.w.twin != nil {
			kept = n // the twin has it
		}
		d.w.count.WritesLost += int64(n - kept)
	}
	d.w.note(d.name, "is down, unsynced writes kept:", "", int64(kept))
	d.books.Crash(kept)
	d.queue, d.syncing = nil, false
}

func (d *database) start() {
	if d.up {
		return
	}
	d.up = true
	d.goBy(d.wall)
	d.life++
	d.w.note(d.name, "is up", "", 0)
}
