package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"leadbid/bidder/backtest"
	"leadbid/pingpost"
	"leadbid/pingpost/recording"
	"leadbid/pingpost/wire"
)

// maxPing is the limit of a ping's body.
const maxPing = 32 << 10

// asked is a ping to explain.
type asked struct {
	label string    // the file, with the line or the number of the input where it holds several
	at    time.Time // the recorded instant; zero for "now"
	ping  *pingpost.Ping
}

// pingsOf reads what a user may name: a file of one ping, one with a ping on each line, a recording,
// a folder of recordings, or - for standard input. A ping that cannot be read comes with an error,
// and those after it follow.
func pingsOf(stdin io.Reader, file string, read pingReader) iter.Seq2[asked, error] {
	return func(yield func(asked, error) bool) {
		from := stdin
		if file != "-" {
			if info, err := os.Stat(file); err == nil && info.IsDir() {
				recordedPings(file, yield)
				return
			}
			opened, err := os.Open(file)
			if err != nil {
				yield(asked{label: file}, inWords(err))
				return
			}
			defer opened.Close()
			from = opened
		}
		reader := bufio.NewReaderSize(from, maxPing+1)
		head, err := reader.Peek(maxPing + 1)
		whole := errors.Is(err, io.EOF)
		if err != nil && !whole {
			yield(asked{label: file}, inWords(err))
			return
		}
		switch {
		case file != "-" && bytes.HasPrefix(head, zstdMagic):
			recordedPings(file, yield)
		case isLines(head):
			linedPings(reader, file, read, yield)
		case !whole:
			yield(asked{label: file}, fmt.Errorf("a ping has at most %d bytes", maxPing))
		default:
			yield(read.decode(head, file))
		}
	}
}

// zstdMagic begins every recording.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// isLines tells a file with a ping on each line from one ping over several: its first line is whole
// JSON by itself, and something follows.
func isLines(head []byte) bool {
	first, rest, ok := bytes.Cut(bytes.TrimSpace(withoutMark(head)), []byte("\n"))
	return ok && len(bytes.TrimSpace(rest)) > 0 && json.Valid(first)
}

// withoutMark drops the byte-order mark: editors put it there, exchanges do not.
func withoutMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\ufeff")) }

func linedPings(reader io.Reader, file string, read pingReader, yield func(asked, error) bool) {
	lines := bufio.NewScanner(reader)
	lines.Buffer(nil, maxPing+1)
	for number := 1; lines.Scan(); number++ {
		body := withoutMark(lines.Bytes())
		if len(bytes.TrimSpace(body)) == 0 {
			continue
		}
		if !yield(read.decode(body, fmt.Sprintf("%s:%d", file, number))) {
			return
		}
	}
	if err := lines.Err(); err != nil {
		yield(asked{label: file}, err)
	}
}

// pingReader reads bodies as one exchange spells them.
type pingReader struct {
	exchange string
	profile  *wire.Profile
}

func (r pingReader) decode(body []byte, label string) (asked, error) {
	var ping pingpost.Ping
	if err := r.profile.DecodePing(&ping, withoutMark(body)); err != nil {
		return asked{label: label}, inWords(err)
	}
	ping.Exchange = r.exchange
	ping.Digest = ping.ComputeDigest()
	return asked{label: label, ping: ping.Clone()}, nil
}

// recordedPings reads the pings of recordings in the order in which they came.
func recordedPings(path string, yield func(asked, error) bool) {
	segments, err := backtest.Segments(path)
	if err != nil {
		yield(asked{label: path}, err)
		return
	}
	for _, segment := range segments {
		if !recordedSegment(segment, yield) {
			return
		}
	}
}

func recordedSegment(path string, yield func(asked, error) bool) (goOn bool) {
	file, err := os.Open(path)
	if err != nil {
		return yield(asked{label: path}, inWords(err))
	}
	defer file.Close()
	records, err := recording.NewReader(file)
	if err != nil {
		return yield(asked{label: path}, err)
	}
	defer records.Close()
	for {
		record, err := records.Next()
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			return yield(asked{label: path}, err)
		case record.Kind != recording.KindPing:
			continue
		}
		label := fmt.Sprintf("%s, input %d", path, record.Seq)
		if !yield(asked{label: label, at: record.At, ping: record.Ping}, nil) {
			return false
		}
	}
}
