//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package delivery

import "os"

// lockFile locks nothing: this system has no lock that others may read beside.
func lockFile(*os.File) (alone bool, err error) { return false, nil }
