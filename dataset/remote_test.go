package dataset

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/google/go-cmp/cmp"
)

// memoryStore is objects by their URLs.
type memoryStore map[string][]byte

func (m memoryStore) find(url string) ([]byte, error) {
	base, _ := splitURL(url)
	data, ok := m[base]
	if !ok {
		return nil, fmt.Errorf("no object %s: %w", base, fs.ErrNotExist)
	}
	return data, nil
}

func (m memoryStore) Open(_ context.Context, url string) (io.ReadCloser, error) {
	data, err := m.find(url)
	return io.NopCloser(bytes.NewReader(data)), err
}

type memoryObject struct{ *bytes.Reader }

func (memoryObject) Close() error { return nil }

func (m memoryStore) OpenAt(_ context.Context, url string) (ObjectReader, error) {
	data, err := m.find(url)
	return memoryObject{bytes.NewReader(data)}, err
}

func (m memoryStore) List(_ context.Context, url string) iter.Seq2[Object, error] {
	base, _ := splitURL(url)
	return func(yield func(Object, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if strings.HasPrefix(name, base) && !yield(Object{URL: name, Size: int64(len(m[name]))}, nil) {
				return
			}
		}
	}
}

func (m memoryStore) Stat(_ context.Context, url string) (Object, error) {
	data, err := m.find(url)
	return Object{URL: url, Size: int64(len(data))}, err
}

func (m memoryStore) CanList(url string) bool { return !strings.HasPrefix(url, "https:") }

// TestRemoteTables reads archives and tables through a store: by name, by range, by pattern, by folder.
func TestRemoteTables(t *testing.T) {
	t.Chdir(t.TempDir())
	paths := array.NewStringBuilder(memory.DefaultAllocator)
	paths.AppendValues([]string{"img/1.jpg", "s3://b/img/2.jpg", "img/nosuch.jpg"}, nil)
	listing := oneColumn("path", paths.NewArray())
	store := memoryStore{
		"s3://b/t/0.tar": tarBytes(t, []string{"k0.jpg"}), "s3://b/t/1.tar": tarBytes(t, []string{"k1.jpg"}),
		"s3://b/p/x.parquet": parquetBytes(t, aTable(2), 1, compress.Codecs.Snappy), "s3://b/p/y.arrow": arrowBytes(t, aTable(1), 1, false),
		"s3://b/p/_SUCCESS": nil, "https://w/z.parquet": parquetBytes(t, aTable(2), 1, compress.Codecs.Zstd),
		"s3://b/list.parquet": parquetBytes(t, listing, 10, compress.Codecs.Snappy),
		"s3://b/img/1.jpg":    []byte("one"), "s3://b/img/2.jpg": []byte("two"),
	}
	write(t, "here.parquet", parquetBytes(t, listing, 10, compress.Codecs.Snappy))
	for input, want := range map[string][]string{
		"s3://b/t/{0..1}.tar":          {"k0", "k1"},
		"s3://b/t/*.tar?region=x":      {"k0", "k1"},
		"s3://b/p/?region=x":           {"s3://b/p/x.parquet:0", "s3://b/p/x.parquet:1", "s3://b/p/y.arrow:0"},
		"s3://b/p":                     {"s3://b/p/x.parquet:0", "s3://b/p/x.parquet:1", "s3://b/p/y.arrow:0"},
		"s3://b/p/y.arrow":             {"0"},
		"https://w/z.parquet":          {"0", "1"},
		"s3://b/img/":                  {"s3://b/img/1.jpg", "s3://b/img/2.jpg"},
		"s3://b/nosuch.tar":            {"s3://b/nosuch.tar failed"},
		"s3://b/nosuch.parquet":        {"s3://b/nosuch.parquet failed"},
		"s3://b/list.parquet?region=x": {"img/1.jpg", "s3://b/img/2.jpg", "img/nosuch.jpg failed"},
		"here.parquet":                 {"img/1.jpg failed", "s3://b/img/2.jpg", "img/nosuch.jpg failed"},
	} {
		rows, _ := rowsIn(t, SourceOptions{Objects: store}, input)
		var got []string
		for _, r := range rows {
			if r.Err != "" && !strings.Contains(r.Err, "no image") {
				r.ID += " failed"
			}
			got = append(got, r.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", input, diff)
		}
	}
}
