package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files must be left alone before they are read: editors and tools change
// several, in several steps.
const settle = 200 * time.Millisecond

// watchFiles tells when the configuration or a file that it names may have changed, until ctx ends.
// Folders are watched and not files: an editor replaces a file by renaming, and a container's
// configuration is swapped by a symbolic link beside it. What was written is found out by reading;
// a reload of the same text changes nothing.
func watchFiles(ctx context.Context, dir string, again *reloader) (<-chan struct{}, error) {
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watcher.Add(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("watching the configuration: %w", err)
	}
	w := &fileWatch{dir: dir, watcher: watcher}
	again.loaded = w.follow
	again.load() // to learn which files it takes
	changed := make(chan struct{}, 1)
	go w.run(ctx, changed)
	return changed, nil
}

type fileWatch struct {
	dir     string
	watcher *fsnotify.Watcher

	mu    sync.Mutex
	files map[string]bool // with their folders; where one is a link, what it leads to as well
}

// follow brings what is watched up to the files that were read last. A folder that is not there
// cannot be watched; what appears above it is seen.
func (w *fileWatch) follow(names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = map[string]bool{}
	for _, name := range names {
		path := filepath.Join(w.dir, filepath.FromSlash(name))
		w.files[path] = true
		if target, err := filepath.EvalSymlinks(path); err == nil {
			w.files[target] = true
		}
	}
	for path := range w.files {
		_ = w.watcher.Add(filepath.Dir(path)) // where it is watched already, nothing happens
	}
}

// matters tells whether an event may be about what was read. The bidder writes files too, such as
// its books: of those that were not read, only what appears, goes or is renamed counts.
func (w *fileWatch) matters(event fsnotify.Event) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return event.Has(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) || w.files[filepath.Clean(event.Name)]
}

// run passes changes on once the files were left alone.
func (w *fileWatch) run(ctx context.Context, changed chan<- struct{}) {
	defer w.watcher.Close()
	quiet := time.NewTimer(settle)
	defer quiet.Stop()
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.watcher.Errors: // events were lost: look
			quiet.Reset(settle)
		case event := <-w.watcher.Events:
			if w.matters(event) {
				quiet.Reset(settle)
			}
		case <-quiet.C:
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}
}
