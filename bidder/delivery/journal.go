package delivery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// journals are the files that leads are appended to, by path: campaigns may share one.
type journals struct {
	mu     sync.Mutex
	byPath map[string]*journal
}

func (j *journals) at(path string) *journal {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.byPath[path] == nil {
		j.byPath[path] = &journal{path: path, seen: map[string]bool{}}
	}
	return j.byPath[path]
}

// journal is a file of JSON lines that each delivery is in once.
//
// A crash between the append and the note in the outbox makes the delivery due again. So the ids
// at the end of the file are read back before the first append of a process, and a delivery found
// there is done. The part read is readBack bytes, some thousands of leads: far more than can be
// under way when a process dies. The file is opened anew for each append, so that it may be moved
// away (rotated) at any time; one that was moved before a crash cannot be read back, and the lead
// may then be in both.
type journal struct {
	path string

	mu     sync.Mutex
	loaded bool
	seen   map[string]bool
	order  []string // of seen, oldest first
}

const (
	readBack = 4 << 20
	maxSeen  = 16_384
)

// append adds one line and syncs it to disk. A line that fails half-way is taken back.
func (j *journal) append(id string, line []byte) (err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	created, err := j.prepare()
	if err != nil {
		return err
	}
	if j.seen[id] {
		return nil
	}
	// Leads are personal data: the file is its owner's only.
	file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return plainPathError("opening", err)
	}
	defer func() {
		if closing := file.Close(); err == nil && closing != nil {
			err = plainPathError("closing", closing)
		}
	}()
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return plainPathError("measuring", err)
	}
	if _, err = file.Write(append(line, '\n')); err == nil {
		err = file.Sync()
	}
	if err != nil {
		j.loaded = false // should half a line stay, it is mended before the next one
		return errors.Join(plainPathError("appending to", err), file.Truncate(end))
	}
	if created {
		if err := syncDir(filepath.Dir(j.path)); err != nil {
			return plainPathError("syncing the folder of", err)
		}
	}
	j.remember(id)
	return nil
}

// prepare makes the folder, reads the ids back at the first call, and reports whether the file
// will be created.
func (j *journal) prepare() (created bool, err error) {
	if !j.loaded {
		if err := j.load(); err != nil {
			return false, err
		}
		j.loaded = true
	}
	_, err = os.Stat(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, os.MkdirAll(filepath.Dir(j.path), 0o700)
	}
	return false, err
}

// load reads back the ids at the file's end. A last line without its newline is what a crash left
// of an append: where it is no whole JSON value it is cut off, as its delivery is still owed.
func (j *journal) load() error {
	file, err := os.OpenFile(j.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return plainPathError("opening", err)
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return plainPathError("measuring", err)
	}
	start := max(size-readBack, 0)
	tail := make([]byte, size-start)
	if _, err := file.ReadAt(tail, start); err != nil {
		return plainPathError("reading", err)
	}
	// What is found here counts as delivered, but a crash may have come between its write and its sync.
	if err := file.Sync(); err != nil {
		return plainPathError("syncing", err)
	}
	whole := bytes.LastIndexByte(tail, '\n') + 1
	if torn := tail[whole:]; len(torn) > 0 {
		if err := mend(file, start+int64(whole), torn); err != nil {
			return plainPathError("mending the last line of", err)
		}
	}
	for line := range bytes.Lines(tail) {
		var entry struct {
			DeliveryID string `json:"delivery_id"`
		}
		// The first line may be half of one, and people may have written others.
		if json.Unmarshal(line, &entry) == nil && entry.DeliveryID != "" {
			j.remember(entry.DeliveryID)
		}
	}
	return nil
}

// mend ends a last line that lacks its newline, or cuts it off at its start.
func mend(file *os.File, start int64, torn []byte) error {
	if json.Valid(torn) {
		if _, err := file.WriteAt([]byte("\n"), start+int64(len(torn))); err != nil {
			return err
		}
	} else if err := file.Truncate(start); err != nil {
		return err
	}
	return file.Sync()
}

func (j *journal) remember(id string) {
	if j.seen[id] {
		return
	}
	j.seen[id], j.order = true, append(j.order, id)
	if len(j.order) > maxSeen {
		delete(j.seen, j.order[0])
		j.order = j.order[1:]
	}
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func plainPathError(doing string, err error) error {
	return fmt.Errorf("%s the file: %w", doing, err)
}
