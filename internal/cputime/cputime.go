// Package cputime tells what this process has used of the processors so far: the figure to compare
// programs by on a machine with noisy neighbours, whose wall clock tells little. It is for benches;
// what is served never asks.
package cputime
