package measure

import "github.com/imgvec/imgvec/cpu"

// CPU is what the CPU and its libraries can do.
type CPU = cpu.Report

func lookCPU() CPU { return cpu.Probe("") }
