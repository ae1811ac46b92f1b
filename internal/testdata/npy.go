package testdata

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Array is a NumPy array in C order.
type Array struct {
	Shape []int
	Float []float32 // of '<f4'
	Bytes []uint8   // of '|u1'
}

// Row is row i of a float array: everything behind the first axis.
func (a Array) Row(i int) []float32 {
	n := len(a.Float) / a.Shape[0]
	return a.Float[i*n : (i+1)*n]
}

// NPY reads a .npy file of the test data (float32 or uint8, C order).
func NPY(t testing.TB, name string) Array {
	t.Helper()
	data, err := os.ReadFile(Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	array, err := parseNPY(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return array
}

// NPZ reads the arrays of a .npz file of the test data, by name; those of other types than float32 and uint8 are left out.
func NPZ(t testing.TB, name string) map[string]Array {
	t.Helper()
	archive, err := zip.OpenReader(Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	arrays := map[string]Array{}
	for _, file := range archive.File {
		data, err := readZipped(file)
		if err != nil {
			t.Fatalf("%s: %s: %v", name, file.Name, err)
		}
		if array, err := parseNPY(data); err == nil {
			arrays[strings.TrimSuffix(file.Name, ".npy")] = array
		}
	}
	return arrays
}

func readZipped(file *zip.File) ([]byte, error) {
	r, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

var npyHeader = regexp.MustCompile(`'descr': *'([^']+)', *'fortran_order': *False, *'shape': *\(([^)]*)\)`)

func parseNPY(data []byte) (Array, error) {
	if len(data) < 10 || !bytes.HasPrefix(data, []byte("\x93NUMPY\x01")) {
		return Array{}, fmt.Errorf("no NPY file of version 1")
	}
	end := 10 + int(binary.LittleEndian.Uint16(data[8:]))
	header := npyHeader.FindSubmatch(data[10:end])
	if header == nil {
		return Array{}, fmt.Errorf("header %q is not known", data[10:end])
	}
	var array Array
	count := 1
	for field := range strings.SplitSeq(string(header[2]), ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		n, err := strconv.Atoi(field)
		if err != nil {
			return Array{}, err
		}
		array.Shape = append(array.Shape, n)
		count *= n
	}
	body := data[end:]
	switch string(header[1]) {
	case "<f4":
		if len(body) != 4*count {
			return Array{}, fmt.Errorf("%d bytes for %d floats", len(body), count)
		}
		array.Float = make([]float32, count)
		for i := range array.Float {
			array.Float[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
		}
	case "|u1":
		array.Bytes = body
	default:
		return Array{}, fmt.Errorf("type %q is not read here", header[1])
	}
	return array, nil
}
