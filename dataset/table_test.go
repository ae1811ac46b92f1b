package dataset

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/google/go-cmp/cmp"
)

// tableFiles are the same rows in every format that is read.
func tableFiles(t *testing.T, batch arrow.RecordBatch) map[string][]byte {
	files := map[string][]byte{
		"file.arrow":    arrowBytes(t, batch, 7, false),
		"lz4.feather":   arrowBytes(t, batch, 7, false, ipc.WithLZ4()),
		"stream.arrows": arrowBytes(t, batch, 7, true),
		"zstd.ipc":      arrowBytes(t, batch, 7, true, ipc.WithZstd()),
	}
	for name, codec := range map[string]compress.Compression{
		"plain": compress.Codecs.Uncompressed, "snappy": compress.Codecs.Snappy, "gzip": compress.Codecs.Gzip,
		"zstd": compress.Codecs.Zstd, "brotli": compress.Codecs.Brotli, "lz4": compress.Codecs.Lz4Raw,
	} {
		files[name+".parquet"] = parquetBytes(t, batch, 7, codec)
	}
	return files
}

// wantRows are the rows of aTable, with ids by a function of the row.
func wantRows(rows int, id func(i int) string) (want []row) {
	for i := range rows {
		r := row{ID: id(i), Data: fmt.Sprintf("image %d", i)}
		if i%5 == 4 {
			r.Data, r.Err = "", "no image: the column is null here"
		}
		want = append(want, r)
	}
	return want
}

func TestTablesOfEveryFormat(t *testing.T) {
	t.Chdir(t.TempDir())
	const rows = 23
	for name, data := range tableFiles(t, aTable(rows)) {
		write(t, name, data)
		numbered := wantRows(rows, func(i int) string { return fmt.Sprint(i) })
		if got, _ := rowsIn(t, SourceOptions{}, name); !cmp.Equal(got, numbered) {
			t.Errorf("%s: %s", name, cmp.Diff(numbered, got))
		}
		named := wantRows(rows, func(i int) string { return fmt.Sprintf("n%d", i) })
		if got, _ := rowsIn(t, SourceOptions{IDColumn: "name"}, name); !cmp.Equal(got, named) {
			t.Errorf("%s with --id-column: %s", name, cmp.Diff(named, got))
		}
	}
}

// TestInputsMixed has folders, archives, tables and lists in one run.
func TestInputsMixed(t *testing.T) {
	plant(t, "photos/a.jpg", "photos/b.jpg", "parts/")
	write(t, "parts/2.parquet", parquetBytes(t, aTable(3), 2, compress.Codecs.Snappy))
	write(t, "parts/1.arrow", arrowBytes(t, aTable(2), 2, false))
	write(t, "parts/notes.txt", []byte("no table"))
	write(t, "x.tar", tarBytes(t, []string{"k.jpg"}))
	write(t, "list", []byte("photos/b.jpg\n"))
	got, ignored := rowsIn(t, SourceOptions{}, "photos", "parts", "x.tar", "@list", "parts/*.parquet")
	var ids []string
	for _, r := range got {
		ids = append(ids, r.ID)
	}
	want := []string{
		"photos/a.jpg", "photos/b.jpg", "parts/1.arrow:0", "parts/1.arrow:1", "parts/2.parquet:0", "parts/2.parquet:1", "parts/2.parquet:2",
		"k", "photos/b.jpg", "parts/2.parquet:0", "parts/2.parquet:1", "parts/2.parquet:2",
	}
	if diff := cmp.Diff(want, ids); diff != "" || ignored != 0 {
		t.Errorf("%d ignored, %s", ignored, diff)
	}
}

func oneColumn(name string, values arrow.Array) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{{Name: name, Type: values.DataType(), Nullable: true}}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{values}, int64(values.Len()))
}

func TestPathColumn(t *testing.T) {
	plant(t, "t/a.jpg", "t/sub/b.jpg", "c.jpg")
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.AppendValues([]string{"a.jpg", "sub/b.jpg", "../c.jpg", "nosuch.jpg", "", "s3://bucket/x.jpg"}, []bool{true, true, true, true, false, true})
	write(t, "t/x.parquet", parquetBytes(t, oneColumn("file_name", b.NewArray()), 10, compress.Codecs.Snappy))
	got, _ := rowsIn(t, SourceOptions{}, "t/x.parquet")
	want := []row{
		{ID: "a.jpg", Data: "t/a.jpg"}, {ID: "sub/b.jpg", Data: "t/sub/b.jpg"}, {ID: "../c.jpg", Data: "c.jpg"},
		{ID: "nosuch.jpg", Err: "no such file: t/nosuch.jpg"}, {ID: "4", Err: "no image: the column is null here"},
		{ID: "s3://bucket/x.jpg", Err: "a URL, and no store was given that could read it: s3://bucket/x.jpg"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestColumnsAreFound(t *testing.T) {
	binary, text, number := arrow.BinaryTypes.Binary, arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64
	picture := arrow.StructOf(arrow.Field{Name: "bytes", Type: binary}, arrow.Field{Name: "path", Type: text})
	field := func(name string, typ arrow.DataType) arrow.Field { return arrow.Field{Name: name, Type: typ} }
	cases := []struct {
		fields []arrow.Field
		choice columnChoice
		want   string // the image's column, or a part of the error
	}{
		{fields: []arrow.Field{field("path", text), field("length", number), field("content", binary)}, want: "content"}, // Spark
		{fields: []arrow.Field{field("label", number), field("image", picture)}, want: "image"},                          // Hugging Face
		{fields: []arrow.Field{field("thumb", binary), field("Image", binary)}, want: "Image"},
		{fields: []arrow.Field{field("anything", arrow.BinaryTypes.LargeBinary), field("path", text)}, want: "anything"},
		{fields: []arrow.Field{field("id", text), field("file_name", text)}, want: "file_name"},
		{fields: []arrow.Field{field("a", binary), field("b", binary)}, want: "several columns could hold the images (a, b): choose one with --image-column"},
		{fields: []arrow.Field{field("image", binary), field("jpg", binary)}, want: "(image, jpg)"},
		{fields: []arrow.Field{field("path", text), field("url", text)}, want: "(path, url)"},
		{fields: []arrow.Field{field("x", number)}, want: "no column looks like images or their paths: name it with --image-column; it has x (int64)"},
		{fields: []arrow.Field{field("x", number), field("y", text)}, choice: columnChoice{image: "y"}, want: "y"},
		{fields: []arrow.Field{field("x", number)}, choice: columnChoice{image: "y"}, want: `no column "y" for the images`},
		{fields: []arrow.Field{field("x", number)}, choice: columnChoice{image: "x"}, want: `"x" is of type int64: images are binary`},
		{fields: []arrow.Field{field("x", binary)}, choice: columnChoice{id: "z"}, want: `no column "z" for the ids`},
		{fields: []arrow.Field{field("x", binary), field("f", arrow.PrimitiveTypes.Float64)}, choice: columnChoice{id: "f"}, want: `"f" is of type float64: ids are strings`},
	}
	for _, c := range cases {
		plan, err := c.choice.plan(blob{name: "t.parquet"}, arrow.NewSchema(c.fields, nil))
		var got string
		if err == nil {
			got = plan.names[plan.image]
		} else if got = err.Error(); !errors.Is(err, ErrUsage) || !strings.Contains(got, "t.parquet") {
			t.Errorf("%v: %v is no wrong usage with the file's name", c.fields, err)
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%v: %q, want %q", c.fields, got, c.want)
		}
	}
}

// TestDamagedRowGroup damages one row group in the middle of a file: its rows fail, the others come, each in its place.
func TestDamagedRowGroup(t *testing.T) {
	t.Chdir(t.TempDir())
	const rows, group = 20, 5
	for name, data := range map[string][]byte{
		"x.parquet": parquetBytes(t, aTable(rows), group, compress.Codecs.Gzip),
		"x.arrow":   arrowBytes(t, aTable(rows), group, false, ipc.WithZstd()),
	} {
		mark := map[string]string{"x.parquet": "\x1f\x8b", "x.arrow": "\x28\xb5\x2f\xfd"}[name] // of what is packed
		marks := strings.Count(string(data), mark)
		for i, seen := 0, 0; i < len(data)-4; i++ {
			if strings.HasPrefix(string(data[i:]), mark) {
				if seen >= marks/2 && seen < marks*3/4 {
					copy(data[i:], "XX")
				}
				seen++
			}
		}
		write(t, name, data)
		got, _ := rowsIn(t, SourceOptions{}, name)
		want := wantRows(rows, func(i int) string { return fmt.Sprint(i) })
		if len(got) != rows {
			t.Errorf("%s: %d rows, want %d", name, len(got), rows)
			continue
		}
		failed := 0
		for i, r := range got {
			switch {
			case r == want[i]:
			case r.ID == want[i].ID && strings.HasPrefix(r.Err, name+": ") && r.Data == "":
				failed++
			default:
				t.Errorf("%s: row %d is %+v", name, i, r)
			}
		}
		if failed == 0 || failed > group {
			t.Errorf("%s: %d rows failed, of a row group of %d", name, failed, group)
		}
	}
}

// TestUnreadableTables has files that are no tables between good ones: a row each, and the others whole.
func TestUnreadableTables(t *testing.T) {
	t.Chdir(t.TempDir())
	good := parquetBytes(t, aTable(3), 10, compress.Codecs.Snappy)
	write(t, "1.parquet", good)
	write(t, "2.parquet", good[:len(good)-20])
	write(t, "3.parquet", nil)
	write(t, "4.arrow", good)
	write(t, "5.feather", []byte("FEA1 and so on"))
	write(t, "6.parquet", parquetBytes(t, oneColumn("x", array.NewNull(3)), 10, compress.Codecs.Snappy))
	write(t, "7.parquet", good)
	got, _ := rowsIn(t, SourceOptions{}, "1.parquet", "2.parquet", "3.parquet", "4.arrow", "5.feather", "6.parquet", "7.parquet")
	var ids []string
	for i, r := range got {
		ids = append(ids, r.ID)
		if name, _, inTable := strings.Cut(r.ID, ":"); !inTable && !strings.HasPrefix(r.Err, name+": can't be read: ") {
			t.Errorf("row %d: %+v", i, r)
		}
	}
	want := []string{
		"1.parquet:0", "1.parquet:1", "1.parquet:2", "2.parquet", "3.parquet", "4.arrow", "5.feather", "6.parquet",
		"7.parquet:0", "7.parquet:1", "7.parquet:2",
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(got[6].Err, "version 1 of the Feather format") || !strings.Contains(got[7].Err, "no column looks like images") {
		t.Errorf("%q, %q", got[6].Err, got[7].Err)
	}
}

// TestArrowFileCutShort cuts an Arrow file: the batches before the cut come.
func TestArrowFileCutShort(t *testing.T) {
	t.Chdir(t.TempDir())
	data := arrowBytes(t, aTable(20), 5, false)
	whole := wantRows(20, func(i int) string { return fmt.Sprint(i) })
	most := 0
	for cut := len(data) - 1; cut > 0; cut -= 97 {
		write(t, "x.arrow", data[:cut])
		src, err := Open([]string{"x.arrow"}, SourceOptions{})
		must(t, err)
		got := rowsOf(t, src, 0)
		n := len(got)
		if n > 0 && got[n-1].ID == "x.arrow" {
			n--
		} else if n < 20 {
			t.Fatalf("cut at %d: %d rows and no word of the cut", cut, n)
		}
		if n%5 != 0 || !cmp.Equal(got[:n], whole[:n]) && n > 0 {
			t.Fatalf("cut at %d: %+v", cut, got)
		}
		most = max(most, n)
	}
	if most != 20 {
		t.Errorf("at most %d rows came", most)
	}
}

func TestDigestOfTables(t *testing.T) {
	t.Chdir(t.TempDir())
	digest := func(opts SourceOptions) string {
		src, err := Open([]string{"x.tar", "x.parquet"}, opts)
		must(t, err)
		sum, err := src.Digest(context.Background())
		must(t, err)
		return sum
	}
	write(t, "x.tar", tarBytes(t, []string{"a.jpg"}))
	write(t, "x.parquet", parquetBytes(t, aTable(3), 10, compress.Codecs.Snappy))
	first := digest(SourceOptions{})
	if digest(SourceOptions{}) != first {
		t.Error("two looks at the same files give two digests")
	}
	if digest(SourceOptions{IDColumn: "name"}) == first {
		t.Error("other ids, and the same digest")
	}
	write(t, "x.tar", tarBytes(t, []string{"b.jpg", "c.jpg"}))
	if digest(SourceOptions{}) == first {
		t.Error("another archive, and the same digest")
	}
}
