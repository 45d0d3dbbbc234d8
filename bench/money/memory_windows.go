package main

import "os"

// peakMemory is not told by the system after a process has ended.
func peakMemory(*os.ProcessState) int64 { return 0 }
