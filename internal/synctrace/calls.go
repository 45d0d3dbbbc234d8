package synctrace

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// call is one system call. Lines count from 1, in the order in which strace saw them: what ended
// before another began did so in the process, too.
type call struct {
	began, ended int
	name         string
	file         string // what the descriptor was open on, as strace -yy names it
	text         string // what was read or written, with strace's escapes
	ok           bool   // it was done, and succeeded: strace -e inject=...:retval=0 does not do it
}

// maxLine is more than a page of 64 KiB takes, each byte of it in four characters.
const maxLine = 1 << 20

// eachCall hands over every call in the order of their ends.
func eachCall(trace io.Reader, do func(call)) error {
	lines := bufio.NewScanner(trace)
	lines.Buffer(nil, maxLine)
	unfinished := map[string]call{} // by thread
	heads := map[string]string{}
	number := 0
	for lines.Scan() {
		number++
		thread, rest, ok := strings.Cut(lines.Text(), " ")
		rest = strings.TrimLeft(rest, " ")
		if !ok || strings.HasPrefix(rest, "---") || strings.HasPrefix(rest, "+++") {
			continue
		}
		began := number
		if name, tail, resumed := strings.Cut(rest, " resumed>"); resumed && strings.HasPrefix(name, "<... ") {
			head, known := heads[thread]
			if !known {
				return fmt.Errorf("synctrace: line %d resumes what was not begun", number)
			}
			began, rest = unfinished[thread].began, head+tail
			delete(heads, thread)
			delete(unfinished, thread)
		} else if head, cut := strings.CutSuffix(rest, "<unfinished ...>"); cut {
			unfinished[thread], heads[thread] = call{began: number}, head
			continue
		}
		if c, ok := parseCall(rest); ok {
			c.began, c.ended = began, number
			do(c)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("synctrace: line %d: %w", number+1, err)
	}
	return nil
}

// parseCall reads `write(19<TCP:[...]>, "text", 12) = 12`. ok is false where it is no such thing,
// among them a call during which the process was killed.
func parseCall(line string) (c call, ok bool) {
	equals, open := strings.LastIndex(line, " = "), strings.IndexByte(line, '(')
	if equals < 0 || open < 0 || open > equals {
		return call{}, false
	}
	// Short calls are padded: fsync(13<x>)      = 0.
	arguments, closed := strings.CutSuffix(strings.TrimRight(line[open+1:equals], " "), ")")
	if !closed {
		return call{}, false
	}
	result := line[equals+len(" = "):]
	c = call{name: line[:open], ok: !strings.HasPrefix(result, "-1") && !strings.HasPrefix(result, "?") &&
		!strings.Contains(result, "(INJECTED)")}
	if from := strings.IndexByte(arguments, '<'); from >= 0 {
		c.file = arguments[from+1:]
		if to := strings.Index(c.file, ">, "); to >= 0 {
			c.file = c.file[:to]
		} else {
			c.file = strings.TrimSuffix(strings.TrimRight(c.file, " "), ">")
		}
	}
	if from := strings.IndexByte(arguments, '"'); from >= 0 {
		c.text = arguments[from+1:]
		if to := strings.LastIndexByte(c.text, '"'); to >= 0 {
			c.text = c.text[:to]
		}
	}
	return c, true
}
