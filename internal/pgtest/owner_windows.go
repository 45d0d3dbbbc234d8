package pgtest

import (
	"errors"
	"syscall"
)

// owner is whom the server runs as.
type owner struct{}

func unprivileged() (owner, error) {
	return owner{}, errors.New("private servers are not made on Windows: name one with " + Variable)
}

func (owner) own(string) error                 { return nil }
func (owner) attributes() *syscall.SysProcAttr { return nil }
