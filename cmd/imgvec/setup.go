package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/internal/fetch"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/measure"
	"github.com/imgvec/imgvec/model"
)

type setupFlags struct {
	home, bundle, makeBundle, samples, model string
	gpu                                      bool
}

func (a *app) setupCommand() *cobra.Command {
	f := &setupFlags{}
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Fetch the native libraries and the default model",
		Long: `Fetch the native libraries (ONNX Runtime, OpenVINO, image codecs) and the default model, by Python's pip with pip's own
settings for proxies and mirrors. The libraries and the default model are pinned by SHA-256. What is there already stays.`,
		Example: `  imgvec setup
  imgvec setup --gpu                      # also what NVIDIA GPUs need besides their driver: 1.2 GB to fetch
  imgvec setup --make-bundle imgvec.tar   # on a machine with a network ...
  imgvec setup --bundle imgvec.tar        # ... for one without`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.setup(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.home, "home", "", "`folder` for libraries and models (default $IMGVEC_HOME, third_party beside the program, or the user's cache)")
	flags.BoolVar(&f.gpu, "gpu", false, "also the libraries for NVIDIA GPUs: ONNX Runtime's CUDA provider, CUDA 13, cuDNN 9 (1.2 GB to fetch, 2.8 GB on disk)")
	flags.StringVar(&f.bundle, "bundle", "", "take the downloads from this `file` of --make-bundle")
	flags.StringVar(&f.makeBundle, "make-bundle", "", "pack the downloads into this `file`")
	flags.StringVar(&f.model, "model", model.Default, "model to install (`name`; empty for none)")
	flags.StringVar(&f.samples, "samples", "", "only write some pictures to try imgvec on into this `folder`")
	return cmd
}

func (a *app) setup(ctx context.Context, f *setupFlags) error {
	if f.samples != "" {
		_, err := model.SamplePictures(f.samples)
		return err
	}
	if f.gpu && !measure.GPUBuilt {
		return errors.New("setup --gpu: this program was built without GPU support and could not use what it fetches; build it with -tags cuda, on Linux and with cgo (docs/gpu-go.md)")
	}
	log := func(line string) { fmt.Fprintln(a.stderr, line) }
	if f.home != "" {
		// The model and its verification find the libraries where this process looks for them.
		dir, err := filepath.Abs(f.home)
		if err != nil {
			return err
		}
		if err := os.Setenv("IMGVEC_HOME", dir); err != nil {
			return err
		}
	}
	if err := fetch.Setup(ctx, fetch.Options{Bundle: f.bundle, GPU: f.gpu, Log: log}); err != nil {
		return err
	}
	if f.model != "" {
		if err := a.install(ctx, f.model, log); err != nil {
			return err
		}
	}
	if f.makeBundle != "" {
		return makeBundle(ctx, f.makeBundle, f.gpu, log)
	}
	log("everything is in place in " + home.Dir())
	return nil
}

// install makes sure that a model is there and that the precisions that this machine offers were measured for it.
func (a *app) install(ctx context.Context, name string, log func(string)) error {
	m, err := model.Open(name, model.OpenOptions{})
	if err != nil {
		if m, err = a.pull(ctx, name, model.PullOptions{}, log); err != nil {
			return err
		}
	}
	if measure.Verified(m) {
		return nil
	}
	return a.measure(ctx, m)
}

func makeBundle(ctx context.Context, path string, gpu bool, log func(string)) (err error) {
	temp := path + ".tmp"
	f, err := os.Create(temp)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	if err := errors.Join(fetch.Bundle(ctx, f, "", gpu, log), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// measure records how well each execution provider and precision of this machine keeps a model's features.
func (a *app) measure(ctx context.Context, m *model.Model) error {
	report, err := executor.Verify(ctx, m, executor.VerifyOptions{Log: a.log})
	if err != nil {
		return err
	}
	a.printVerification(report)
	if !report.OK() {
		return fmt.Errorf("model %q does not give the features that its folder says: install it again (imgvec model pull %s)", m.Name, m.Name)
	}
	return nil
}
