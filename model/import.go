package model

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/model/internal/checkpoint"
	"github.com/imgvec/imgvec/model/internal/graph"
)

// ImportOptions changes how a checkpoint becomes a model; the zero value is the default.
type ImportOptions struct {
	Name    string // of the model; empty: the registry's for weights that it knows, else the file's
	Preset  string // one of Presets; empty: the registry's for weights that it knows, else the one beside the file
	Source  string // where the weights come from, for people; empty: the file's name
	License string // of the weights; empty: the registry's, else "not stated"
	Home    string // empty: home.Dir()
	Force   bool   // replace an installed model of this name that has other weights; without, that is an error
}

// presets are the named presets of ImportOptions.
var presets = map[string]imgvec.Preset{
	"torchvision-v1": imageNet(256, 224, imgvec.Bilinear),
	"torchvision-v2": imageNet(232, 224, imgvec.Bilinear),
	"timm-a1":        imageNet(235, 224, imgvec.Bicubic),
	"hf-resnet":      floorCrop(imageNet(256, 224, imgvec.Bicubic)),
	"lite0":          litePreset(256, 224),
	"lite1":          litePreset(272, 240),
	"lite2":          litePreset(292, 260),
	"lite3":          litePreset(312, 280),
	"lite4":          litePreset(332, 300),
}

// Presets lists the names that ImportOptions.Preset takes.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }

// Archs lists the architectures that Import takes.
func Archs() []string {
	names := graph.Archs()
	slices.Sort(names)
	return names
}

func archList() string { return strings.Join(Archs(), ", ") }

// Import converts a checkpoint (.pth or .safetensors, data only, nothing in it is executed) of a known architecture
// and installs it in the home folder. arch may be empty for weights that the registry knows by their file name. Where
// the file's name carries the first digits of its SHA-256, as PyTorch's hub writes them, they are checked. A checkpoint
// with a missing, unexpected or misshapen tensor is refused with the list. A model of the registry's name that is not the
// registry's needs that name in the options, and its Source says what it is not.
func Import(ctx context.Context, file, arch string, opts ImportOptions) (*Model, error) {
	m, err := importFile(ctx, file, arch, opts)
	if err != nil {
		return nil, fmt.Errorf("imgvec: import %q: %w", file, err)
	}
	return m, nil
}

func importFile(ctx context.Context, file, arch string, opts ImportOptions) (*Model, error) {
	if err := importable(file); err != nil {
		return nil, err
	}
	entry, err := importEntry(file, arch, opts)
	if err != nil {
		return nil, err
	}
	pinned := entry.SHA256 // by the registry; empty for a file that it does not know
	entry.SHA256, err = home.HashFile(file)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(entry.SHA256, pinned) {
		return nil, fmt.Errorf("its SHA-256 is %s, the registry says %s: the file is damaged, or not what it says", entry.SHA256, pinned)
	}
	if want := hubHash(file); !strings.HasPrefix(entry.SHA256, want) {
		return nil, fmt.Errorf("its SHA-256 begins with %.8s, its name says %s: the file is damaged, or not what it says", entry.SHA256, want)
	}
	if err := entry.claimName(opts.Name != ""); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	weights, err := checkpoint.Open(file)
	if err != nil {
		return nil, err
	}
	defer weights.Close() //nolint:errcheck // only read
	if opts.Home == "" {
		opts.Home = home.Dir()
	}
	return entry.convert(weights, opts.Home, opts.Force)
}

// importable looks at the file before anything is asked of its architecture or preset.
func importable(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("no such file")
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("it is a folder; name the checkpoint in it")
	case !info.Mode().IsRegular():
		return errors.New("it is not a file")
	case info.Size() == 0:
		return errors.New("it is empty")
	case strings.EqualFold(filepath.Ext(file), ".onnx"):
		return fmt.Errorf("it is a model already, not a checkpoint; it is used by its path: --model %s", file)
	}
	return nil
}

// importEntry says what the file is, from the registry and the options.
func importEntry(file, arch string, opts ImportOptions) (Entry, error) {
	base := filepath.Base(file)
	e := Entry{Name: importName(file), Source: base, License: "not stated"}
	for _, known := range known {
		if known.WeightsFile == base {
			e = known
		}
	}
	known := e.Arch != ""
	if arch != "" {
		known = known && e.Arch == arch
		e.Arch = arch
	}
	if e.Arch == "" {
		return e, fmt.Errorf("the architecture of %s must be named (--arch): %s", base, archList())
	}
	if !slices.Contains(graph.Archs(), e.Arch) {
		return e, fmt.Errorf("architecture %q can't be imported; the ones that can are: %s", e.Arch, archList())
	}
	e.WeightsFile = base
	if err := e.choosePreset(file, known, opts); err != nil {
		return e, err
	}
	if opts.Name != "" {
		e.Name = opts.Name
	}
	if opts.Source != "" {
		e.Source = opts.Source
	}
	if opts.License != "" {
		e.License = opts.License
	}
	return e, checkName(e.Name)
}

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
		e.Source = fmt.Sprintf("NOT the registry's %s: %s", theirs.Name, e.Source)
	}
	return nil
}

// choosePreset never guesses: the same architecture has different presets with different weights.
func (e *Entry) choosePreset(file string, known bool, opts ImportOptions) error {
	if opts.Preset != "" {
		preset, ok := presets[opts.Preset]
		if !ok {
			return fmt.Errorf("preset %q is unknown (%s)", opts.Preset, strings.Join(Presets(), ", "))
		}
		e.Preset = preset
		return nil
	}
	if known {
		return nil
	}
	found, err := presetBeside(file)
	if err != nil {
		return err
	}
	if found.source == "" {
		return fmt.Errorf("which preset these weights need can't be told: name one (--preset %s), or put the weights' preprocessor_config.json, "+
			"config.json or an %s beside the file", strings.Join(Presets(), "|"), ManifestFile)
	}
	if size := found.preset.InputSize; size.Height != size.Width {
		return fmt.Errorf("%s asks for pictures of %dx%d; square ones are expected", found.source, size.Height, size.Width)
	}
	e.Preset = found.preset
	return nil
}

// importName is a model name made of a file's name, or of its folder's where the file has the usual one.
func importName(file string) string {
	base := filepath.Base(file)
	bare := strings.TrimSuffix(base, filepath.Ext(base))
	if bare == "model" || bare == "pytorch_model" {
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
