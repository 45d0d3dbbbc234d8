//go:build race

package wire_test

// The race detector allocates on its own account.
const raceEnabled = true
