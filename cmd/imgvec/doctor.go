package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/measure"
	"github.com/imgvec/imgvec/model"
)

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show what this machine has, and why something can't be used",
		Long: `Show what this machine has: native libraries with the paths tried, execution providers, devices, CPU features, decoders,
models; and what --device auto and --precision auto choose. The status is 1 where nothing could run.`,
		Example: "  imgvec doctor\n  imgvec doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			m := measure.Look()
			if asJSON {
				if err := a.printJSON(struct {
					Version string `json:"version"`
					measure.Machine
				}{version, m}); err != nil {
					return err
				}
			} else if err := printMachine(a.stdout, m); err != nil {
				return err
			}
			if m.CPU.Error != "" && !m.GPU.Usable {
				// The report has the paths tried.
				reason, _, _ := strings.Cut(m.CPU.Error, "; tried:")
				return fmt.Errorf("no model can run on this machine: %s", reason)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func printMachine(to io.Writer, m measure.Machine) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "imgvec\t%s, %s\n", version, m.System)
	fmt.Fprintf(w, "home\t%s%s\n", m.Home.Path, map[bool]string{false: " (not there: run imgvec setup)"}[m.Home.Exists])
	printCPU(w, m.CPU)
	printGPU(w, m.GPU)
	for _, d := range m.Decoders {
		text := strings.TrimSpace(d.Library + " " + d.Version)
		if d.Path != "" {
			text += ", " + d.Path
		}
		if note := d.Note(); note != "" {
			text += "; " + note
		} else if d.WhyNot != "" {
			text += "; " + d.WhyNot
		}
		fmt.Fprintf(w, "decode %s\t%s\n", d.Format, text)
	}
	if len(m.Models) == 0 {
		fmt.Fprintf(w, "models\tnone: run imgvec setup\n")
	}
	for _, model := range m.Models {
		printInstalled(w, model, m.Auto)
	}
	fmt.Fprintf(w, "auto\t%s\n", autoText(m.Auto))
	return w.Flush()
}

// autoText says what auto chooses on this machine for most models.
func autoText(c measure.Auto) string {
	reason := strings.TrimPrefix(c.Reason, string(c.Precision)+": ")
	text := fmt.Sprintf("device %s, provider %s, precision %s (%s)", c.Device, c.Provider, c.Precision, reason)
	if c.Precision != imgvec.FP32 {
		text += "; a model whose features suffer from it gets another, which stands with it"
	}
	return text
}

func printCPU(w io.Writer, c measure.CPU) {
	fmt.Fprintf(w, "CPU\t%s, %d cores, %d threads used; %s\n", c.Features.Name, c.Cores, c.Threads, cpuFeatures(c))
	if c.Error != "" {
		fmt.Fprintf(w, "ONNX Runtime\tnot usable: %s\n", plain(c.Error))
	} else {
		fmt.Fprintf(w, "ONNX Runtime\t%s, %s\n", c.Library.Version, c.Library.Path)
	}
	if o := c.OpenVINO; o.Usable {
		fmt.Fprintf(w, "OpenVINO\t%s, %s\n", o.Version, o.Path)
	} else {
		fmt.Fprintf(w, "OpenVINO\tnot usable: %s\n", o.Error)
	}
}

func cpuFeatures(c measure.CPU) string {
	var has, lacks []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"AVX2", c.Features.AVX2}, {"AVX-512", c.Features.AVX512}, {"VNNI", c.Features.VNNI},
		{"AVX-512 BF16", c.Features.AVX512BF16}, {"AMX BF16", c.Features.AMXBF16}, {"AMX INT8", c.Features.AMXINT8},
	} {
		if f.has {
			has = append(has, f.name)
		} else {
			lacks = append(lacks, f.name)
		}
	}
	text := "has " + listed(has)
	if len(has) == 0 {
		text = "has none of the vector extensions that are used"
	}
	if len(lacks) > 0 {
		text += "; lacks " + listed(lacks)
	}
	return text
}

func printInstalled(w io.Writer, m measure.Model, usual measure.Auto) {
	if m.Error != "" {
		fmt.Fprintf(w, "model %s\tnot usable: %s\n", m.Name, m.Error)
		return
	}
	text := fmt.Sprintf("%d features", m.Dim)
	if m.Random {
		text += ", RANDOM WEIGHTS"
	}
	if m.Auto != nil {
		text += "; " + modelAuto(*m.Auto, usual)
	}
	if m.Quantised != nil {
		text += againstFloat(*m.Quantised)
		m.Cosines = slices.DeleteFunc(slices.Clone(m.Cosines), func(c model.Cosine) bool { return c.Precision == imgvec.INT8 })
	}
	for _, c := range m.Cosines {
		text += fmt.Sprintf("; %s %s: least cosine %.5f", c.Provider, c.Precision, c.Min)
	}
	if len(m.Cosines) == 0 && m.Quantised == nil {
		text += "; precisions not measured: imgvec model verify " + m.Name
	}
	fmt.Fprintf(w, "model %s\t%s\n", m.Name, text)
}

// modelAuto says what auto chooses for a model, and why where that is not the usual.
func modelAuto(c, usual measure.Auto) string {
	text := fmt.Sprintf("auto: %s, %s, %s", c.Device, c.Provider, c.Precision)
	if reason := strings.TrimPrefix(c.Reason, string(c.Precision)+": "); reason != "" && (c.Provider != usual.Provider || c.Precision != usual.Precision) {
		text += " (" + reason + ")"
	}
	return text
}
