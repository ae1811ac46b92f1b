package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/model"
)

func (a *app) modelPull() *cobra.Command {
	var o model.PullOptions
	cmd := &cobra.Command{
		Use:   "pull NAME|URL",
		Short: "Install a model: download, check, convert, verify",
		Long: `Install a model of the registry by its name, or any that imgvec model import takes by the address of its weights:
https://..., or hf://OWNER/REPO[@REVISION]/FILE for Hugging Face's hub, whose preprocessor_config.json and config.json are
taken with it. The file's SHA-256 is checked. A download that broke off is gone on with.

Where the hub can't be reached: IMGVEC_MIRROR names addresses and folders that are tried first (with commas between
them), HF_ENDPOINT another hub of Hugging Face's kind, HTTPS_PROXY a proxy; HF_TOKEN is sent to that hub only. Files
that PyTorch or huggingface_hub have downloaded to this machine are used. IMGVEC_OFFLINE=1 is --offline.`,
		Example: `  imgvec model pull resnet50
  imgvec model pull hf://facebook/dinov2-small/model.safetensors
  imgvec model pull https://example.org/r50.pth --sha256 HEX --preset torchvision-v1`,
		Args:              one("NAME or URL", "a model (imgvec model list shows the names)"),
		ValidArgsFunction: modelNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := onlyForAddresses(cmd, args[0]); err != nil {
				return err
			}
			m, err := a.pull(cmd.Context(), args[0], o, a.log)
			if err != nil {
				return err
			}
			return a.installed(cmd.Context(), m)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&o.Offline, "offline", false, "download nothing: use what is on this machine, or say what is missing")
	flags.StringVar(&o.SHA256, "sha256", "", "for a URL: what the file's SHA-256 must be (`hex`, at least 8 digits), or none to take what comes (default from the file's name or the hub)")
	flags.StringVar(&o.Arch, "arch", "", "for a URL: `architecture`, as in imgvec model import")
	completeArch(cmd)
	importFlags(cmd, &o.Import, "for a URL: ")
	return cmd
}

// onlyForAddresses refuses flags that mean nothing for a model of the registry.
func onlyForAddresses(cmd *cobra.Command, name string) error {
	if model.IsAddress(name) {
		return nil
	}
	for _, flag := range []string{"sha256", "arch", "preset", "size", "name", "force", "source", "licence", "output"} {
		if cmd.Flags().Changed(flag) {
			return usagef("--%s is for a URL; the registry says all of %s", flag, name)
		}
	}
	return nil
}

// pull downloads with a line that shows how far it is.
func (a *app) pull(ctx context.Context, name string, o model.PullOptions, log func(string)) (*model.Model, error) {
	show := newDownload(a)
	defer show.end()
	o.Progress = show.at
	o.Log = func(line string) { show.end(); log(line) }
	return model.Pull(ctx, name, o)
}

// installed says so, and measures the precisions where this machine can.
func (a *app) installed(ctx context.Context, m *model.Model) error {
	fmt.Fprintf(a.stderr, "%s is installed in %s\n", m.Name, m.Dir)
	arch := m.Manifest.Arch
	if arch == "" {
		arch = "ONNX"
	}
	fmt.Fprintf(a.stderr, "  %s, %s features, %s; licence: %s\n", arch, count(int64(m.Spec.Dim)), m.Spec.Preset, m.License)
	if m.Note != "" {
		fmt.Fprintln(a.stderr, a.paint(red, m.Note))
	}
	return a.measure(ctx, m)
}
