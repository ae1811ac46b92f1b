package model

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/model/internal/checkpoint"
	"github.com/imgvec/imgvec/model/internal/graph"
)

// ImportOptions changes how a file becomes a model; the zero value is the default.
type ImportOptions struct {
	Name    string // of the model; empty: the registry's for weights that it knows, else the file's
	Preset  string // one of Presets, or PresetBesideTest; empty: the registry's for weights that it knows, else the one beside the file, or of its exact name
	Size    int    // side of the pictures in pixels, where the architecture allows another than the preset's; 0: the preset's
	Output  string // of an ONNX file: the value that holds the features; empty: found
	Source  string // where the weights come from, for people; empty: the file's name
	License string // of the weights; empty: the registry's, else "not stated"
	Home    string // empty: home.Dir()
	Force   bool   // replace an installed model of this name that has other weights; without, that is an error
}

// Archs lists the architectures that Import takes.
func Archs() []string {
	names := graph.Archs()
	slices.Sort(names)
	return names
}

func archList() string { return strings.Join(Archs(), ", ") }

// Import makes a model of a file and installs it in the home folder. The file is a checkpoint (.pth, .safetensors, .bin:
// data only, nothing in it is executed), an ONNX model, or a folder with one of them, as Hugging Face's are.
//
// arch names a checkpoint's architecture; where it is empty the tensors tell it. Weights that the registry knows by their
// hash get its preset, others the one beside the file; it is never guessed. Where the file's name carries the first
// digits of its SHA-256, as PyTorch's hub writes them, they are checked. A checkpoint with a missing, unexpected or
// misshapen tensor is refused with the list. A model of the registry's name that is not the registry's needs that name
// in the options, and its Source says what it is not.
func Import(ctx context.Context, file, arch string, opts ImportOptions) (*Model, error) {
	m, err := importFile(ctx, file, arch, opts)
	if err != nil {
		return nil, fmt.Errorf("imgvec: import %q: %w", file, err)
	}
	return m, nil
}

func importFile(ctx context.Context, path, arch string, opts ImportOptions) (*Model, error) {
	file, err := importable(path)
	if err != nil {
		return nil, err
	}
	if opts.Home == "" {
		opts.Home = home.Dir()
	}
	sum, err := checkpoint.Hash(file)
	if err != nil {
		return nil, err
	}
	if want := hubHash(file); !strings.HasPrefix(sum, want) {
		return nil, fmt.Errorf("its SHA-256 begins with %.8s, its name says %s: the file is damaged, or not what it says", sum, want)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if isONNX(file) {
		if arch != "" {
			return nil, errors.New("it is an ONNX model, which has its architecture in it; --arch is for checkpoints")
		}
		return importONNX(file, sum, opts)
	}
	if opts.Output != "" {
		return nil, errors.New("an output can be chosen of an ONNX model; of a checkpoint the features are those of its architecture")
	}
	checkpoint, err := checkpoint.Open(file)
	if err != nil {
		return nil, err
	}
	defer checkpoint.Close() //nolint:errcheck // only read
	entry, err := importEntry(file, sum, arch, checkpoint, opts)
	if err != nil {
		return nil, err
	}
	return entry.convert(checkpoint, opts.Home, opts.Force)
}

// importEntry says what a checkpoint is, from the registry, its tensors and the options.
func importEntry(file, sum, arch string, f *checkpoint.File, opts ImportOptions) (Entry, error) {
	e, known := byHash(sum)
	if !known {
		e = Entry{Name: importName(file), Source: sourceName(file), License: "not stated"}
	}
	if arch != "" {
		known = known && e.Arch == arch
		e.Arch = arch
	}
	config, err := architectureBeside(file)
	if err != nil {
		return e, err
	}
	e.config = config
	if e.Arch == "" {
		found, err := graph.Detect(weights{f, config})
		if err != nil {
			return e, fmt.Errorf("%w; if it is one of %s all the same, name it with --arch", err, archList())
		}
		e.Arch = found
	}
	if !graph.Known(e.Arch) {
		return e, fmt.Errorf("architecture %q can't be imported; the ones that can are: %s", e.Arch, archList())
	}
	e.WeightsFile, e.SHA256 = filepath.Base(file), sum
	if f.Part != "" {
		e.Source += fmt.Sprintf(" (its %s)", f.Part)
	}
	if err := e.choosePreset(file, known, opts); err != nil {
		return e, err
	}
	return e, e.take(opts)
}

// take follows the options for name, source and licence.
func (e *Entry) take(opts ImportOptions) error {
	if opts.Name != "" {
		e.Name = opts.Name
	}
	if opts.Source != "" {
		e.Source = opts.Source
	}
	if opts.License != "" {
		e.License = opts.License
	}
	if err := checkName(e.Name); err != nil {
		return err
	}
	return e.claimName(opts.Name != "")
}

// byHash finds the registry's entry for weights by the whole hash of their file.
func byHash(sum string) (Entry, bool) {
	for _, e := range known {
		if !e.Random && len(e.SHA256) >= 8 && strings.HasPrefix(sum, e.SHA256) {
			return e, true
		}
	}
	return Entry{}, false
}

// notTheRegistrys begins the Source of a model that has the name of one of the registry and is another.
const notTheRegistrys = "NOT the registry's"

// claimName keeps a registry's name from standing for another model: other weights, another preset.
func (e *Entry) claimName(asked bool) error {
	for _, theirs := range known {
		same := !theirs.Random && theirs.SHA256 != "" && strings.HasPrefix(e.SHA256, theirs.SHA256) && e.Arch == theirs.Arch && e.Preset == theirs.Preset
		if theirs.Name != e.Name || same {
			continue
		}
		if !asked {
			return fmt.Errorf("it would be installed as %q, which is the name of a model of the registry that has other weights or another preset: "+
				"name it yourself (--name)", e.Name)
		}
		e.Source = fmt.Sprintf("%s %s: %s", notTheRegistrys, theirs.Name, e.Source)
	}
	return nil
}

// choosePreset never guesses: the same architecture has different presets with different weights.
func (e *Entry) choosePreset(file string, known bool, opts ImportOptions) (err error) {
	if !known || opts.Preset != "" {
		if e.Preset, err = presetFor(file, opts.Preset); err != nil {
			return err
		}
	}
	if size := e.Preset.InputSize; size.Height != size.Width {
		return fmt.Errorf("its preset asks for pictures of %dx%d; square ones are expected", size.Height, size.Width)
	}
	e.Preset, err = resized(e.Preset, opts.Size)
	return err
}

// resized is the preset for pictures of another size, with the same share of the picture in the crop. size 0 is the
// preset's own.
func resized(p imgvec.Preset, size int) (imgvec.Preset, error) {
	old := p.InputSize.Height
	switch {
	case size == 0 || size == old:
		return p, nil
	case size < 0:
		return p, fmt.Errorf("pictures of %d pixels are not possible", size)
	case p.CropMode == imgvec.CropOnly:
		return p, errors.New("its preset does not resize; the size can't be chosen")
	}
	p.ResizeSize = p.ResizeSize * size / old
	p.ResizeTo = imgvec.Size{Height: p.ResizeTo.Height * size / old, Width: p.ResizeTo.Width * size / old}
	p.InputSize = imgvec.Size{Height: size, Width: size}
	return p, p.Check()
}

// importName is a model name made of a file's name, or of its folder's where the file has the usual one.
func importName(file string) string {
	base := strings.TrimSuffix(filepath.Base(file), ".index.json")
	bare := strings.TrimSuffix(base, filepath.Ext(base))
	if slices.Contains(usualNames, base) {
		if abs, err := filepath.Abs(file); err == nil {
			bare = filepath.Base(filepath.Dir(abs))
		}
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '-'
	}, bare)
}

// sourceName is a file's name for people, with its folder's where that says more.
func sourceName(file string) string {
	base := filepath.Base(file)
	if abs, err := filepath.Abs(file); err == nil && slices.Contains(usualNames, base) {
		return filepath.Join(filepath.Base(filepath.Dir(abs)), base)
	}
	return base
}

var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func checkName(name string) error {
	if !modelName.MatchString(name) || strings.HasSuffix(name, ".onnx") {
		return fmt.Errorf("model name %q is not possible: letters, digits, dots, dashes and underscores, beginning with a letter or digit", name)
	}
	return nil
}

// hubName is what PyTorch's hub writes: a name, a dash, the first eight digits of the SHA-256.
var hubName = regexp.MustCompile(`-([0-9a-f]{8})\.pth$`)

// hubHash gives the digits in the file's name, empty where there are none.
func hubHash(file string) string {
	if m := hubName.FindStringSubmatch(filepath.Base(file)); m != nil {
		return m[1]
	}
	return ""
}
