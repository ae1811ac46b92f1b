package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/imgvec/imgvec/internal/home"
)

// A checkpoint in several files has an index beside them, as save_pretrained of Hugging Face writes it.
const (
	indexSuffix = ".index.json"
	maxIndex    = 16 << 20 // bytes of an index
	maxShards   = 1000
)

// shardName is one file of several.
var shardName = regexp.MustCompile(`^(.+)-\d{5}-of-\d{5}(\.[a-z]+)$`)

// IsIndex tells whether path is named as the index of a checkpoint in several files.
func IsIndex(path string) bool { return strings.HasSuffix(path, indexSuffix) }

// Shards lists the files of the checkpoint at path: those that an index names, sorted and in its folder, after the index
// itself; else path alone.
func Shards(path string) ([]string, error) {
	if !IsIndex(path) {
		return []string{path}, nil
	}
	index, err := readIndex(path)
	if err != nil {
		return nil, err
	}
	paths := []string{path}
	for _, name := range index.files {
		paths = append(paths, filepath.Join(filepath.Dir(path), name))
	}
	return paths, nil
}

// index is a model.safetensors.index.json.
type index struct {
	shardOf map[string]string // tensor -> file
	files   []string          // sorted
}

func readIndex(path string) (index, error) {
	f, err := os.Open(path)
	if err != nil {
		return index{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil {
		return index{}, err
	}
	if len(text) > maxIndex {
		return index{}, fmt.Errorf("%s: an index of over %d bytes is not possible", path, maxIndex)
	}
	var raw struct {
		WeightMap json.RawMessage `json:"weight_map"`
	}
	var found index
	if err = json.Unmarshal(text, &raw); err == nil {
		found, err = parseWeightMap(raw.WeightMap)
	}
	if err != nil {
		return index{}, fmt.Errorf("%s: %w", path, err)
	}
	return found, nil
}

func parseWeightMap(text []byte) (index, error) {
	found := index{shardOf: map[string]string{}}
	err := eachMember(text, func(tensor string, value json.RawMessage) error {
		var file string
		if err := json.Unmarshal(value, &file); err != nil {
			return err
		}
		if file != filepath.Base(file) || strings.ContainsAny(file, `/\`) || file == "." || file == ".." || IsIndex(file) {
			return fmt.Errorf("file %.80q is not the name of a file beside the index", file)
		}
		found.shardOf[tensor] = file
		if !slices.Contains(found.files, file) {
			found.files = append(found.files, file)
		}
		if len(found.files) > maxShards {
			return fmt.Errorf("more than %d files", maxShards)
		}
		return nil
	})
	if err == nil && len(found.files) == 0 {
		err = errors.New("it has no weight_map, so it is no index of a checkpoint")
	}
	slices.Sort(found.files)
	return found, err
}

// eachMember gives the members of a JSON object one by one. A name that is there twice is an error: readers differ in
// which one counts.
func eachMember(text []byte, do func(name string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return errors.New("it is not a JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if seen[name] {
			return fmt.Errorf("%.80q is there twice", name)
		}
		if seen[name] = true; len(seen) > maxMembers {
			return fmt.Errorf("more than %d tensors", maxMembers)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := do(name, value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return errors.New("the JSON object is cut off")
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// openIndex opens the files that an index names, as one checkpoint. Each tensor must lie in the file that the index
// says, and no file may have another.
func openIndex(path string) (*File, error) {
	index, err := readIndex(path)
	if err != nil {
		return nil, err
	}
	whole := &File{tensors: map[string]*Tensor{}}
	for _, name := range index.files {
		if err := whole.addShard(filepath.Join(filepath.Dir(path), name), name, index); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), whole.Close())
		}
	}
	for tensor, file := range index.shardOf {
		if whole.tensors[tensor] == nil {
			return nil, errors.Join(fmt.Errorf("%s: tensor %q is not in %s", path, tensor, file), whole.Close())
		}
	}
	whole.Format = fmt.Sprintf("%s, %d files", whole.Format, len(index.files))
	whole.stripPrefixes()
	return whole, nil
}

func (f *File) addShard(path, name string, index index) error {
	part, err := openOne(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("its file %s is missing; all %d files must lie beside the index", name, len(index.files))
	}
	if err != nil {
		return err
	}
	f.closers = append(f.closers, part.closers...)
	f.Format = part.Format
	for _, tensor := range part.names {
		if index.shardOf[tensor] != name {
			return fmt.Errorf("tensor %q is in %s, which the index does not say", tensor, name)
		}
		if err := f.add(part.tensors[tensor]); err != nil {
			return err
		}
	}
	return nil
}

// onePartOf is an error where path is one file of several, whose other tensors are elsewhere.
func onePartOf(path string) error {
	m := shardName.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return nil
	}
	whole := m[1] + m[2] + indexSuffix
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), whole)); err != nil {
		return nil //nolint:nilerr // a file that is only named so
	}
	return fmt.Errorf("%s is one of several files; name their index, %s", path, whole)
}

// Hash is the SHA-256 of the checkpoint at path, in lower-case hex: that of the file, or, for an index, that of a list of
// the index's and its files' names and hashes.
func Hash(path string) (string, error) {
	paths, err := Shards(path)
	if err != nil {
		return "", err
	}
	if len(paths) == 1 {
		return home.HashFile(path)
	}
	list := sha256.New()
	for _, p := range paths {
		sum, err := home.HashFile(p)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(list, "%s  %s\n", sum, filepath.Base(p))
	}
	return hex.EncodeToString(list.Sum(nil)), nil
}
