//go:build !linux

package load

import "time"

// sharpen does nothing here: the lag in the result tells how well this system keeps a schedule.
func sharpen() {}

func nap(length time.Duration) { time.Sleep(length) }
