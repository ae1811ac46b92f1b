package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// inputFiles are small files of every kind with many images, by the ending of their names.
func inputFiles(t *testing.T) map[string][]byte {
	batch := aTable(40)
	archive := tarBytes(t, []string{"a/1.jpg", "a/1.json", "a/2.png", "a/3.cls", "a/4.jpg"})
	return map[string][]byte{
		"plain.parquet":  parquetBytes(t, batch, 16, compress.Codecs.Uncompressed),
		"snappy.parquet": parquetBytes(t, batch, 16, compress.Codecs.Snappy),
		"zstd.parquet":   parquetBytes(t, batch, 40, compress.Codecs.Zstd),
		"plain.arrow":    arrowBytes(t, batch, 16, false),
		"lz4.feather":    arrowBytes(t, batch, 16, false, ipc.WithLZ4()),
		"zstd.arrows":    arrowBytes(t, batch, 16, true, ipc.WithZstd()),
		"x.tar":          archive,
		"x.tar.gz":       gzipped(t, archive),
		"x.tar.zst":      zstdBytes(t, archive),
	}
}

func tarBytes(t *testing.T, names []string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range names {
		body := []byte("content of " + name)
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}))
		_, err := w.Write(body)
		must(t, err)
	}
	must(t, w.Close())
	return buf.Bytes()
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(data)
	must(t, err)
	must(t, w.Close())
	return buf.Bytes()
}

func zstdBytes(t *testing.T, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	must(t, err)
	return w.EncodeAll(data, nil)
}

// drain reads all that a file gives, its kept columns too, into an output of each format.
func drain(path string, most int) (rows int, err error) {
	opts := SourceOptions{ReadAhead: -1}
	if !isTar(path) {
		opts.KeepColumns = []string{everyColumn}
	} else {
		opts.KeepColumns = []string{"json", "cls"}
	}
	src, err := Open([]string{path}, opts)
	if err != nil {
		return 0, err
	}
	if _, _, err := src.Count(context.Background()); err != nil {
		return 0, err
	}
	kept := newKeptRows(src.Kept())
	for item := range src.Items(context.Background()) {
		if item.Data == nil {
			_, _ = openAll(item.Open)
		}
		kept.add(item.Tag)
		appendJSONKept(nil, item.Tag, src.Kept())
		if rows++; rows >= most {
			break
		}
	}
	if _, err := kept.arrays(); err != nil {
		return rows, err
	}
	return rows, src.Err()
}

// TestDamagedInputs changes and cuts files of every kind at random. Whatever comes of it is rows and errors, in bounded
// memory; the process lives.
func TestDamagedInputs(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 50
	}
	dir := t.TempDir()
	for name, good := range inputFiles(t) {
		rnd := rand.New(rand.NewPCG(7, uint64(len(good))))
		path := filepath.Join(dir, name)
		for round := range rounds {
			data := damage(rnd, good)
			write(t, path, data)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rows, err := drain(path, 1000)
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 256<<20 {
				_ = os.WriteFile(filepath.Join(os.TempDir(), "damaged-"+name), data, 0o644)
				t.Fatalf("%s, round %d: %d bytes allocated for a file of %d (%d rows, %v)", name, round, got, len(data), rows, err)
			}
		}
	}
}

// damage flips bytes, overwrites some by extreme numbers, cuts off the end, or takes out a piece.
func damage(rnd *rand.Rand, good []byte) []byte {
	data := bytes.Clone(good)
	for range 1 + rnd.IntN(3) {
		at := rnd.IntN(len(data))
		if rnd.IntN(3) == 0 { // what describes the rest stands at the end
			at = len(data) - 1 - rnd.IntN(min(len(data), 600))
		}
		switch rnd.IntN(6) {
		case 0:
			data[at] ^= 1 << rnd.IntN(8)
		case 1:
			data[at] = byte(rnd.IntN(256))
		case 2:
			copy(data[at:], []byte{0xff, 0xff, 0xff, 0x7f}[:min(4, len(data)-at)])
		case 3:
			copy(data[at:], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}[:min(8, len(data)-at)])
		case 4:
			data = data[:max(at, 1)]
		case 5:
			data = append(data[:at:at], data[min(len(data), at+1+rnd.IntN(64)):]...)
			if len(data) == 0 {
				data = []byte{0}
			}
		}
	}
	return data
}

// FuzzInputs is TestDamagedInputs with the fuzzer's own ideas.
func FuzzInputs(f *testing.F) {
	t := &testing.T{}
	kinds := []string{"plain.parquet", "snappy.parquet", "zstd.parquet", "plain.arrow", "lz4.feather", "zstd.arrows", "x.tar", "x.tar.gz", "x.tar.zst"}
	files := inputFiles(t)
	for i, name := range kinds {
		f.Add(byte(i), files[name])
	}
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		path := filepath.Join(t.TempDir(), kinds[int(kind)%len(kinds)])
		write(t, path, data)
		if _, err := drain(path, 1000); err != nil && err.Error() == "" {
			t.Errorf("an error without words: %T", err)
		}
	})
}
