package sqlstore

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrDamaged means that the write-ahead log beside the file is damaged before its end: transactions
// that were answered stand behind the damage, and SQLite would leave them out without a word.
var ErrDamaged = errors.New("sqlstore: the log is damaged")

const (
	walHeader   = 32
	frameHeader = 24
	walMagic    = 0x377f0682 // its last bit says the byte order of the checksums
)

// checkLog looks for damage in the log that a former process left, before SQLite reads it up to the
// first frame whose checksum is wrong. At the end of a log that is how a write looks that a crash
// cut short, and it is of one transaction: no other begins before that one is synced. Where more
// than one commit stands at or behind the wrong checksum, the log was whole before.
//
// It must not run beside a process that writes.
func checkLog(path string) error {
	file, err := os.Open(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	log, err := readLog(bufio.NewReaderSize(file, 1<<20))
	if err != nil || log.behind < 2 {
		return err
	}
	return fmt.Errorf("%w: %s-wal is not what was written from its byte %d on, with %d commits behind it",
		ErrDamaged, path, log.good, log.behind)
}

// logState is how far a log can be read.
type logState struct {
	good   int // the bytes up to which checksums hold
	behind int // commits at or behind that which belong to the same log
}

func readLog(log *bufio.Reader) (state logState, err error) {
	head, err := log.Peek(walHeader + frameHeader)
	if err != nil {
		return state, unlessEnd(err)
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if binary.BigEndian.Uint32(head)&1 == 1 {
		order = binary.BigEndian
	}
	page := int(binary.BigEndian.Uint32(head[8:]))
	sum := checksum{order: order}
	sum.add(head[:24])
	salts := string(head[16:24])
	whole := binary.BigEndian.Uint32(head)&^1 == walMagic && sum.is(head[24:32])
	if !whole { // SQLite then takes nothing from it; the frames know what the header should say
		page, salts = 4096, string(head[walHeader+8:walHeader+16])
	}
	if page < 512 || page > 64<<10 {
		return state, nil
	}
	if whole {
		state.good = walHeader
	}
	if _, err := log.Discard(walHeader); err != nil {
		return state, unlessEnd(err)
	}
	frame := make([]byte, frameHeader+page)
	for at := walHeader; ; at += len(frame) {
		if _, err := io.ReadFull(log, frame); err != nil {
			return state, unlessEnd(err)
		}
		same := string(frame[8:16]) == salts
		sum.add(frame[:8])
		sum.add(frame[frameHeader:])
		if state.good == at && same && sum.is(frame[16:24]) {
			state.good = at + len(frame)
			continue
		}
		if commit := binary.BigEndian.Uint32(frame[4:]) != 0; commit && same {
			state.behind++
		}
	}
}

// unlessEnd is an error of reading, but for the end: a log may end anywhere.
func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// checksum is that of SQLite's write-ahead log, over pairs of words.
type checksum struct {
	order binary.ByteOrder
	a, b  uint32
}

func (c *checksum) add(text []byte) {
	for ; len(text) >= 8; text = text[8:] {
		c.a += c.order.Uint32(text) + c.b
		c.b += c.order.Uint32(text[4:]) + c.a
	}
}

func (c *checksum) is(stored []byte) bool {
	return binary.BigEndian.Uint32(stored) == c.a && binary.BigEndian.Uint32(stored[4:]) == c.b
}
