package recording

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	// window is how far back the compressor looks. Pings repeat each other within a few kilobytes,
	// and what it looks at is best kept in the processor's cache beside the bidder's own: four times as
	// much makes recordings no smaller.
	window = 32 << 10
	// maxWindow is what a reader is ready to keep.
	maxWindow = 1 << 20
	// maxLine bounds a record in bytes. A snapshot of a large bidder takes a few megabytes.
	maxLine = 64 << 20
)

// ErrTruncated is the end of a recording that was cut off, as by a crash: every whole record
// before the cut was read.
var ErrTruncated = errors.New("recording: the end is cut off")

// Writer compresses lines.
type Writer struct{ zstd *zstd.Encoder }

// NewWriter starts a recording.
func NewWriter(w io.Writer) (*Writer, error) {
	// Pings are so alike that the fastest level makes them smaller than the default one does.
	encoder, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, fmt.Errorf("recording: starting: %w", err)
	}
	return &Writer{encoder}, nil
}

// Write adds a line, as AppendPing or Append made it, or several.
func (w *Writer) Write(line []byte) error {
	if _, err := w.zstd.Write(line); err != nil {
		return fmt.Errorf("recording: writing: %w", err)
	}
	return nil
}

// Flush ends a block: what was written so far can be read even if nothing follows. Blocks that
// are too short compress badly, so flush by the second and not by the line.
func (w *Writer) Flush() error {
	if err := w.zstd.Flush(); err != nil {
		return fmt.Errorf("recording: flushing: %w", err)
	}
	return nil
}

// Close ends the recording with its checksum. It does not close the writer below.
func (w *Writer) Close() error {
	if err := w.zstd.Close(); err != nil {
		return fmt.Errorf("recording: ending: %w", err)
	}
	return nil
}

// Reader reads records in their order.
type Reader struct {
	zstd  *zstd.Decoder
	lines *bufio.Reader
	count int   // records read
	err   error // stands once it came
}

// NewReader reads a recording. Close it when done.
func NewReader(r io.Reader) (*Reader, error) {
	decoder, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, fmt.Errorf("recording: opening: %w", err)
	}
	return &Reader{zstd: decoder, lines: bufio.NewReaderSize(decoder, 64<<10)}, nil
}

// Close frees the decompressor. It does not close the reader below.
func (r *Reader) Close() { r.zstd.Close() }

// Next gives the next record; io.EOF after the last, ErrTruncated where the recording is cut off
// instead of ended. Other errors name the record by its number, from 1; nothing follows them.
//
// The checksum stands at the end: only after io.EOF is it certain that no record was changed.
func (r *Reader) Next() (*Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	record, err := r.next()
	r.err = err
	return record, err
}

func (r *Reader) next() (*Record, error) {
	text, err := r.line()
	switch {
	case errors.Is(err, io.EOF) && len(text) == 0:
		return nil, io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, ErrTruncated
	case err != nil:
		return nil, fmt.Errorf("recording: reading record %d: %w", r.count+1, err)
	}
	record, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("recording: record %d: %w", r.count+1, err)
	}
	r.count++
	return record, nil
}

// line reads a line into memory of its own: the record aliases it.
func (r *Reader) line() ([]byte, error) {
	var text bytes.Buffer
	for {
		part, err := r.lines.ReadSlice('\n')
		text.Write(part)
		if text.Len() > maxLine {
			return nil, fmt.Errorf("it is longer than %d MiB", maxLine>>20)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text.Bytes(), err
		}
	}
}
