package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

// cpuMask is a set of CPUs as the kernel wants it.
type cpuMask [16]uint64

func maskOf(cpus []int) (mask cpuMask) {
	for _, cpu := range cpus {
		mask[cpu/64] |= 1 << (cpu % 64)
	}
	return mask
}

// allowedCPUs are those that this program was started with.
var allowedCPUs = sync.OnceValue(func() (cpus []int) {
	var mask cpuMask
	_, _, failed := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	for cpu := range 64 * len(mask) {
		if failed == 0 && mask[cpu/64]&(1<<(cpu%64)) != 0 {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
})

func canPin() bool { return len(allowedCPUs()) >= 2 }

// splitCPUs gives the measured server the first CPU and everybody else the others.
func splitCPUs() (server, others []int) { return allowedCPUs()[:1], allowedCPUs()[1:] }

// pinThread binds a thread of this program; 0 is the calling one.
func pinThread(thread int, cpus []int) error {
	mask := maskOf(cpus)
	_, _, failed := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(thread), unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	if failed != 0 {
		return fmt.Errorf("binding a thread to CPUs %v: %w", cpus, failed)
	}
	return nil
}

// startPinned starts a command whose threads all run on cpus, because the one that starts it does
// at that moment. nil leaves the choice to the kernel.
func startPinned(command *exec.Cmd, cpus []int) error {
	if cpus == nil {
		return command.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := pinThread(0, cpus); err != nil {
		return err
	}
	err := command.Start()
	_, others := splitCPUs()
	return errors.Join(err, pinThread(0, others))
}

// pinSelf binds all of this program.
func pinSelf(cpus []int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := pinThread(id, cpus); err != nil {
			return err
		}
	}
	return nil
}
