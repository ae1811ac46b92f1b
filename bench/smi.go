package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// clocks is what nvidia-smi says of a GPU at a moment.
type clocks struct {
	When        string  `json:"when"`
	SM          float64 `json:"sm_mhz"`
	Memory      float64 `json:"memory_mhz"`
	Power       float64 `json:"watts"`
	Temperature float64 `json:"celsius"`
}

func smi(args ...string) (string, error) {
	out, err := exec.Command("nvidia-smi", args...).Output()
	return strings.TrimSpace(string(out)), err
}

// readClocks asks for the GPU at a PCI address; "" is the first one.
func readClocks(pci string) (clocks, error) {
	args := []string{"--query-gpu=clocks.sm,clocks.mem,power.draw,temperature.gpu", "--format=csv,noheader,nounits"}
	if pci != "" {
		args = append(args, "--id="+pci)
	}
	text, err := smi(args...)
	if err != nil {
		return clocks{}, err
	}
	return parseClocks(text)
}

// parseClocks reads a line of numbers. What a GPU does not tell ("[N/A]") is 0.
func parseClocks(text string) (clocks, error) {
	first, _, _ := strings.Cut(text, "\n")
	fields := strings.Split(first, ",")
	if len(fields) != 4 {
		return clocks{}, fmt.Errorf("nvidia-smi says %q", text)
	}
	var v [4]float64
	for i, field := range fields {
		if n, err := strconv.ParseFloat(strings.TrimSpace(field), 64); err == nil {
			v[i] = n
		}
	}
	return clocks{SM: v[0], Memory: v[1], Power: v[2], Temperature: v[3]}, nil
}

// driverVersion is the driver's own, "580.95.05"; "" where nvidia-smi is missing.
func driverVersion() string {
	text, err := smi("--query-gpu=driver_version", "--format=csv,noheader")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(text, "\n")
	return "driver " + strings.TrimSpace(first)
}
