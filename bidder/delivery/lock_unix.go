//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package delivery

import (
	"errors"
	"os"
	"syscall"
	"time"
)

const (
	lockWait = 5 * time.Second // far longer than an append takes
	lockStep = 5 * time.Millisecond
)

// lockFile has the file to ourselves, among all that lock it, until it is closed or the process ends. alone is
// false on a file system without locks. It is an error where another process keeps it, as one that stands
// still does.
func lockFile(file *os.File) (alone bool, err error) {
	for waited := time.Duration(0); waited < lockWait; waited += lockStep {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return false, nil
		}
		time.Sleep(lockStep)
	}
	return false, errors.New("another process keeps it locked")
}
