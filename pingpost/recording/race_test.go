//go:build race

package recording_test

// The race detector allocates on its own account.
const raceEnabled = true
