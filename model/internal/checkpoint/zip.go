package checkpoint

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"strings"
)

// maxMembers bounds a zip's directory: one member a tensor, plus a few.
const maxMembers = 100_000

// readZip reads the form of PyTorch 1.6 and later: NAME/data.pkl and one stored member NAME/data/KEY a storage.
func readZip(r io.ReaderAt, size int64) (*File, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("pth: %w", err)
	}
	members, err := zipMembers(archive)
	if err != nil {
		return nil, fmt.Errorf("pth: %w", err)
	}
	pickle, err := zipPickle(members)
	if err != nil {
		return nil, fmt.Errorf("pth: %w", err)
	}
	defer pickle.Close()
	storages := map[string]*storage{}
	m := &machine{src: newSource(pickle, maxPickle), memo: map[uint64]any{}, script: members[scriptConstants] != nil}
	m.persist = func(id tuple) (any, error) {
		s, err := storageOf(id, storages)
		if err != nil || s.data != nil {
			return s, err
		}
		key, _ := id[2].(string)
		return s, placeZip(r, size, members["data/"+key], key, s)
	}
	root, err := m.run()
	f := &File{Format: "pth (zip)", tensors: map[string]*Tensor{}}
	if module, ok := root.(*object); ok && m.script && err == nil {
		f.Format = "TorchScript"
		root, err = module.flatten()
	}
	if err == nil {
		err = apart(storages)
	}
	if err == nil {
		err = f.stateDict(root)
	}
	if err != nil {
		return nil, fmt.Errorf("pth: %w", err)
	}
	return f, nil
}

// scriptConstants is a member that only TorchScript archives have.
const scriptConstants = "constants.pkl"

// apart checks that no two storages share bytes of the file: a small file would stand for much data.
func apart(storages map[string]*storage) error {
	var all []*storage
	for _, s := range storages {
		if s.length > 0 {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *storage) int { return cmp.Compare(a.start, b.start) })
	for i := 1; i < len(all); i++ {
		if before := all[i-1]; before.start+before.length*before.dtype.Size() > all[i].start {
			return errors.New("two of its members share the same bytes, which PyTorch does not write")
		}
	}
	return nil
}

// zipMembers indexes the members by their names below the archive's one folder.
func zipMembers(archive *zip.Reader) (map[string]*zip.File, error) {
	if len(archive.File) > maxMembers {
		return nil, fmt.Errorf("%d members are more than a checkpoint has", len(archive.File))
	}
	members := map[string]*zip.File{}
	for _, member := range archive.File {
		_, name, _ := strings.Cut(path.Clean(member.Name), "/")
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("member %q is there twice", member.Name)
		}
		members[name] = member
	}
	return members, nil
}

func zipPickle(members map[string]*zip.File) (io.ReadCloser, error) {
	member := members["data.pkl"]
	if member == nil {
		return nil, errors.New("a zip file without data.pkl is no checkpoint")
	}
	if order := members["byteorder"]; order != nil {
		if err := checkByteOrder(order); err != nil {
			return nil, err
		}
	}
	return member.Open()
}

func checkByteOrder(member *zip.File) error {
	r, err := member.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, 16))
	if err == nil && string(text) != "little" {
		err = fmt.Errorf("byte order %q is not supported", text)
	}
	return err
}

// placeZip points a storage at its member, which torch.save never compresses.
func placeZip(r io.ReaderAt, fileSize int64, member *zip.File, key string, s *storage) error {
	if member == nil {
		return fmt.Errorf("storage %.40q has no data", key)
	}
	if member.Method != zip.Store {
		return fmt.Errorf("storage %q is compressed, which PyTorch does not do", key)
	}
	size := int64(min(member.UncompressedSize64, 1<<62))
	if s.length > size/s.dtype.Size() || s.length*s.dtype.Size() != size {
		return fmt.Errorf("storage %q: %d bytes for %d elements of %s", key, size, s.length, s.dtype)
	}
	offset, err := member.DataOffset()
	if err != nil {
		return fmt.Errorf("storage %q: %w", key, err)
	}
	if offset < 0 || size > fileSize-offset {
		return fmt.Errorf("storage %q: the file is cut off", key)
	}
	section := io.NewSectionReader(r, offset, size)
	s.data, s.start = section, offset
	s.check = func() error { return checkCRC(section, size, member.CRC32) }
	return nil
}

func checkCRC(section *io.SectionReader, size int64, want uint32) error {
	sum := crc32.NewIEEE()
	n, err := io.Copy(sum, io.NewSectionReader(section, 0, size))
	switch {
	case err != nil:
		return err
	case n != size:
		return errors.New("the file is cut off")
	case sum.Sum32() != want:
		return errors.New("the checksum is wrong; the file is damaged")
	}
	return nil
}
