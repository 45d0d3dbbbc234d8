//go:build !planted

package planted

// Is tells whether a mistake is to be made. It never is.
func Is(Bug) bool { return false }
