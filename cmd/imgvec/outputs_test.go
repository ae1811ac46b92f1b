package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// row is one row of an output, whatever its format.
type row struct {
	ID            string    `json:"id"`
	Features      []float32 `json:"features"`
	Error         *string   `json:"error"`
	Width, Height *int32
}

// readRows reads an output whole; an error says that it is not.
func readRows(path string) ([]row, arrow.Metadata, error) {
	switch ext := path[len(path)-4:]; ext {
	case "quet":
		return readParquet(path)
	case "rrow", "rows":
		return readArrow(path)
	case ".npy":
		rows, err := readNPY(path)
		return rows, arrow.Metadata{}, err
	}
	rows, err := readJSONLines(path)
	return rows, arrow.Metadata{}, err
}

func readParquet(path string) ([]row, arrow.Metadata, error) {
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		return nil, arrow.Metadata{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 512}, memory.DefaultAllocator)
	if err != nil {
		return nil, arrow.Metadata{}, err
	}
	schema, err := r.Schema()
	if err != nil {
		return nil, arrow.Metadata{}, err
	}
	records, err := r.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		return nil, arrow.Metadata{}, err
	}
	var rows []row
	for records.Next() {
		rows = append(rows, fromRecord(records.RecordBatch())...)
	}
	return rows, schema.Metadata(), records.Err()
}

func readArrow(path string) ([]row, arrow.Metadata, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, arrow.Metadata{}, err
	}
	var rows []row
	if bytes.HasPrefix(data, []byte("ARROW1")) {
		r, err := ipc.NewFileReader(bytes.NewReader(data))
		if err != nil {
			return nil, arrow.Metadata{}, err
		}
		for i := range r.NumRecords() {
			rec, err := r.RecordBatchAt(i)
			if err != nil {
				return nil, arrow.Metadata{}, err
			}
			rows = append(rows, fromRecord(rec)...)
		}
		return rows, r.Schema().Metadata(), nil
	}
	r, err := ipc.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, arrow.Metadata{}, err
	}
	for r.Next() {
		rows = append(rows, fromRecord(r.RecordBatch())...)
	}
	// Arrow's readers take a stream that just stops for a whole one; ours ends with the mark of the end.
	if r.Err() == nil && !bytes.HasSuffix(data, []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}) {
		return rows, r.Schema().Metadata(), errors.New("the stream has no end")
	}
	return rows, r.Schema().Metadata(), r.Err()
}

func fromRecord(rec arrow.RecordBatch) []row {
	ids, list, errs := rec.Column(0).(*array.String), rec.Column(1).(*array.List), rec.Column(2).(*array.String)
	sides := []*array.Int32{rec.Column(3).(*array.Int32), rec.Column(4).(*array.Int32)}
	rows := make([]row, rec.NumRows())
	for i := range rows {
		rows[i].ID = ids.Value(i)
		if start, end := list.ValueOffsets(i); list.IsValid(i) {
			rows[i].Features = append([]float32{}, list.ListValues().(*array.Float32).Float32Values()[start:end]...)
		}
		if errs.IsValid(i) {
			text := errs.Value(i)
			rows[i].Error = &text
		}
		for k, to := range []**int32{&rows[i].Width, &rows[i].Height} {
			if sides[k].IsValid(i) {
				v := sides[k].Value(i)
				*to = &v
			}
		}
	}
	return rows
}

func readJSONLines(path string) ([]row, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rows []row
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	return rows, lines.Err()
}

func readNPY(path string) ([]row, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rows, err := readJSONLines(path + ".ids.jsonl")
	if err != nil {
		return nil, err
	}
	dim := (len(data) - 128) / 4 / max(len(rows), 1)
	want := fmt.Sprintf("'shape': (%d, %d, )", len(rows), dim)
	if len(data) != 128+len(rows)*dim*4 || !bytes.Contains(data[:128], []byte(want)) {
		return nil, fmt.Errorf("%d bytes and header %q for %d ids", len(data), data[:128], len(rows))
	}
	return rows, nil
}

// absentOrWhole checks an output that somebody may have been stopped from writing.
func absentOrWhole(t *testing.T, path string, rows int) (whole bool) {
	t.Helper()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	got, _, err := readRows(path)
	if err != nil || len(got) != rows {
		t.Errorf("%s is there with %d rows of %d: %v", path, len(got), rows, err)
	}
	return true
}
