// Package synctrace reads what strace wrote of a serving bidder, and tells of every answer
// `accepted` whether the lead was on the disk before it left: a kill cannot show that, as the
// kernel writes what a killed process left behind.
//
// Tests call it with a trace made with Arguments. It judges by the lead's id, so that it is exact
// also where many posts share one sync: the id is in the answer, and in the pages of the
// write-ahead log that the transaction wrote. It is pure: it starts nothing and opens nothing.
package synctrace

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Arguments are strace's, before the program: what Check needs to see, in a file at path.
func Arguments(path string) []string {
	return []string{
		"-D", "-f", "-yy", "--seccomp-bpf", "-s", "4200", "-o", path,
		"-e", "trace=read,write,pwrite64,fsync,fdatasync",
	}
}

// Report is what a trace shows.
type Report struct {
	Posts    int // that arrived
	Accepted int // answers that left
	Syncs    int // of the write-ahead log that were done
	Failed   int // of them that were not, from the first post on
	Faults   []string
}

func (r *Report) fault(format string, args ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

// span is when a sync was under way, in lines.
type span struct{ began, ended int }

// check is a trace as far as it was read.
type check struct {
	report  Report
	posted  map[string]bool // connections whose latest request is a post
	written map[string]int  // where the log first had a lead's id, by id
	syncs   []span
	failed  int // where the first sync failed; 0 where none did
}

// Check reads a trace to its end. An error means that it is no trace.
func Check(trace io.Reader) (Report, error) {
	c := &check{posted: map[string]bool{}, written: map[string]int{}}
	err := eachCall(trace, func(done call) {
		socket := strings.HasPrefix(done.file, "TCP")
		switch {
		case done.name == "read" && socket && done.ok && strings.HasPrefix(done.text, "POST "):
			c.asked(done)
		case done.name == "write" && socket:
			c.answered(done)
		case strings.HasSuffix(done.file, "-wal") && done.name == "pwrite64" && done.ok:
			for _, id := range leadIDs(done.text) {
				if c.written[id] == 0 {
					c.written[id] = done.ended
				}
			}
		case strings.HasSuffix(done.file, "-wal") && (done.name == "fsync" || done.name == "fdatasync"):
			c.synced(done)
		}
	})
	return c.report, err
}

// asked notes what a connection waits for.
func (c *check) asked(done call) {
	post := strings.HasPrefix(done.text, "POST /v1/post/")
	if c.posted[done.file] = post; post {
		c.report.Posts++
	}
}

func (c *check) synced(done call) {
	if done.ok {
		c.report.Syncs++
		c.syncs = append(c.syncs, span{done.began, done.ended})
		return
	}
	if c.report.Posts == 0 {
		return // a migration tries again: nobody was promised anything
	}
	c.report.Failed++
	if c.failed == 0 {
		c.failed = done.ended
	}
}

var acceptance = regexp.MustCompile(`\\"status\\":\\"accepted\\",\\"lead_id\\":\\"([^"\\]+)\\"`)

// answered judges bytes that leave on a connection. What a failed write was to say was said, too:
// part of it may have left.
func (c *check) answered(done call) {
	said := acceptance.FindStringSubmatch(done.text)
	if said == nil {
		return
	}
	c.report.Accepted++
	id := said[1]
	if !c.posted[done.file] {
		c.report.fault("line %d: lead %s was accepted on a connection without a post", done.began, id)
	}
	written, known := c.written[id]
	if !known || written > done.began {
		c.report.fault("line %d: lead %s was accepted, and the log did not have it", done.began, id)
		return
	}
	for _, sync := range c.syncs {
		if sync.began <= written {
			continue
		}
		switch {
		case sync.ended >= done.began:
			c.report.fault("line %d: lead %s was accepted before its sync of line %d ended", done.began, id, sync.began)
		case c.failed > 0 && sync.ended > c.failed:
			c.report.fault("line %d: lead %s was accepted after the sync of line %d had failed", done.began, id, c.failed)
		}
		return
	}
	c.report.fault("line %d: lead %s was accepted without a sync of the log after line %d", done.began, id, written)
}

// leadIDs are the ids in a page of the log: UUIDs of version 7.
func leadIDs(text string) (ids []string) {
	const before, length = 13, 36 // xxxxxxxx-xxxx-7xxx-xxxx-xxxxxxxxxxxx
	for from := 0; ; {
		at := strings.Index(text[from:], "-7")
		if at < 0 {
			return ids
		}
		at += from
		from = at + 1
		if start := at - before; start >= 0 && start+length <= len(text) && isID(text[start:start+length]) {
			ids = append(ids, text[start:start+length])
		}
	}
}

func isID(text string) bool {
	for i := range len(text) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		digit := text[i] >= '0' && text[i] <= '9' || text[i] >= 'a' && text[i] <= 'f'
		if dash != (text[i] == '-') || !dash && !digit {
			return false
		}
	}
	return true
}
