package filelock

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

const sharingViolation = syscall.Errno(32)

// Take opens a file that nobody else may open until it is closed or the process ends. The error is ErrHeld
// where another has it.
func Take(path string) (io.Closer, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	const shareNothing = 0
	handle, err := syscall.CreateFile(name, syscall.GENERIC_WRITE, shareNothing, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		return nil, ErrHeld
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return os.NewFile(uintptr(handle), path), nil
}

func lock(*os.File) error { return errors.ErrUnsupported }
