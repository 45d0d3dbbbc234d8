package main

import (
	"os/exec"
	"syscall"
)

// endWithUs has the kernel end a process with this one: a program that is not this test binary has no
// leash of its own.
func endWithUs(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
