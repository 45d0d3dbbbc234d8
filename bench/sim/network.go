package main

import (
	"time"
)

// process is one process of the world, as it is seen from outside: it is up or not, it may be stopped
// for a while, and what an earlier life of it has begun never happens.
type process struct {
	w       *world
	name    string
	index   int
	life    int
	up      bool
	frozen  bool
	backlog []func()      // what would have happened while it was frozen
	wall    time.Duration // how far its machine's clock is from the true time
	clock   time.Duration // how far the time is that it goes by
	ahead   time.Time     // when that last went ahead of its course, by the true time
	woke    time.Time     // when its machine last woke from a sleep in which that stood still
	die     func()        // ends it

	ends map[int]time.Time // of the lives that are over: the time as they had it last
}

func (w *world) newProcess(name string) process {
	return process{w: w, name: name}
}

// enrol gives a process its place in the network.
func (w *world) enrol(p *process) {
	p.index = len(w.processes)
	w.processes = append(w.processes, p)
}

// reached is the latest time that a life has had.
func (p *process) reached(life int) time.Time {
	if end, over := p.ends[life]; over {
		return end
	}
	return p.now()
}

// now is the time as the process has it.
func (p *process) now() time.Time { return p.w.now.Add(p.clock) }

// follow is what both shells do with a machine's clock that was set: they follow it ahead only.
func (p *process) follow() {
	if p.wall-p.clock >= 100*time.Millisecond {
		p.goBy(p.wall)
	}
}

// goBy has a process go by a time that is so far from the true one.
func (p *process) goBy(clock time.Duration) {
	if clock > p.clock {
		p.ahead = p.w.now
	}
	p.clock = clock
}

// after has the process do a step in a while, if it lives that long.
func (p *process) after(d time.Duration, what string, do func()) {
	life := p.life
	p.w.in(d, func() { p.run(life, what, do) })
}

// run does a step of a life, unless the process ends just before it.
func (p *process) run(life int, what string, do func()) {
	switch {
	case !p.up || p.life != life:
		return
	case p.frozen:
		p.backlog = append(p.backlog, func() { p.run(life, what, do) })
		return
	case p.w.fault(p.w.settings.crash):
		p.w.note(p.name, "crashes before", what, 0)
		p.w.count.Crashes++
		p.die()
		return
	}
	p.w.count.Steps++
	p.w.note(p.name, what, "", 0)
	do()
	p.w.look()
}

// freeze stops a process as SIGSTOP does; asleep, its clock does not go on either.
func (p *process) freeze(d time.Duration, asleep bool) {
	if p.frozen || !p.up {
		return
	}
	p.frozen = true
	life := p.life
	p.w.note(p.name, "is stopped", "", int64(d))
	p.w.in(d, func() {
		if p.life != life || !p.frozen {
			return
		}
		if asleep {
			p.clock -= d
			p.woke = p.w.now
		}
		p.thaw()
	})
}

func (p *process) thaw() {
	p.frozen = false
	p.w.note(p.name, "goes on", "", 0)
	backlog := p.backlog
	p.backlog = nil
	for _, do := range backlog {
		p.w.in(0, do)
	}
}

// ended notes that a life is over.
func (p *process) ended() {
	if p.ends == nil {
		p.ends = map[int]time.Time{}
	}
	p.ends[p.life] = p.now()
	p.up, p.frozen, p.backlog = false, false, nil
	p.life++
}

// link is one way from a process to another.
type link struct {
	cut  bool
	slow time.Duration
}

func (w *world) link(from, to *process) *link { return &w.links[from.index*len(w.processes)+to.index] }

// send brings a message to a process: late, twice or never.
func (w *world) send(from, to *process, arrive func()) {
	way := w.link(from, to)
	if way.cut || w.fault(w.settings.drop) {
		w.count.Lost++
		return
	}
	w.in(way.slow+w.latency(), arrive)
	if w.fault(w.settings.repeat) {
		w.count.Repeated++
		w.in(way.slow+w.latency(), arrive)
	}
}

func (w *world) latency() time.Duration {
	if w.fault(w.settings.tail) {
		return w.between(20*time.Millisecond, 4*time.Second)
	}
	return w.between(200*time.Microsecond, 3*time.Millisecond)
}

// call asks another process for something and hears of it once: ok is false where no answer came in
// time. serve is run by the other process, and may answer later; a request that comes later than
// expires is not served. answer carries what is to be done with it.
func (p *process) call(to *process, what string, timeout, expires time.Duration, serve func(answer func(heard func())), done func(ok bool)) {
	w, life, sent, over := p.w, p.life, p.w.now, false
	finish := func(what string, heard func(), ok bool) {
		if over || p.life != life || !p.up {
			return
		}
		p.run(life, what, func() {
			if over {
				return
			}
			over = true
			if heard != nil {
				heard()
			}
			done(ok)
		})
	}
	w.send(p, to, func() {
		if !to.up {
			if w.chance(0.5) {
				w.send(to, p, func() { finish(what+": nobody there", nil, false) })
			}
			return
		}
		to.run(to.life, what, func() {
			if w.now.Sub(sent) > expires {
				return
			}
			serve(func(heard func()) {
				w.send(to, p, func() { finish(what+" answered", heard, true) })
			})
		})
	})
	w.in(timeout, func() { finish(what+" given up", nil, false) })
}
