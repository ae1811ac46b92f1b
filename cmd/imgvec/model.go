package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/model"
)

func (a *app) modelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "model",
		Short:   "List, install, import and verify models",
		Long:    "List, install, import and verify models.",
		Example: "  imgvec model list\n  imgvec model pull resnet50",
		Args:    noCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.modelList(), a.modelInfo(), a.modelPull(), a.modelImport(), a.modelVerify())
	return cmd
}

func (a *app) modelList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the models that are known by name and those installed",
		Example: "  imgvec model list",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tINSTALLED\tFEATURES\tDESCRIPTION")
			var known []string
			for _, e := range model.Registry() {
				known = append(known, e.Name)
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", e.Name, installedText(e), e.Dim, e.Description)
			}
			for _, name := range model.Installed() {
				if slices.Contains(known, name) {
					continue
				}
				if m, err := model.Open(name, model.OpenOptions{}); err != nil {
					fmt.Fprintf(w, "%s\tdamaged\t-\t%s\n", name, shorten(err.Error(), 120))
				} else {
					fmt.Fprintf(w, "%s\tyes\t%d\t%s\n", name, m.Spec.Dim, m.Source)
				}
			}
			return w.Flush()
		},
	}
}

func installedText(e model.Entry) string {
	if e.Damaged {
		return "damaged"
	}
	return yesNo(e.Installed)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (a *app) modelInfo() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "info NAME",
		Short:             "Show what a model expects and returns, where it comes from, its licence and hash",
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

// one takes exactly one argument: the what ("NAME") of something.
func one(what, of string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		name := strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
		switch len(args) {
		case 0:
			return usagef("%s needs the %s of %s", name, what, of)
		case 1:
			return nil
		}
		return usagef("%s takes one %s, not %d", name, what, len(args))
	}
}

// modelNames completes the names of models in a shell.
func modelNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names := model.Installed()
	for _, e := range model.Registry() {
		if !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	return names, cobra.ShellCompDirectiveDefault
}

// printEntry shows a model of the registry that is not installed.
func (a *app) printEntry(e model.Entry, asJSON bool) error {
	if asJSON {
		return a.printJSON(e)
	}
	return a.printPairs([][2]string{
		{"name", e.Name}, {"", e.Description}, {"installed", "no: imgvec model pull " + e.Name}, {"source", e.Source},
		{"licence", e.License}, {"weights", weights(e)}, {"features", fmt.Sprint(e.Dim)}, {"preset", preset(e.Preset)},
	})
}

// weights names the file of a model's weights and what is known of its hash.
func weights(e model.Entry) string {
	text := e.WeightsFile
	if e.SHA256 != "" {
		text += ", SHA-256 " + e.SHA256
	}
	if e.SHA256Note != "" {
		text += " (" + e.SHA256Note + ")"
	}
	return text
}

func (a *app) printModel(m *model.Model, asJSON bool) error {
	if asJSON {
		return a.printJSON(m.Manifest)
	}
	s := m.Spec
	batch := "any"
	if s.MaxBatch > 0 {
		batch = fmt.Sprintf("at most %d", s.MaxBatch)
	}
	pairs := [][2]string{
		{"name", m.Name}, {"note", m.Note}, {"file", m.Path}, {"SHA-256", m.SHA256}, {"source", m.Source}, {"licence", m.License},
		{"input", fmt.Sprintf("%s, %s %s, batch %s", s.Input, s.DType, s.Layout, batch)},
		{"features", fmt.Sprintf("%d, of output %s", s.Dim, s.Feature)}, {"preset", preset(s.Preset)},
	}
	for _, c := range m.Manifest.Cosines {
		pairs = append(pairs, [2]string{"cosine", cosineText(c)})
	}
	return a.printPairs(pairs)
}

func cosineText(c model.Cosine) string {
	return fmt.Sprintf("%s %s %s: least %.6f, mean %.6f over %d pictures", c.Provider, c.Version, c.Precision, c.Min, c.Mean, c.Pictures)
}

// preset writes a preset on one line.
func preset(p imgvec.Preset) string {
	size := fmt.Sprintf("%dx%d", p.InputSize.Height, p.InputSize.Width)
	how := fmt.Sprintf("both sides to %s", size)
	if p.CropMode == imgvec.CropCenter {
		how = fmt.Sprintf("short side to %d, centre crop %s", p.ResizeSize, size)
	}
	return fmt.Sprintf("%s, %s, %s/%v, mean %.4g, std %.4g", how, p.Interpolation, p.ChannelOrder, p.Scale, p.Mean, p.Std)
}

func (a *app) printPairs(pairs [][2]string) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, p := range pairs {
		if p[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", p[0], p[1])
		}
	}
	return w.Flush()
}

func (a *app) printJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, string(text))
	return err
}

func (a *app) modelPull() *cobra.Command {
	return &cobra.Command{
		Use:               "pull NAME",
		Short:             "Install a model of the registry: download, check, convert, verify",
		Example:           "  imgvec model pull resnet50",
		Args:              one("NAME", "a model (imgvec model list shows them)"),
		ValidArgsFunction: modelNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			log := func(line string) { fmt.Fprintln(a.stderr, line) }
			m, err := a.pull(cmd.Context(), args[0], log)
			if err != nil {
				return err
			}
			return a.installed(cmd.Context(), m)
		},
	}
}

// pull downloads with a line that shows how far it is.
func (a *app) pull(ctx context.Context, name string, log func(string)) (*model.Model, error) {
	show := newDownload(a)
	defer show.end()
	return model.Pull(ctx, name, model.PullOptions{Progress: show.at, Log: func(line string) { show.end(); log(line) }})
}

// log prints a line for a person.
func (a *app) log(line string) { fmt.Fprintln(a.stderr, line) }

// installed says so, and measures the precisions where this machine can.
func (a *app) installed(ctx context.Context, m *model.Model) error {
	fmt.Fprintf(a.stderr, "%s is installed in %s\n", m.Name, m.Dir)
	if m.Note != "" {
		fmt.Fprintln(a.stderr, a.paint(red, m.Note))
	}
	return a.measure(ctx, m)
}

func (a *app) modelImport() *cobra.Command {
	var arch string
	var o model.ImportOptions
	cmd := &cobra.Command{
		Use:     "import FILE --arch NAME",
		Short:   "Install a model from a checkpoint (.pth, .safetensors)",
		Example: "  imgvec model import resnet50-0676ba61.pth --arch resnet50",
		Args:    one("FILE", "a checkpoint (.pth, .safetensors)"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := model.Import(cmd.Context(), args[0], arch, o)
			if err != nil {
				return err
			}
			return a.installed(cmd.Context(), m)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&arch, "arch", "", "the checkpoint's `architecture`: "+strings.Join(model.Archs(), ", ")+" (default known for weights of the registry)")
	flags.StringVar(&o.Preset, "preset", "", "the weights' preprocessing, by `name`: "+strings.Join(model.Presets(), ", ")+" (default known, or found beside the file)")
	flags.StringVar(&o.Name, "name", "", "`name` to install it under (default the file's)")
	flags.BoolVar(&o.Force, "force", false, "replace an installed model of this name that has other weights")
	flags.StringVar(&o.Source, "source", "", "where the weights come from (`text` for people)")
	flags.StringVar(&o.License, "licence", "", "the weights' licence (`text` for people)")
	return cmd
}

func (a *app) modelVerify() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "verify NAME",
		Short: "Measure and record how well each precision of this machine keeps a model's features",
		Long: `Measure how well each execution provider and precision of this machine keeps a model's features: the cosine to fp32, over
pictures that the project draws, on the CPU and on the first GPU. It is recorded in the model's folder, and --precision
auto goes by it. The folder's reference picture is computed anew and compared. With TensorRT the first time takes minutes.`,
		Example:           "  imgvec model verify resnet50",
		Args:              one("NAME", "a model (imgvec model list shows them)"),
		ValidArgsFunction: modelNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := model.Open(args[0], model.OpenOptions{})
			if err != nil {
				return err
			}
			report, err := executor.Verify(cmd.Context(), m, executor.VerifyOptions{DryRun: dry, Log: a.log})
			if err != nil {
				return err
			}
			a.printVerification(report)
			if !report.OK() {
				return fmt.Errorf("model %q does not give the features that its folder says", args[0])
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "record nothing")
	return cmd
}

func (a *app) printVerification(r executor.VerifyReport) {
	fmt.Fprintf(a.stderr, "%s: cosine to fp32 over %d pictures\n", r.Model, r.Pictures)
	for _, c := range r.Cosines {
		fmt.Fprintf(a.stderr, "  %s\n", cosineText(c))
	}
	for _, s := range r.Skipped {
		name := strings.TrimSpace(s.Provider + " " + string(s.Precision))
		fmt.Fprintf(a.stderr, "  %s: not measured: %s\n", name, oneLine(plain(s.Reason)))
	}
	switch ref := r.Reference; {
	case !ref.Recorded:
	case !r.OK():
		fmt.Fprintf(a.stderr, "  %s\n", a.paint(red, fmt.Sprintf("reference picture: cosine %.6f, pixels the same: %s", ref.Cosine, yesNo(ref.CropSame))))
	default:
		fmt.Fprintf(a.stderr, "  reference picture: the same as recorded\n")
	}
}
