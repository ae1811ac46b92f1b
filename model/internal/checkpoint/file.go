package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// File is an open checkpoint.
type File struct {
	Format string // "safetensors", "pth (zip)", "pth (legacy)", "TorchScript"; ", 3 files" for one in several
	// Part names what was taken of a training checkpoint that holds more than one set of weights, such as "model_ema":
	// averaged weights come first, because they are what evaluation uses. Empty: there was no choice.
	Part    string
	names   []string
	tensors map[string]*Tensor
	closers []io.Closer
}

// Open opens the checkpoint at path and reads its directory; the tensors stay in the file. path may be the index of a
// checkpoint in several files (model.safetensors.index.json). The caller closes it.
func Open(path string) (*File, error) {
	if IsIndex(path) {
		return openIndex(path)
	}
	if err := onePartOf(path); err != nil {
		return nil, err
	}
	f, err := openOne(path)
	if err == nil {
		f.stripPrefixes()
	}
	return f, err
}

// openOne opens one file, with the names as they are in it.
func openOne(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder, not a checkpoint", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	file, err := readAny(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file.closers = []io.Closer{f}
	return file, nil
}

// Read reads the directory of a checkpoint of size bytes. r must stay readable while tensors are read.
func Read(r io.ReaderAt, size int64) (*File, error) {
	f, err := readAny(r, size)
	if err == nil {
		f.stripPrefixes()
	}
	return f, err
}

func readAny(r io.ReaderAt, size int64) (*File, error) {
	head := make([]byte, min(size, 512))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return readZip(r, size)
	case isLegacy(head):
		return readLegacy(r, size)
	case len(head) > 8 && head[8] == '{':
		return readSafetensors(r, size)
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return nil, fmt.Errorf("a checkpoint of PyTorch before 0.4 (tar form) is not supported; save it again with a newer PyTorch")
	case len(head) > 2 && head[0] == 0x80 && head[1] <= 5:
		return nil, fmt.Errorf("a pickle that torch.save did not write is not supported; save the weights with torch.save(model.state_dict(), ...) or as .safetensors")
	}
	return nil, fmt.Errorf("neither .safetensors nor .pth: it starts with %q", head[:min(len(head), 8)])
}

// Close releases the file; tensors can't be read any more.
func (f *File) Close() error {
	var errs []error
	for _, c := range f.closers {
		errs = append(errs, c.Close())
	}
	f.closers = nil
	return errors.Join(errs...)
}

// Names lists the tensors in the file's order.
func (f *File) Names() []string { return f.names }

// Tensor finds a tensor by its name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	t, ok := f.tensors[name]
	return t, ok
}

func (f *File) add(t *Tensor) error {
	if _, twice := f.tensors[t.Name]; twice {
		return fmt.Errorf("tensor %q is there twice", t.Name)
	}
	f.names = append(f.names, t.Name)
	f.tensors[t.Name] = t
	return nil
}

// wrappers are the prefixes that code around a model puts before every name: torch.nn.DataParallel, Lightning,
// torch.compile.
var wrappers = []string{"module.", "model.", "_orig_mod."}

// stripPrefixes takes away the wrappers' prefixes, also several.
func (f *File) stripPrefixes() {
	for again := true; again; {
		again = false
		for _, prefix := range wrappers {
			again = again || f.stripPrefix(prefix)
		}
	}
}

func (f *File) stripPrefix(prefix string) bool {
	for _, name := range f.names {
		if !strings.HasPrefix(name, prefix) {
			return false
		}
	}
	bare := make(map[string]*Tensor, len(f.tensors))
	for i, name := range f.names {
		t := f.tensors[name]
		t.Name = strings.TrimPrefix(name, prefix)
		f.names[i] = t.Name
		bare[t.Name] = t
	}
	f.tensors = bare
	return len(f.names) > 0
}
