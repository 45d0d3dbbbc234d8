package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Code is an exit code. The numbers are part of what scripts build on: they never change.
type Code int

// The exit codes.
const (
	CodeOK      Code = 0
	CodeFailure Code = 1 // anything that has no code of its own
	CodeUsage   Code = 2 // the command line is wrong
	CodeConfig  Code = 3 // the configuration has faults
	CodeFailed  Code = 4 // a test, a threshold or an invariant does not hold
	CodeConnect Code = 5 // nobody answers at the address
)

// Error is an error with the exit code that it ends the program with.
type Error struct {
	Code Code
	Err  error  // nil where everything has been said already
	Hint string // what to type or look at next; may be ""
}

// Error gives the text of the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return "exit " + fmt.Sprint(int(e.Code))
	}
	return e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Usage is an error in the command line: exit 2. The format is that of fmt.Errorf, %w included.
func Usage(format string, args ...any) error {
	return &Error{Code: CodeUsage, Err: fmt.Errorf(format, args...)}
}

// Faults is an error in a configuration: exit 3. Its text is printed as it is, because faults
// name their place themselves. nil stays nil.
func Faults(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Code: CodeConfig, Err: err}
}

// Failed says that a test, threshold or invariant does not hold: exit 4.
func Failed(format string, args ...any) error {
	return &Error{Code: CodeFailed, Err: fmt.Errorf(format, args...)}
}

// Connect says that nobody answers where somebody should: exit 5.
func Connect(format string, args ...any) error {
	return &Error{Code: CodeConnect, Err: fmt.Errorf(format, args...)}
}

// Reach sorts an error of a network call: exit 5 where no connection came about, and the error
// unchanged otherwise.
func Reach(err error) error {
	var operation *net.OpError
	var lookup *net.DNSError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &operation) && operation.Op == "dial", errors.As(err, &lookup):
		return &Error{Code: CodeConnect, Err: err}
	}
	return err
}

// CannotListen tells whether err is that an address to listen at could not be had.
func CannotListen(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && operation.Op == "listen"
}

// Hint adds what to do next to an error, keeping its exit code (1 where it has none).
func Hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	code := CodeFailure
	var typed *Error
	if errors.As(err, &typed) {
		code = typed.Code
	}
	return &Error{Code: code, Err: err, Hint: fmt.Sprintf(format, args...)}
}
