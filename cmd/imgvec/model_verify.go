package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/model"
)

type verifyFlags struct{ all, dry, files bool }

func (a *app) modelVerify() *cobra.Command {
	f := &verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify NAME...",
		Short: "Check models' files, and measure how well each precision of this machine keeps their features",
		Long: `Check that models' files have the bytes that were installed, compute their reference pictures anew, and measure how
well each execution provider and precision of this machine keeps their features: the cosine to fp32, over pictures that
the project draws, on the CPU and on the first GPU. It is recorded in the model's folder, and --precision auto goes by
it. With TensorRT the first time takes minutes. Of several models the damaged ones are told and the rest is checked.`,
		Example:           "  imgvec model verify resnet50\n  imgvec model verify --all --files-only",
		ValidArgsFunction: installedModels,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case f.all && len(args) > 0:
				return usagef("model verify takes names or --all, not both")
			case !f.all && len(args) == 0:
				return usagef("model verify needs the NAME of a model (imgvec model list --installed shows them), or --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.verify(cmd.Context(), args, f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.all, "all", false, "every installed model")
	flags.BoolVar(&f.files, "files-only", false, "only check the files; run nothing")
	flags.BoolVar(&f.dry, "dry-run", false, "record nothing")
	return cmd
}

// verify checks models one after the other; a bad one does not keep the next from being checked.
func (a *app) verify(ctx context.Context, names []string, f *verifyFlags) error {
	if f.all {
		if names = model.Installed(); len(names) == 0 {
			a.log("no model is installed")
			return nil
		}
	}
	var bad []string
	for _, name := range names {
		err := a.verifyOne(ctx, name, f)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil && len(names) == 1:
			return err
		case err != nil:
			a.log(a.paint(red, name+": "+plain(err.Error())))
			bad = append(bad, name)
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("%d of %d models can't be used as they are: %s", len(bad), len(names), strings.Join(bad, ", "))
	}
	return nil
}

func (a *app) verifyOne(ctx context.Context, name string, f *verifyFlags) error {
	m, err := model.Open(name, model.OpenOptions{})
	if err != nil {
		return err
	}
	if f.files {
		a.log(fmt.Sprintf("%s: its files are as they were installed (SHA-256 %.12s…)", m.Name, m.SHA256))
		return nil
	}
	report, err := executor.Verify(ctx, m, executor.VerifyOptions{DryRun: f.dry, Log: a.log})
	if err != nil {
		return err
	}
	a.printVerification(report)
	if !report.OK() {
		return fmt.Errorf("model %q does not give the features that its folder says", name)
	}
	return nil
}

func (a *app) printVerification(r executor.VerifyReport) {
	to := string(imgvec.FP32)
	if len(r.Cosines) > 0 && r.Cosines[0].Precision == imgvec.INT8 { // the first is what the others are compared with
		to = "int8 on ONNX Runtime's own provider"
	}
	fmt.Fprintf(a.stderr, "%s: cosine to %s over %d pictures\n", r.Model, to, r.Pictures)
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
