package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/model"
)

func (a *app) modelInfo() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info NAME",
		Short: "Show what a model expects and returns, where it comes from, its licence and hash",
		Long: `Show what a model expects and returns, where its weights come from, its licence and hashes, and what was measured of it. NAME
is a model of the registry or of this machine, or the path of a model folder or an ONNX file.`,
		Example:           "  imgvec model info efficientnet-lite0\n  imgvec model info ./my-model.onnx --json",
		Args:              one("NAME", "a model (imgvec model list shows them)"),
		ValidArgsFunction: modelNames,
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := model.Open(args[0], model.OpenOptions{})
			if entry, known := model.Find(args[0]); err != nil && known && !entry.Installed && !entry.Damaged {
				return a.printEntry(entry, asJSON)
			}
			if err != nil {
				return err
			}
			return a.printModel(m, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// printEntry shows a model of the registry that is not installed.
func (a *app) printEntry(e model.Entry, asJSON bool) error {
	if asJSON {
		return a.printJSON(listing(e.Name))
	}
	download := ""
	if e.Bytes > 0 {
		download = "about " + bytesText(e.Bytes)
	}
	return a.printPairs([][2]string{
		{"name", e.Name}, {"installed", "no: imgvec model pull " + e.Name}, {"description", e.Description}, {"architecture", e.Arch},
		{"source", e.Source}, {"licence", e.License}, {"weights", weights(e.WeightsFile, e.SHA256, e.SHA256Note)}, {"download", download},
		{"features", fmt.Sprint(e.Dim)}, {"preset", e.Preset.String()},
	})
}

// listing is what the list has of a model.
func listing(name string) model.Listing {
	for _, l := range model.List(model.OpenOptions{}) {
		if l.Name == name {
			return l
		}
	}
	return model.Listing{Name: name}
}

// weights names the file of a model's weights and what is known of its hash.
func weights(file, sum, note string) string {
	if sum != "" {
		file += ", SHA-256 " + sum
	}
	if note != "" {
		file += " (" + note + ")"
	}
	return file
}

// modelFacts is a model's manifest and what the manifest does not say.
type modelFacts struct {
	model.Manifest
	Path        string `json:"path"`         // the file that runs
	Dir         string `json:"dir"`          // where it lies
	DiskBytes   int64  `json:"disk_size"`    // of that folder; 0 for a file by its path
	Note        string `json:"note"`         // what a user should know
	PresetWords string `json:"preset_words"` // the preset for people
}

func (a *app) printModel(m *model.Model, asJSON bool) error {
	facts := modelFacts{Manifest: m.Manifest, Path: m.Path, Dir: m.Dir, Note: m.Note, PresetWords: m.Spec.Preset.String()}
	if l := listing(m.Name); l.Dir == m.Dir {
		facts.DiskBytes = l.DiskBytes
	}
	if asJSON {
		return a.printJSON(facts)
	}
	s := m.Spec
	batch := "any"
	if s.MaxBatch > 0 {
		batch = fmt.Sprintf("at most %d", s.MaxBatch)
	}
	disk := ""
	if facts.DiskBytes > 0 {
		disk = fmt.Sprintf("%s (%s)", m.Dir, bytesText(facts.DiskBytes))
	}
	pairs := [][2]string{
		{"name", m.Name}, {"note", m.Note}, {"installed", disk}, {"file", m.Path}, {"SHA-256", m.SHA256}, {"architecture", m.Manifest.Arch},
		{"source", m.Source}, {"licence", m.License}, {"weights", weights(m.Manifest.Weights.File, m.Manifest.Weights.SHA256, "")},
		{"random", random(m.Random)},
		{"input", fmt.Sprintf("%s, %s %s, %s pixels, batch %s", s.Input, s.DType, s.Layout, strings.ReplaceAll(side(s.Preset.InputSize), "x", " x "), batch)},
		{"features", fmt.Sprintf("%d, of output %s", s.Dim, s.Feature)}, {"classifier", classifier(m.Manifest)}, {"preset", facts.PresetWords},
	}
	pairs = append(pairs, quantisedPairs(m.Manifest.Quantised)...)
	for _, c := range m.Manifest.Cosines {
		pairs = append(pairs, [2]string{"cosine", cosineText(c)})
	}
	if r := m.Manifest.Reference; r != nil {
		pairs = append(pairs, [2]string{"reference", fmt.Sprintf("the features of picture %d, by %s %s", r.Image, r.Provider, r.Version)})
	}
	return a.printPairs(pairs)
}

func random(yes bool) string {
	if !yes {
		return ""
	}
	return "yes: the features mean nothing"
}

func classifier(m model.Manifest) string {
	if m.Logits == "" {
		return ""
	}
	return "scores in output " + m.Logits
}

func cosineText(c model.Cosine) string {
	return fmt.Sprintf("%s %s %s: least %.6f, mean %.6f over %d pictures", c.Provider, c.Version, c.Precision, c.Min, c.Mean, c.Pictures)
}
