//go:build !linux

package main

import "os/exec"

// Elsewhere the kernel places the processes, and the result says so.

func canPin() bool { return false }

func splitCPUs() (server, others []int) { return nil, nil }

func startPinned(command *exec.Cmd, _ []int) error { return command.Start() }

func pinSelf([]int) error { return nil }
