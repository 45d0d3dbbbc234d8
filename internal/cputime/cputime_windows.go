package cputime

import (
	"syscall"
	"time"
)

// Used is what this process has used so far, user and kernel together.
func Used() time.Duration {
	var created, ended, kernel, user syscall.Filetime
	process, err := syscall.GetCurrentProcess()
	if err == nil {
		err = syscall.GetProcessTimes(process, &created, &ended, &kernel, &user)
	}
	if err != nil {
		panic("cputime: the system does not tell the CPU time: " + err.Error())
	}
	// These two count 100 ns since nothing in particular: they are lengths, not instants.
	length := func(t syscall.Filetime) time.Duration {
		return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
	}
	return length(kernel) + length(user)
}
