package main

import (
	"bufio"
	"os"
	"runtime"
	"strings"
)

// machine is what figures depend on besides the code. It names no host and no path.
type machine struct {
	OS     string `json:"os"`
	Kernel string `json:"kernel,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
	Pinned bool   `json:"pinned"`                  // the server on one CPU, everything else on the others
	Load   string `json:"load_averages,omitempty"` // of 1, 5 and 15 minutes when the run began
}

func thisMachine() machine {
	return machine{
		OS: runtime.GOOS + "/" + runtime.GOARCH, Kernel: firstLine("/proc/sys/kernel/osrelease"),
		CPU: cpuModel(), CPUs: runtime.NumCPU(), Go: runtime.Version(), Pinned: canPin(),
		Load: loadAverages(),
	}
}

// firstLine gives the first line of a file of the kernel's; "" where there is none.
func firstLine(path string) string {
	text, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

func loadAverages() string {
	fields := strings.Fields(firstLine("/proc/loadavg"))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

func cpuModel() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
