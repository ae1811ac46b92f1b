package dataset

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// TestVectorsPagesGiveWhatTheLibraryGives reads row groups both ways, and makes sure that what we write needs no library.
func TestVectorsPagesGiveWhatTheLibraryGives(t *testing.T) {
	for _, dim := range []int{1, 2, 3, 7, 8, 9, 300, 1280} {
		output := filepath.Join(t.TempDir(), "x.parquet")
		rows := min(40000, 3<<20/dim)
		writeRows(t, output, rows, dim, WriterOptions{})
		f, err := openParquetVectors(output, VectorsOptions{})
		must(t, err)
		parts, err := f.parts(Columns{Features: true})
		must(t, err)
		for {
			next, err := parts.next()
			if err != nil {
				break
			}
			part := next.(parquetPart)
			var got, want Batch
			got.reset(0, part.rows(), dim)
			want.reset(0, part.rows(), dim)
			must(t, part.pageLists(&got))
			must(t, part.column(t.Context(), part.p.columns.features, want.addLists))
			if !slices.Equal(got.Index, want.Index) || !reflect.DeepEqual(got.Float32, want.Float32) {
				t.Fatalf("dimension %d, row group %d: %d vectors, want %d", dim, part.group, len(got.Index), len(want.Index))
			}
		}
		must(t, parts.close())
	}
}

func TestVectorsPagesLeaveOthersToTheLibrary(t *testing.T) {
	f, err := openParquetVectors(writeForeign(t, t.TempDir()), VectorsOptions{})
	must(t, err)
	parts, err := f.parts(Columns{Features: true})
	must(t, err)
	defer func() { _ = parts.close() }()
	part, err := parts.next()
	must(t, err)
	var b Batch
	b.reset(0, part.rows(), 2)
	if err := part.(parquetPart).pageLists(&b); !errors.Is(err, errPages) {
		t.Errorf("doubles with a missing one: %v", err)
	}
}

// TestRunsOfLevels packs levels in all the ways that the format knows, and reads random bytes.
func TestRunsOfLevels(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		bits := 1 + r.IntN(2)
		var want []int
		var data []byte
		for range 1 + r.IntN(6) {
			if n := 1 + r.IntN(300); r.IntN(2) == 0 {
				level := r.IntN(1 << bits)
				data = appendUvarint(data, uint64(n)<<1)
				data = append(data, byte(level))
				want = append(want, slices.Repeat([]int{level}, n)...)
				continue
			}
			groups := 1 + r.IntN(4)
			data = appendUvarint(data, uint64(groups)<<1|1)
			for range groups * bits {
				data = append(data, byte(r.Uint32()))
			}
			packed := data[len(data)-groups*bits:]
			for i := range groups * 8 {
				want = append(want, int(packed[i*bits/8]>>(i*bits%8))&(1<<bits-1))
			}
		}
		var got []int
		ok := eachRun(data, bits, len(want), func(level, at, count int) bool {
			if at != len(got) {
				t.Fatalf("a run at %d, want %d", at, len(got))
			}
			got = append(got, slices.Repeat([]int{level}, count)...)
			return true
		})
		if !ok || !slices.Equal(got, want) {
			t.Fatalf("levels %v, %v; want %v", got, ok, want)
		}
		noise := make([]byte, r.IntN(20))
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		eachRun(noise, bits, 100, func(_, at, count int) bool {
			if at < 0 || count < 1 || at+count > 100 {
				t.Fatalf("a run of %d at %d of 100", count, at)
			}
			return true
		})
	}
}

func appendUvarint(b []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}
