//go:build unix

package pgtest

import (
	"errors"
	"os"
	osuser "os/user"
	"strconv"
	"syscall"
)

// owner is whom the server runs as: PostgreSQL refuses to run as root.
type owner struct{ uid, gid int }

// unprivileged is this process's own user, or for root somebody else.
func unprivileged() (owner, error) {
	if os.Getuid() != 0 {
		return owner{os.Getuid(), os.Getgid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := osuser.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(found.Uid)
		gid, errGroup := strconv.Atoi(found.Gid)
		if err == nil && errGroup == nil && uid > 0 {
			return owner{uid, gid}, nil
		}
	}
	return owner{}, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

func (o owner) own(path string) error { return os.Chown(path, o.uid, o.gid) }

func (o owner) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is not for the server
	if os.Getuid() == 0 {
		attributes.Credential = &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}
	}
	return attributes
}
