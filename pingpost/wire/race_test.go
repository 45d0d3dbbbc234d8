//go:build race

package wire_test

// The race detector allocates on its own account, and takes ten times as long: tests that go
// through every place of a message take strides.
const (
	raceEnabled = true
	stride      = 11
)
