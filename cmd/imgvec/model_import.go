package main

import (
	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/model"
)

func (a *app) modelImport() *cobra.Command {
	var arch string
	var o model.ImportOptions
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Install a model from a file: a checkpoint (.pth, .safetensors, .bin) or an ONNX model",
		Long: `Install a model from a checkpoint (.pth, .safetensors, .bin) under the names of torchvision, timm or Hugging Face, from an
ONNX file, or from a folder with one of them and its preprocessor_config.json. A checkpoint is read as data: nothing in it is
executed. Its architecture is found by its tensors, its preset beside the file or, for weights of the registry, by their
hash; a preset is never guessed.`,
		Example: `  imgvec model import resnet50-0676ba61.pth
  imgvec model import ./dinov2-small/                       # a folder of Hugging Face
  imgvec model import r50.safetensors --preset timm-a1 --name my-r50
  imgvec model import tower.onnx --output image_embeds`,
		Args: one("FILE", "a checkpoint (.pth, .safetensors), an .onnx file or a folder with one"),
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
	flags.StringVar(&arch, "arch", "", "the checkpoint's `architecture`, as resnet50, vit-b16, clip-vit-b32; a wrong one is answered with all (default found by its tensors)")
	completeArch(cmd)
	importFlags(cmd, &o, "")
	return cmd
}

// completeArch completes --arch in a shell.
func completeArch(cmd *cobra.Command) {
	err := cmd.RegisterFlagCompletionFunc("arch", cobra.FixedCompletions(model.Archs(), cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic("imgvec: BUG: " + err.Error())
	}
}

// importFlags are those of every command that makes a model of a file.
func importFlags(cmd *cobra.Command, o *model.ImportOptions, when string) {
	flags := cmd.Flags()
	flags.StringVar(&o.Preset, "preset", "", when+"the weights' preprocessing, by `name` (imgvec model presets lists them; default known by the weights, or found beside the file)")
	flags.IntVar(&o.Size, "size", 0, when+"side of the pictures in `pixels`, where the architecture can take another (default the preset's)")
	flags.StringVar(&o.Output, "output", "", when+"of an ONNX file: `name` of the value that holds the features (default found)")
	flags.StringVar(&o.Name, "name", "", when+"`name` to install it under (default the file's)")
	flags.BoolVar(&o.Force, "force", false, when+"replace an installed model of this name that has other weights")
	flags.StringVar(&o.Source, "source", "", when+"where the weights come from (`text` for people)")
	flags.StringVar(&o.License, "licence", "", when+"the weights' licence (`text` for people)")
}
