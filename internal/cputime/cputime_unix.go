//go:build unix

package cputime

import (
	"syscall"
	"time"
)

// Used is what this process has used so far, user and system together.
func Used() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic("cputime: the kernel does not tell the CPU time: " + err.Error())
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
