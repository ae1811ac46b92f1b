package main

import (
	"slices"

	"github.com/spf13/pflag"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"
)

// add defines the flags of a model and its executor.
func (f *engineFlags) add(flags *pflag.FlagSet) {
	f.addModel(flags)
	flags.StringVar(&f.device, "device", "auto", "`where` the model runs: auto, cpu, cuda, cuda:0,2")
	flags.StringVar(&f.precision, "precision", "auto", "`arithmetic` of the model: auto, fp32, bf16, fp16, int8")
	flags.Var(whole{&f.batch, 0, 4096}, "batch", "images a batch (default by device)")
	flags.Var(whole{&f.workers, 0, 1024}, "workers", "images decoded at the same time (default by cores)")
	f.addImages(flags)
	flags.BoolVar(&f.deterministic, "deterministic", false, "the same bits whatever the batch: every batch is padded to one size")
}

func (f *engineFlags) addModel(flags *pflag.FlagSet) {
	flags.StringVarP(&f.model, "model", "m", model.Default, "registry `name`, model folder or .onnx file")
	flags.StringVar(&f.modelOutput, "model-output", "", "`name` of the value in the .onnx file that holds the features (default found)")
}

func (f *engineFlags) addImages(flags *pflag.FlagSet) {
	f.maxPixels, f.maxBytes, f.decodeMemory = preprocess.DefaultMaxPixels, preprocess.DefaultMaxBytes, preprocess.DefaultDecodeMemory
	flags.StringVar(&f.exif, "exif", "apply", "the camera's orientation `mark`: apply, ignore")
	flags.Var(whole{&f.maxPixels, 1, 1 << 40}, "max-pixels", "refuse images of more pixels")
	flags.Var(&f.maxBytes, "max-bytes", "refuse files of more bytes")
	flags.Var(&f.decodeMemory, "decode-memory", "decoded pixels that all workers may hold together")
	flags.StringVar(&f.gray16, "gray16", "pillow", "16-bit gray `as`: pillow (saturates), scale (high byte)")
}

// leastDecodeMemory is the least that --decode-memory takes; less would refuse ordinary photos.
const leastDecodeMemory = 16 << 20

func (f *engineFlags) check() error {
	if f.model == "" {
		return usagef("--model is empty: give a name (imgvec model list), a folder or an .onnx file, or leave the flag out")
	}
	if f.decodeMemory < leastDecodeMemory {
		return usagef("--decode-memory must be at least 16MiB, not %s", &f.decodeMemory)
	}
	if f.device != "" {
		if _, err := imgvec.ParseDevices(f.device); err != nil {
			return usageError{err}
		}
		if _, err := imgvec.ParsePrecision(f.precision); err != nil {
			return usageError{err}
		}
	}
	if !slices.Contains([]string{"apply", "ignore"}, f.exif) {
		return usagef("--exif %q is unknown (apply, ignore)", f.exif)
	}
	if !slices.Contains([]string{"pillow", "scale"}, f.gray16) {
		return usagef("--gray16 %q is unknown (pillow, scale)", f.gray16)
	}
	return nil
}
