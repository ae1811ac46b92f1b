package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sort"
)

// maxHeader bounds the JSON header; a model of 10,000 tensors needs about 1 MiB.
const maxHeader = 16 << 20

type safetensorsEntry struct {
	DType   DType    `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// readSafetensors reads the header: 8 bytes of length, JSON, then the tensors without a gap.
func readSafetensors(r io.ReaderAt, size int64) (*File, error) {
	var prefix [8]byte
	if _, err := r.ReadAt(prefix[:], 0); err != nil {
		return nil, fmt.Errorf("safetensors: read the header's length: %w", err)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader || int64(length) > size-8 {
		return nil, fmt.Errorf("safetensors: a header of %d bytes is not possible in a file of %d", length, size)
	}
	header := make([]byte, length)
	if _, err := r.ReadAt(header, 8); err != nil {
		return nil, fmt.Errorf("safetensors: read the header: %w", err)
	}
	entries, err := parseSafetensorsHeader(header)
	if err != nil {
		return nil, err
	}
	base := 8 + int64(length)
	f := &File{Format: "safetensors", tensors: make(map[string]*Tensor, len(entries))}
	end := int64(0)
	for _, e := range entries {
		if e.Offsets[0] != end {
			return nil, fmt.Errorf("safetensors: tensor %q starts at %d, not at %d where the one before it ends", e.name, e.Offsets[0], end)
		}
		if err := f.addSafetensor(r, e, base, size); err != nil {
			return nil, err
		}
		end = e.Offsets[1]
	}
	if base+end != size {
		return nil, fmt.Errorf("safetensors: %d bytes are left after the last tensor", size-base-end)
	}
	return f, nil
}

type namedEntry struct {
	name string
	safetensorsEntry
}

// parseSafetensorsHeader gives the entries in the order of their data.
func parseSafetensorsHeader(header []byte) ([]namedEntry, error) {
	var entries []namedEntry
	err := eachMember(header, func(name string, text json.RawMessage) error {
		if name == "__metadata__" {
			return nil
		}
		e := namedEntry{name: name}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&e.safetensorsEntry); err != nil {
			return fmt.Errorf("tensor %.80q: %w", name, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("safetensors: header: %w", err)
	}
	sort.Slice(entries, func(i, j int) bool {
		a, b := entries[i], entries[j]
		if a.Offsets != b.Offsets { // an empty tensor comes before the one that starts where it lies
			return a.Offsets[0] < b.Offsets[0] || a.Offsets[0] == b.Offsets[0] && a.Offsets[1] < b.Offsets[1]
		}
		return a.name < b.name
	})
	return entries, nil
}

func (f *File) addSafetensor(r io.ReaderAt, e namedEntry, base, size int64) error {
	n, ok := numel(e.Shape)
	elem := e.DType.Size()
	switch {
	case elem == 0:
		return fmt.Errorf("safetensors: tensor %q: element type %q is not supported", e.name, e.DType)
	case !ok || e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > size-base:
		return fmt.Errorf("safetensors: tensor %q: shape %v at %v is not possible", e.name, e.Shape, e.Offsets)
	case e.Offsets[1]-e.Offsets[0] != n*elem:
		return fmt.Errorf("safetensors: tensor %q: %d bytes for shape %v of %s", e.name, e.Offsets[1]-e.Offsets[0], e.Shape, e.DType)
	}
	data := io.NewSectionReader(r, base+e.Offsets[0], n*elem)
	t := &Tensor{Name: e.name, Shape: e.Shape, DType: e.DType, storage: &storage{dtype: e.DType, length: n, data: data}}
	if err := t.place(); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return f.add(t)
}
