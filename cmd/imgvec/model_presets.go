package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/model"
)

func (a *app) modelPresets() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "presets [WORD]",
		Short: "List the known ways of preprocessing, by the weights that they belong to",
		Long: `List the known ways of preprocessing: what happens to a picture before a model sees it. It belongs to the weights, so the names are
those of weights: torchvision's enums, timm's tags (timm/TAG, with @test for the size that timm recommends for tests), open_clip's
(open_clip/MODEL/TAG), repositories of Hugging Face, and a few of our own. With WORD: the names that hold it. Any of them is for
--preset.`,
		Example: "  imgvec model presets dinov2\n  imgvec model presets ResNet50_Weights --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.listPresets(strings.Join(args, ""), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// presetRow is one line of the list.
type presetRow struct {
	Name   string        `json:"name"`
	Preset imgvec.Preset `json:"preset"`
}

func (a *app) listPresets(word string, asJSON bool) error {
	var rows []presetRow
	for _, name := range model.Presets() {
		if !strings.Contains(strings.ToLower(name), strings.ToLower(word)) {
			continue
		}
		preset, err := model.FindPreset(name)
		if err != nil {
			return err
		}
		rows = append(rows, presetRow{name, preset})
	}
	if len(rows) == 0 {
		return usagef("no preset's name holds %q; without a word all are listed", word)
	}
	slices.SortStableFunc(rows, func(x, y presetRow) int { return cmp.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)) })
	if asJSON {
		return a.printJSON(rows)
	}
	pairs := make([][2]string, 0, len(rows))
	for _, r := range rows {
		pairs = append(pairs, [2]string{r.Name, r.Preset.String()})
	}
	return a.printPairs(pairs)
}
