package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// MaxSize is the largest file that is read, in bytes: ten thousand rules, twice over.
const MaxSize = 4 << 20

// ErrTooLarge is the answer to a file above MaxSize.
var ErrTooLarge = tooLarge(MaxSize)

func tooLarge(most int64) error { return fmt.Errorf("the file is larger than %d KiB", most>>10) }

// Source is a text file in lines, for faults that point into it. Lists of ZIP codes and YAML
// files alike are one. A byte-order mark is dropped and CRLF is read as LF, so that files from a
// spreadsheet or a Windows editor are what they look like.
type Source struct {
	Name  string
	Text  []byte   // as read, without the byte-order mark and carriage returns
	Lines []string // without their ends
}

// ReadSource reads a text file of at most MaxSize bytes. The error has no position: it is for a
// fault at the place that named the file.
func ReadSource(fsys fs.FS, name string) (*Source, error) {
	return ReadLargeSource(fsys, name, MaxSize)
}

// ReadLargeSource is ReadSource for a file of at most so many bytes: lists that machines make.
func ReadLargeSource(fsys fs.FS, name string, most int64) (*Source, error) {
	if !fs.ValidPath(name) {
		return nil, plainError(fs.ErrInvalid)
	}
	file, err := fsys.Open(name)
	if err != nil {
		return nil, plainError(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, plainError(err)
	}
	if int64(len(text)) > most {
		return nil, tooLarge(most)
	}
	return newSource(name, text)
}

func newSource(name string, text []byte) (*Source, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	if !utf8.Valid(text) {
		return nil, errors.New("the file is not text in UTF-8: save it as UTF-8")
	}
	return &Source{Name: name, Text: text, Lines: strings.Split(string(text), "\n")}, nil
}

// plainError drops the operation and path that the file system adds: the fault names the file.
func plainError(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file")
	case errors.Is(err, fs.ErrInvalid):
		return errors.New("the path must stay inside the folder, without .. or a leading /")
	}
	return err
}

// Fault is a fault at a line and column (from 1, in characters) of the source.
func (s *Source) Fault(line, col int, message, expected, typed string) Fault {
	fault := Fault{File: s.Name, Line: line, Col: col, Message: message, Expected: expected, Type: typed}
	if line >= 1 && line <= len(s.Lines) {
		fault.Source, _ = shorten(s.Lines[line-1], col)
	}
	return fault
}

// shorten keeps a hostile megabyte line from being carried around in every fault about it. It
// cuts only the end, so that the column still counts from the line's start.
func shorten(line string, col int) (string, bool) {
	const keep = 400
	runes := 0
	for i := range line {
		if runes == col+keep {
			return line[:i], true
		}
		runes++
	}
	return line, false
}
