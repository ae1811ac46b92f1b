package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/imgvec/imgvec/internal/measure"
)

// printGPU says what there is for GPUs: one line where there is no driver.
func printGPU(w io.Writer, g measure.GPU) {
	text := "usable"
	if !g.Usable {
		text = "not usable: " + indented(plain(g.Error))
	}
	if g.Driver != "" {
		text = fmt.Sprintf("driver for %s, %s; %s", g.Driver, g.DriverPath, text)
	}
	fmt.Fprintf(w, "GPU\t%s\n", text)
	for _, d := range g.Devices {
		uuid, _, _ := strings.Cut(strings.TrimPrefix(d.UUID, "GPU-"), "-")
		text := fmt.Sprintf("%s, GPU-%s, PCI %s, %s, compute capability %s, %d SMs", d.Model, uuid, d.PCI, bytesText(d.Memory), d.Capability, d.SMs)
		if d.NUMANode >= 0 {
			text += fmt.Sprintf(", NUMA node %d", d.NUMANode)
		}
		fmt.Fprintf(w, "%s\t%s\n", d.Name, text)
	}
	for _, p := range []struct {
		name     string
		provider measure.GPUProvider
	}{{"TensorRT", g.TensorRT}, {"CUDA", g.CUDA}} {
		if p.provider.Usable || p.provider.Error != "" {
			fmt.Fprintf(w, "%s\t%s\n", p.name, providerText(p.provider, g))
		}
	}
}

// providerText says what a provider uses, or what it lacks.
func providerText(p measure.GPUProvider, g measure.GPU) string {
	if p.Usable {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(p.Versions)) {
			parts = append(parts, name+" "+p.Versions[name])
		}
		return strings.Join(append(parts, p.Path), ", ")
	}
	if p.Error == g.Error {
		return "not usable, see GPU" // the whole stands there
	}
	return "not usable: " + indented(plain(p.Error))
}

// indented keeps the lines of a longer text in its column.
func indented(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n\t")
}
