package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"leadbid/internal/filelock"
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
//
// Replicas on one machine may share a file. Each locks it for its append, and first reads what others
// have added since its last one. Where the system has no such locks the file is read back only once:
// a lead is then in it twice where the replica that appended it died before its note.
type journal struct {
	path string

	mu    sync.Mutex
	left  fs.FileInfo // the file after our last append; nil where it has to be read back
	seen  map[string]bool
	order []string // of seen, oldest first
}

const (
	readBack = 4 << 20
	maxSeen  = 16_384
)

// append adds one line and syncs it to disk. A line that fails half-way is taken back.
func (j *journal) append(id string, line []byte) (err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.seen[id] {
		return nil
	}
	file, created, err := j.open()
	if err != nil {
		return err
	}
	defer func() {
		if closing := file.Close(); err == nil && closing != nil {
			err = plainPathError("closing", closing)
		}
	}()
	if err := j.readAdded(file); err != nil || j.seen[id] {
		return err
	}
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return plainPathError("measuring", err)
	}
	if _, err = file.Write(append(line, '\n')); err == nil {
		err = file.Sync()
	}
	if err != nil {
		j.left = nil // should half a line stay, it is mended before the next one
		return errors.Join(plainPathError("appending to", err), file.Truncate(end))
	}
	if created {
		if err := syncDir(filepath.Dir(j.path)); err != nil {
			return plainPathError("syncing the folder of", err)
		}
	}
	j.remember(id)
	if j.left, err = file.Stat(); err != nil {
		j.left = nil
	}
	return nil
}

// open makes the folder and the file where they are missing.
func (j *journal) open() (file *os.File, created bool, err error) {
	if _, err = os.Stat(j.path); errors.Is(err, fs.ErrNotExist) {
		created, err = true, os.MkdirAll(filepath.Dir(j.path), 0o700)
	}
	if err != nil {
		return nil, false, err
	}
	// Leads are personal data: the file is its owner's only.
	file, err = os.OpenFile(j.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, plainPathError("opening", err)
	}
	return file, created, nil
}

// readAdded locks the file until it is closed, and reads what this process has not read or written itself.
func (j *journal) readAdded(file *os.File) error {
	alone, err := own(file)
	if err != nil {
		return plainPathError("locking", err)
	}
	now, err := file.Stat()
	if err != nil {
		return plainPathError("measuring", err)
	}
	from := max(now.Size()-readBack, 0)
	if j.left != nil {
		same := os.SameFile(j.left, now)
		if !alone || same && now.Size() == j.left.Size() {
			return nil
		}
		if same && now.Size() > j.left.Size() {
			from = max(from, j.left.Size())
		}
	}
	return j.read(file, from, now.Size())
}

// lockWait is how long an append waits for others: far longer than one takes.
const lockWait = 5 * time.Second

// own has the file to ourselves among all that lock it. alone is false where there are no locks. It is an
// error where another process keeps it, as one that stands still does.
func own(file *os.File) (alone bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	err = filelock.Own(ctx, file)
	if errors.Is(err, filelock.ErrHeld) {
		return false, errors.New("another process keeps it locked")
	}
	return err == nil, nil
}

// read takes in the ids in a part of the file that reaches to its end. A last line without its newline is
// what a crash left of an append: where it is no whole JSON value it is cut off, as its delivery is still owed.
func (j *journal) read(file *os.File, from, end int64) error {
	tail := make([]byte, end-from)
	if _, err := file.ReadAt(tail, from); err != nil {
		return plainPathError("reading", err)
	}
	// What is found here counts as delivered, but a crash may have come between its write and its sync.
	if err := file.Sync(); err != nil {
		return plainPathError("syncing", err)
	}
	whole := bytes.LastIndexByte(tail, '\n') + 1
	if torn := tail[whole:]; len(torn) > 0 {
		if err := mend(file, from+int64(whole), torn); err != nil {
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
		if _, err := file.Write([]byte("\n")); err != nil {
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
