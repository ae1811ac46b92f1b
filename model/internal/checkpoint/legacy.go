package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// legacyMagic is the number that torch.save wrote before version 1.6, as a LONG1.
const legacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"

func isLegacy(head []byte) bool {
	return len(head) > 16 && head[0] == 0x80 && bytes.Contains(head[:min(len(head), 32)], []byte("\x8a\x0a"+legacyMagic))
}

// readLegacy reads the form of PyTorch 0.4 to 1.5: five pickles (magic number, protocol, system, the object, the
// storages' keys), then each storage as its length in 8 bytes and its elements.
func readLegacy(r io.ReaderAt, size int64) (*File, error) {
	src := newSource(io.NewSectionReader(r, 0, size), min(size, maxPickle))
	if err := readLegacyHead(src); err != nil {
		return nil, fmt.Errorf("pth: %w", err)
	}
	storages := map[string]*storage{}
	root, err := unpickle(src, func(id tuple) (any, error) { return storageOf(id, storages) })
	if err != nil {
		return nil, fmt.Errorf("pth: %w", err)
	}
	keys, err := unpickle(src, nil)
	if err != nil {
		return nil, fmt.Errorf("pth: the storages' keys: %w", err)
	}
	if err := placeLegacy(r, size, src.pos, keys, storages); err != nil {
		return nil, fmt.Errorf("pth: %w", err)
	}
	f := &File{Format: "pth (legacy)", tensors: map[string]*Tensor{}}
	if err := f.stateDict(root); err != nil {
		return nil, fmt.Errorf("pth: %w", err)
	}
	return f, nil
}

func readLegacyHead(src *source) error {
	magic, err := unpickle(src, nil)
	if err != nil {
		return err
	}
	if magic != any(bigint(legacyMagic)) {
		return errors.New("it has not PyTorch's magic number")
	}
	protocol, err := unpickle(src, nil)
	if err != nil {
		return err
	}
	if protocol != any(int64(1001)) {
		return fmt.Errorf("protocol %s is not supported, only 1001", short(protocol))
	}
	system, err := unpickle(src, nil)
	if err != nil {
		return err
	}
	if d, ok := system.(*dict); ok {
		for i, key := range d.keys {
			if key == any("little_endian") && d.values[i] != any(true) {
				return errors.New("it was written on a big-endian machine, which is not supported")
			}
		}
	}
	return nil
}

// storageOf reads a persistent id: ("storage", class, key, location, elements[, view]).
func storageOf(id tuple, storages map[string]*storage) (*storage, error) {
	if len(id) < 5 || id[0] != any("storage") {
		return nil, errors.New("pickle: a persistent id that is no storage")
	}
	class, ok1 := id[1].(storageClass)
	key, ok2 := id[2].(string)
	length, ok3 := id[4].(int64)
	if !ok1 || !ok2 || !ok3 || length < 0 {
		return nil, fmt.Errorf("pickle: a storage of (%T, %T, %T)", id[1], id[2], id[4])
	}
	if len(id) > 5 && id[5] != nil {
		return nil, errors.New("a view of a storage (PyTorch before 0.4) is not supported; save it again with a newer PyTorch")
	}
	s, ok := storages[key]
	if !ok {
		s = &storage{dtype: DType(class), length: length}
		storages[key] = s
	}
	if s.dtype != DType(class) || s.length != length {
		return nil, fmt.Errorf("storage %q is described in two ways", key)
	}
	return s, nil
}

// placeLegacy gives every storage its part of the file.
func placeLegacy(r io.ReaderAt, size, pos int64, keys any, storages map[string]*storage) error {
	order, ok := keys.(*list)
	if !ok {
		return fmt.Errorf("the storages' keys are a %T", keys)
	}
	for _, item := range order.items {
		key, _ := item.(string)
		s, ok := storages[key]
		if !ok || s.data != nil {
			return fmt.Errorf("storage %.40q is unknown or listed twice", key)
		}
		var prefix [8]byte
		if _, err := r.ReadAt(prefix[:], pos); err != nil {
			return fmt.Errorf("storage %q: the file is cut off", key)
		}
		pos += 8
		if n := binary.LittleEndian.Uint64(prefix[:]); n != uint64(s.length) {
			return fmt.Errorf("storage %q: %d elements, %d expected", key, n, s.length)
		}
		if s.length > (size-pos)/s.dtype.Size() {
			return fmt.Errorf("storage %q: the file is cut off", key)
		}
		s.data = io.NewSectionReader(r, pos, s.length*s.dtype.Size())
		pos += s.length * s.dtype.Size()
	}
	for key, s := range storages {
		if s.data == nil {
			return fmt.Errorf("storage %q has no data", key)
		}
	}
	return nil
}
