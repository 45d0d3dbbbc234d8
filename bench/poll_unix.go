//go:build unix

package main

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// pollingRead reads what is there and does not wait: nothing is 0 bytes.
func pollingRead(conn net.Conn) (func([]byte) (int, error), error) {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var into []byte
	var n int
	var failed error
	read := func(file uintptr) bool {
		n, failed = syscall.Read(int(file), into)
		return true
	}
	return func(p []byte) (int, error) {
		into = p
		if err := raw.Read(read); err != nil {
			return 0, err
		}
		switch {
		case errors.Is(failed, syscall.EAGAIN) || errors.Is(failed, syscall.EINTR):
			return 0, nil
		case failed == nil && n == 0:
			return 0, io.ErrUnexpectedEOF
		}
		return n, failed
	}, nil
}
