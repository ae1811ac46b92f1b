package checkpoint

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// File is an open checkpoint.
type File struct {
	Format  string // "safetensors", "pth (zip)", "pth (legacy)"
	names   []string
	tensors map[string]*Tensor
	closer  io.Closer
}

// Open opens the checkpoint at path and reads its directory; the tensors stay in the file. The caller closes it.
func Open(path string) (*File, error) {
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
	file, err := Read(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file.closer = f
	return file, nil
}

// Read reads the directory of a checkpoint of size bytes. r must stay readable while tensors are read.
func Read(r io.ReaderAt, size int64) (*File, error) {
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
	if f.closer == nil {
		return nil
	}
	err := f.closer.Close()
	f.closer = nil
	return err
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

// stripModule takes away the prefix that torch.nn.DataParallel puts before every name.
func (f *File) stripModule() {
	const prefix = "module."
	for _, name := range f.names {
		if !strings.HasPrefix(name, prefix) {
			return
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
}
