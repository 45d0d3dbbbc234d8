package pgtest

import "syscall"

// memory is a folder that needs no disk, "" where there is none with room: a container's is often small.
func memory() string {
	const folder, enough = "/dev/shm", 2 << 30
	var system syscall.Statfs_t
	if syscall.Statfs(folder, &system) != nil || int64(system.Bavail)*int64(system.Bsize) < enough {
		return ""
	}
	return folder
}
