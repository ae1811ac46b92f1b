package ort

import (
	"bytes"
	"os"
	"testing"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/backendtest/tiny"
)

// FuzzReadGraph: any bytes give a graph or an error, without a panic and in bounded memory.
func FuzzReadGraph(f *testing.F) {
	for _, opts := range []tiny.Options{{}, {Weird: tiny.StoredInt8, Output: tiny.Tokens}, {Batch: 1, DType: imgvec.Float16}} {
		path, _ := tiny.Write(f, opts)
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		graph, err := readGraph(bytes.NewReader(data), int64(len(data)))
		if (err == nil) == (graph == nil) {
			t.Errorf("graph %v and error %v", graph, err)
		}
	})
}
