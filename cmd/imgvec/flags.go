package main

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/model"
	"github.com/imgvec/imgvec/preprocess"
)

// add defines the flags of a model and its executor.
func (f *engineFlags) add(flags *pflag.FlagSet) {
	f.addModel(flags)
	flags.StringVar(&f.device, "device", "auto", "`where` the model runs: auto (every GPU that works, else the CPU), cpu, cuda, cuda:0,2 (by ordinal, UUID or PCI id)")
	flags.StringVar(&f.precision, "precision", "auto", "`arithmetic` of the model: auto, fp32, bf16, fp16, int8")
	flags.Var(whole{&f.batch, 0, 4096}, "batch", "images a batch (default by device)")
	flags.Var(whole{&f.workers, 0, 1024}, "workers", "images decoded at the same time (default by cores)")
	f.addGPU(flags)
	f.addImages(flags)
	flags.BoolVar(&f.deterministic, "deterministic", false, "the same bits whatever the batch: every batch is padded to one size")
}

func (f *engineFlags) addGPU(flags *pflag.FlagSet) {
	flags.StringVar(&f.provider, "provider", "", "execution `provider` on GPUs: tensorrt, cuda (default tensorrt where it can be used)")
	flags.StringArrayVar(&f.providerOptions, "provider-option", nil, "option of the provider on GPUs as `KEY=VALUE`, under ONNX Runtime's own keys (may be given more than once)")
	flags.StringVar(&f.cacheDir, "cache-dir", "", "`folder` of TensorRT engines and of models converted for GPUs (default cache/gpu in the home folder)")
	flags.Var(period{&f.deviceTimeout}, "device-timeout", "`time` after which a GPU that does not answer counts as lost (default 2m)")
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
		if err := f.checkGPU(); err != nil {
			return err
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

func (f *engineFlags) checkGPU() error {
	if f.provider != "" && !slices.Contains(providers, f.provider) {
		return usagef("--provider %q is unknown (%s)", f.provider, strings.Join(providers, ", "))
	}
	if _, err := f.session(); err != nil {
		return err
	}
	if f.device == string(imgvec.DeviceCPU) && (f.provider != "" || len(f.providerOptions) > 0) {
		return usagef("--device cpu has no provider to choose or to tune: --provider and --provider-option are for GPUs")
	}
	if f.deviceTimeout < 0 {
		return usagef("--device-timeout %v is negative", f.deviceTimeout)
	}
	return nil
}

// providers are what --provider takes.
var providers = []string{"tensorrt", "cuda"}

// session reads the options of the provider.
func (f *engineFlags) session() (map[string]string, error) {
	var options map[string]string
	for _, text := range f.providerOptions {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usagef("--provider-option %q is no KEY=VALUE, such as use_tf32=1", text)
		}
		if _, twice := options[key]; twice {
			return nil, usagef("--provider-option %s is given twice", key)
		}
		if options == nil {
			options = map[string]string{}
		}
		options[key] = value
	}
	return options, nil
}
