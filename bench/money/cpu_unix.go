//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime is what this process has used so far, user and system together.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic("money: the kernel does not tell the CPU time: " + err.Error())
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
