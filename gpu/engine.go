package gpu

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imgvec/imgvec/internal/cuda"
	"github.com/imgvec/imgvec/internal/fetch"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/ort"
)

// engineKey is everything that a TensorRT engine depends on. Engines of another key do not load, or run slower.
type engineKey struct {
	Model      string            `json:"model"`      // SHA-256, and how it was converted
	Libraries  map[string]string `json:"libraries"`  // versions of ONNX Runtime, CUDA, TensorRT
	Capability string            `json:"capability"` // "9.0"
	Device     string            `json:"device"`     // a GPU of the same capability with other SMs wants other kernels
	Driver     string            `json:"driver"`
	Buckets    []int             `json:"buckets"`
	Options    map[string]string `json:"options"`
}

// name is that of the key's folder.
func (k engineKey) name() string {
	text, err := json.Marshal(k)
	if err != nil {
		panic("imgvec: BUG: engine key: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

// engineCache is a folder with one folder of engines a key. A folder of engines is filled under another name and gets
// its own when it is whole; engine.json in it, written last, holds its key and the hash of each file. Processes that want
// the same key take turns.
type engineCache struct {
	dir string
	log func(string)
}

// engineManifest is engine.json.
type engineManifest struct {
	Key   engineKey         `json:"key"`
	Files map[string]string `json:"files"` // SHA-256 by name
}

const (
	manifestName = "engine.json"
	buildPattern = ".build-*"
)

// use calls open with a folder in which the engines lie, or into which they are to be built. Engines that are damaged, of
// another key, or that open refuses are built anew, with a line to the log. Whole ones are used without a lock, and without
// writing.
func (c engineCache) use(ctx context.Context, key engineKey, open func(dir string, built bool) error) error {
	dir := filepath.Join(c.dir, key.name())
	if check(dir, key) == nil {
		err := c.reuse(dir, key, open)
		if err == nil || !isModelError(err) {
			return err
		}
		c.log(fmt.Sprintf("the TensorRT engines in %s are built anew: they do not open: %v", dir, err))
		return c.locked(ctx, key, open, true)
	}
	return c.locked(ctx, key, open, false)
}

// reuse opens engines that are whole. ONNX Runtime writes one of its own accord where it finds none of the name that it
// looks for; then the manifest goes, so that the next use starts anew.
func (c engineCache) reuse(dir string, key engineKey, open func(dir string, built bool) error) error {
	if err := open(dir, true); err != nil {
		return err
	}
	if why := check(dir, key); why != nil {
		c.log(fmt.Sprintf("ONNX Runtime changed the TensorRT engines in %s (%v): the next run builds them anew", dir, why))
		return os.Remove(filepath.Join(dir, manifestName))
	}
	return nil
}

// locked builds the engines, unless another process did while this one waited for it. refused says that those there did
// not open.
func (c engineCache) locked(ctx context.Context, key engineKey, open func(dir string, built bool) error, refused bool) error {
	dir, lock := filepath.Join(c.dir, key.name()), filepath.Join(c.dir, "locks", key.name())
	if err := os.MkdirAll(lock, 0o755); err != nil {
		return unwritable(err)
	}
	release, err := fetch.Lock(ctx, lock, c.log)
	if err != nil {
		return unwritable(err)
	}
	defer release()
	home.Sweep(c.dir, key.name()+buildPattern)
	why := check(dir, key)
	switch {
	case why == nil && !refused:
		return c.reuse(dir, key, open)
	case why != nil && !errors.Is(why, os.ErrNotExist):
		c.log(fmt.Sprintf("the TensorRT engines in %s are built anew: %v", dir, why))
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("%w: %w", errCache, err)
	}
	return c.build(dir, key, open)
}

// errCache: the folder of engines and converted models can't be used, which says nothing of the model.
var errCache = errors.New("keep what was made of the model")

// unwritable is the error for a cache that can't be written. A wait for it that was called off stays that.
func unwritable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w; name a folder that can be written: --cache-dir, Options.CacheDir, or $%s", errCache, err, home.Env)
}

// build fills a folder and gives it its name.
func (c engineCache) build(dir string, key engineKey, open func(dir string, built bool) error) (err error) {
	temp, err := os.MkdirTemp(c.dir, key.name()+buildPattern)
	if err != nil {
		return fmt.Errorf("%w: %w", errCache, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	if err := open(temp, false); err != nil {
		return err
	}
	m := engineManifest{Key: key}
	if m.Files, err = hashes(temp); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(filepath.Join(temp, manifestName), text, 0o644), os.Chmod(temp, 0o755)) // others may share it
	if err == nil {
		err = os.Rename(temp, dir)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errCache, err)
	}
	return nil
}

// check tells what is wrong with the engines in dir; os.ErrNotExist where there are none.
func check(dir string, key engineKey) error {
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return errors.New("they have no " + manifestName)
	}
	var m engineManifest
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("%s is damaged: %w", manifestName, err)
	}
	if m.Key.name() != key.name() {
		return errors.New("they are of another model, GPU or library")
	}
	have, err := hashes(dir)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		if have[name] != m.Files[name] {
			return fmt.Errorf("%s is damaged", name)
		}
		delete(have, name)
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		return fmt.Errorf("%s is not of this build", name)
	}
	return nil
}

// hashes are those of the files in dir and its folders, but for the manifest, by their paths below it.
func hashes(dir string) (map[string]string, error) {
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || path == filepath.Join(dir, manifestName) {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		found[filepath.ToSlash(name)], err = digestFile(path)
		return err
	})
	return found, err
}

// withEngines calls f when o.engines is a folder that TensorRT may read and write; at once where it is not used.
func (o *opening) withEngines(f func() error) error {
	if o.provider != ort.TensorRT {
		return f()
	}
	if o.sum == "" {
		var err error
		if o.sum, err = digest(o.path); err != nil {
			return err
		}
	}
	o.engines = ""
	options := o.session(0, o.buckets()).Options
	key := engineKey{
		Model: o.sum, Libraries: o.libraries.Versions, Capability: fmt.Sprintf("%d.%d", o.device.Major, o.device.Minor),
		Device: o.device.Name, Driver: driverVersion(o.driver), Buckets: o.buckets(), Options: options,
	}
	cache := engineCache{filepath.Join(o.CacheDir, "tensorrt"), o.Log}
	return cache.use(o.ctx, key, func(dir string, built bool) error {
		o.engines = dir
		for _, n := range o.buckets() {
			if err := os.MkdirAll(o.engineFolder(n), 0o755); err != nil {
				return err
			}
		}
		if !built {
			o.Log(fmt.Sprintf("%s: building TensorRT engines for this model and GPU, once; this takes minutes", o.Device))
		}
		return f()
	})
}

// driverVersion is that of the kernel's module, where it tells; else the newest CUDA that the driver can run.
func driverVersion(d cuda.Driver) string {
	text, err := os.ReadFile("/proc/driver/nvidia/version")
	if err != nil {
		return cudaVersion(d.Version)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// engineFolder is where the engine of a bucket lies.
func (o *opening) engineFolder(n int) string {
	return filepath.Join(o.engines, fmt.Sprintf("batch-%d", n))
}
