package load

import (
	"syscall"
	"time"
)

// sharpen asks the kernel not to gather this thread's wake-ups with others', which it does within
// 50 µs by default. It must be called on the locked thread of the pacer. A refusal only shows in
// the lag.
func sharpen() {
	const setTimerSlack = 29 // PR_SET_TIMERSLACK of prctl(2)
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0)
}

// nap sleeps in the kernel. The runtime's own timers wake an idle program up to a millisecond
// late, which at thousands of sends per second would measure the runtime.
func nap(length time.Duration) {
	spec := syscall.NsecToTimespec(length.Nanoseconds())
	_ = syscall.Nanosleep(&spec, nil) // one that is cut short is taken up again by the pacer
}
