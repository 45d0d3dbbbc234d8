//go:build planted

package planted

import "os"

var made = Bug(os.Getenv("LEADBID_PLANTED"))

// Is tells whether a mistake is to be made.
func Is(bug Bug) bool { return bug == made }
