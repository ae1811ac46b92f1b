package gpu

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/fetch"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/internal/ort"
)

// halfVersion is part of a converted model's name: another conversion gets another file.
const halfVersion = "1"

// convert makes the model float16 where that was asked for, or takes the converted one out of the cache. Its input is
// float16 too, so that the kernel in front writes half the bytes.
func (o *opening) convert() error {
	half, err := o.isHalf()
	switch {
	case err != nil || o.Precision == imgvec.INT8:
		return err
	case half && o.Precision == imgvec.FP32:
		return refuse(o.Precision, "the model itself is float16; use fp16 or auto")
	case half || o.Precision != imgvec.FP16:
		return nil
	}
	if o.path, err = o.halfModel(); err != nil {
		return err
	}
	if o.spec.DType == imgvec.Float32 {
		o.spec.DType = imgvec.Float16
	}
	graph, err := ort.ReadGraph(o.path)
	if err != nil {
		return err
	}
	tail := o.fit.Tail
	if o.fit, err = ort.NewFit(graph, o.spec); err != nil {
		return fmt.Errorf("imgvec: BUG: the model in float16 %q: %w", o.path, err)
	}
	if o.fit.Tail == nil {
		o.fit.Tail = tail
	}
	return nil
}

// isHalf tells whether the model is float16 as it was given.
func (o *opening) isHalf() (half bool, err error) {
	if o.fit.Input.DType == ort.Float16 {
		return true, nil
	}
	err = withModel(o.given, func(m *onnx.Model) error {
		half = m.IsHalf()
		return nil
	})
	return half, err
}

// halfModel is the path of the converted model.
func (o *opening) halfModel() (string, error) {
	sum, err := digest(o.given)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(o.CacheDir, "fp16")
	o.sum = sum + "-" + halfVersion // the conversion adds nothing that they do not tell
	path := filepath.Join(dir, o.sum+".onnx")
	if whole(path) == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", unwritable(err)
	}
	release, err := fetch.Lock(o.ctx, dir, o.Log)
	if err != nil {
		return "", unwritable(err)
	}
	defer release()
	home.Sweep(dir, ".half-*")
	switch err := whole(path); {
	case err == nil: // another process was faster
		return path, nil
	case !errors.Is(err, os.ErrNotExist):
		o.Log(fmt.Sprintf("the model in float16 is made anew: %v", err))
	}
	return path, o.writeHalf(path)
}

// whole tells what is wrong with the converted model, as far as its structure shows; os.ErrNotExist where there is none. It
// got its name when it was whole, but much may happen to a file in a cache.
func whole(path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	_, err := ort.ReadGraph(path)
	return err
}

// writeHalf converts the model into path, whole or not at all. The caller holds the folder.
func (o *opening) writeHalf(path string) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".half-*")
	if err != nil {
		return unwritable(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	err = withModel(o.given, func(m *onnx.Model) error { return m.Half(temp, o.halfOptions()) })
	if err != nil {
		err = notConverted(err)
	}
	err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// notConverted tells a model that can't be float16 from a file that can't be read or written: that says nothing of the
// precision.
func notConverted(err error) error {
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return unwritable(err)
	}
	return refuse(imgvec.FP16, err.Error())
}

func (o *opening) halfOptions() onnx.HalfOptions {
	h := onnx.HalfOptions{Open: func(name string) (io.ReadSeekCloser, error) {
		path, err := beside(o.given, name)
		if err != nil {
			return nil, err
		}
		return os.Open(path)
	}}
	if o.spec.DType == imgvec.Float32 {
		h.Input = o.spec.Input
	}
	return h
}
