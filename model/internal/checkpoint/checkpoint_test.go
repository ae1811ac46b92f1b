package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, name string) *File {
	t.Helper()
	f, err := Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func read(t *testing.T, f *File, name string) *Tensor {
	t.Helper()
	tensor, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %q among %q", name, f.Names())
	}
	return tensor
}

// element is what testdata/make.py puts at place i of storage k.
func element(d DType, k, i int) float32 {
	switch d {
	case F64, F32, F16, BF16:
		return float32(i+k)/8 - 1
	case Bool:
		return float32((i + k) % 2)
	}
	return float32(i + k)
}

// kinds are the storage classes in the order of make.py, which numbers them from 10.
var kinds = []struct {
	name  string
	dtype DType
}{
	{"BFloat16Storage", BF16}, {"BoolStorage", Bool}, {"ByteStorage", U8}, {"CharStorage", I8}, {"DoubleStorage", F64},
	{"FloatStorage", F32}, {"HalfStorage", F16}, {"IntStorage", I32}, {"LongStorage", I64}, {"ShortStorage", I16},
}

func wantValues(t *testing.T, f *File, name string, want []float32) {
	t.Helper()
	got, err := read(t, f, name).Float32s()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got\n%s", name, diff)
	}
}

func TestEveryElementType(t *testing.T) {
	for _, file := range []string{"zip.pth", "zip-protocol4.pth", "legacy.pth", "all.safetensors"} {
		t.Run(file, func(t *testing.T) {
			f := open(t, file)
			for k, kind := range kinds {
				tensor := read(t, f, kind.name)
				if tensor.DType != kind.dtype || !cmp.Equal(tensor.Shape, []int64{2, 3}) {
					t.Errorf("%s: %s %v", kind.name, tensor.DType, tensor.Shape)
				}
				var want []float32
				for i := range 6 {
					want = append(want, element(kind.dtype, 10+k, i))
				}
				wantValues(t, f, kind.name, want)
			}
		})
	}
}

func TestViewsOfOneStorage(t *testing.T) {
	for _, file := range []string{"zip.pth", "zip-protocol4.pth", "legacy.pth"} {
		t.Run(file, func(t *testing.T) {
			f := open(t, file)
			at := func(i int) float32 { return element(F32, 0, i) }
			var plain, transposed, slice []float32
			for i := range 24 {
				plain = append(plain, at(i))
			}
			for row := range 4 {
				for column := range 6 {
					transposed = append(transposed, at(row+4*column))
				}
			}
			for row := range 2 {
				for column := range 2 {
					slice = append(slice, at(5+12*row+column))
				}
			}
			wantValues(t, f, "plain", plain)
			wantValues(t, f, "transposed", transposed)
			wantValues(t, f, "slice", slice)
			wantValues(t, f, "scalar", []float32{element(I64, 1, 0)})
			wantValues(t, f, "empty", nil)
			wantValues(t, f, "parameter", []float32{element(F32, 3, 0), element(F32, 3, 1), element(F32, 3, 2), element(F32, 3, 3), element(F32, 3, 4)})
		})
	}
}

func TestStateDictInsideATrainingCheckpoint(t *testing.T) {
	f := open(t, "wrapped.pth")
	if diff := cmp.Diff([]string{"a", "b"}, f.Names()); diff != "" {
		t.Errorf("names without DataParallel's prefix: -want +got\n%s", diff)
	}
	wantValues(t, f, "b", []float32{element(F32, 1, 0), element(F32, 1, 1)})
}

func TestForeignGlobalsAreRefusedByName(t *testing.T) {
	for _, file := range []string{"evil-zip.pth", "evil-legacy.pth"} {
		_, err := Open(filepath.Join("testdata", file))
		if err == nil || !strings.Contains(err.Error(), "posix.system") {
			t.Errorf("%s: %v, expected a refusal that names posix.system", file, err)
		}
	}
	if _, err := os.Stat("/tmp/executed"); err == nil {
		t.Error("a checkpoint's code was executed")
	}
}

// legacy puts a hand-written object pickle between the parts of a legacy file.
func legacy(object, keys, data string) []byte {
	head := "\x80\x02\x8a\x0a" + legacyMagic + "." + "\x80\x02M\xe9\x03." + "\x80\x02}."
	return []byte(head + "\x80\x02" + object + "." + "\x80\x02" + keys + "." + data)
}

const (
	floatStorage = "(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu"
	rebuild      = "ctorch._utils\n_rebuild_tensor_v2\n"
	oneKey       = "](U\x010e"
)

// tensorPickle is {"w": tensor} with a storage of numel and the given offset, size, stride (pickled).
func tensorPickle(numel, offset, size, stride string) string {
	return "}(U\x01w" + rebuild + "(" + floatStorage + numel + "NtQ" + offset + size + stride + "\x89}tRu"
}

func TestHostilePickles(t *testing.T) {
	four := "\x04\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x00\x00\x80\x3f", 4)
	huge := "J\xff\xff\xff\x7f"
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"sane":                 {legacy(tensorPickle("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"), oneKey, four), ""},
		"storage beyond file":  {legacy(tensorPickle(huge, "K\x00", "K\x04\x85", "K\x01\x85"), oneKey, "\xff\xff\xff\x7f\x00\x00\x00\x00abcd"), "cut off"},
		"other length in file": {legacy(tensorPickle(huge, "K\x00", "K\x04\x85", "K\x01\x85"), oneKey, four), "2147483647 expected"},
		"negative length":      {legacy(tensorPickle("J\xff\xff\xff\xff", "K\x00", "K\x04\x85", "K\x01\x85"), oneKey, four), "a storage of"},
		"shape beyond storage": {legacy(tensorPickle("K\x04", "K\x00", "K\x05\x85", "K\x01\x85"), oneKey, four), "do not fit"},
		"offset beyond":        {legacy(tensorPickle("K\x04", "K\x01", "K\x04\x85", "K\x01\x85"), oneKey, four), "reaches element 4"},
		"negative offset":      {legacy(tensorPickle("K\x04", "J\xff\xff\xff\xff", "K\x04\x85", "K\x01\x85"), oneKey, four), "do not fit"},
		"stride beyond":        {legacy(tensorPickle("K\x04", "K\x00", "K\x02\x85", huge+"\x85"), oneKey, four), "reaches element"},
		"negative stride":      {legacy(tensorPickle("K\x04", "K\x03", "K\x04\x85", "J\xff\xff\xff\xff\x85"), oneKey, four), "stride"},
		"stride zero, endless": {legacy(tensorPickle("K\x04", "K\x00", huge+"K\x01\x86", "K\x00K\x00\x86"), oneKey, four), "do not fit"},
		"overflowing shape":    {legacy(tensorPickle("K\x04", "K\x00", "("+strings.Repeat(huge, 5)+"t", "(K\x00K\x00K\x00K\x00K\x00t"), oneKey, four), "not possible"},
		"negative shape":       {legacy(tensorPickle("K\x04", "K\x00", "J\xff\xff\xff\xff\x85", "K\x01\x85"), oneKey, four), "not possible"},
		"no data":              {legacy(tensorPickle("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"), "]", ""), "has no data"},
		"key twice":            {legacy(tensorPickle("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"), "](U\x010U\x010e", four+four), "listed twice"},
		"os.system":            {legacy("cos\nsystem\n(U\x04trueR", oneKey, four), "os.system"},
		"eval":                 {legacy("c__builtin__\neval\n", "]", ""), "__builtin__.eval"},
		"builtins by stack":    {legacy("\x8c\x08builtins\x8c\x04exec\x93", "]", ""), "builtins.exec"},
		"INST opcode":          {legacy("(ios\nsystem\n", "]", ""), "opcode 0x69"},
		"OBJ opcode":           {legacy("(o", "]", ""), "opcode 0x6f"},
		"NEWOBJ opcode":        {legacy("))\x81", "]", ""), "can't make an object"},
		"EXT opcode":           {legacy("\x82\x01", "]", ""), "opcode 0x82"},
		"no state dict":        {legacy("K\x01", "]", ""), "not a state dict"},
		"dict of numbers":      {legacy("}(U\x05epochK\x01u", "]", ""), "at the top are: epoch"},
		"empty stack":          {legacy("0", "]", ""), "stack is empty"},
		"no mark":              {legacy("K\x01t", "]", ""), "no mark"},
		"mark as value":        {legacy("(0", "]", ""), "a mark"},
		"unset memo":           {legacy("h\x07", "]", ""), "memo 7"},
		"string of 4 GiB":      {legacy("X\xff\xff\xff\xff", "]", ""), "too long"},
		"string of 2^64":       {legacy("\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "]", ""), "too long"},
		"list is its own item": {legacy("]q\x00h\x00a", "]", ""), "not a state dict"},
		"call of a tensor":     {legacy("}K\x01R", "]", ""), "can't call"},
		"dict of unhashables":  {legacy("}(}}])u", "]", ""), "at the top"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(c.file), int64(len(c.file)))
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, expected an error with %q", err, c.want)
			}
		})
	}
}

// TestMemoryIsBounded reads pickles that try to make much out of little.
func TestMemoryIsBounded(t *testing.T) {
	// A list of 1,000 items, then OrderedDict([the list]) as often as the file has room: each copies the list.
	copies := "](" + strings.Repeat("N", 1000) + "eq\x00" + strings.Repeat("0ccollections\nOrderedDict\nh\x00\x85R", 100_000)
	for name, object := range map[string]string{
		"marks":   strings.Repeat("(", 6_000_000),
		"memos":   "N" + strings.Repeat("\x94", 6_000_000),
		"copies":  copies,
		"strings": strings.Repeat("X\x00\x00\x10\x00", 100_000),
	} {
		file := legacy(object, "]", "")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Read(bytes.NewReader(file), int64(len(file))); err == nil {
			t.Errorf("%s: accepted", name)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
			t.Errorf("%s: %d MiB allocated for a file of %d MiB", name, used>>20, len(file)>>20)
		}
	}
}

func TestCutOffFiles(t *testing.T) {
	for _, name := range []string{"zip.pth", "zip-protocol4.pth", "legacy.pth", "all.safetensors"} {
		whole, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for n := range whole {
			if f, err := Read(bytes.NewReader(whole[:n]), int64(n)); err == nil && readAll(f) == nil {
				t.Fatalf("%s: accepted when cut to %d of %d bytes", name, n, len(whole))
			}
		}
	}
}

func readAll(f *File) error {
	for _, name := range f.Names() {
		t, _ := f.Tensor(name)
		if _, err := t.Float32s(); err != nil {
			return err
		}
	}
	return nil
}

func TestDamageInAZipIsSeen(t *testing.T) {
	whole, err := os.ReadFile("testdata/zip.pth")
	if err != nil {
		t.Fatal(err)
	}
	// The first element of storage 0 is -1, in float32 00 00 80 bf; no pickle holds these bytes.
	at := bytes.Index(whole, []byte{0, 0, 0x80, 0xbf})
	whole[at] ^= 1
	f, err := Read(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, f, "plain").Float32s(); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a flipped bit in a tensor: %v", err)
	}
}

func TestHostileSafetensors(t *testing.T) {
	file := func(header, data string) []byte {
		n := len(header)
		return []byte(string([]byte{byte(n), byte(n >> 8), 0, 0, 0, 0, 0, 0}) + header + data)
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"sane":          {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "abcd"), ""},
		"header length": {[]byte("\xff\xff\xff\xff\xff\xff\xff\x7f{}"), "header of"},
		"overlap":       {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "abcd"), "starts at 0, not at 4"},
		"gap":           {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "abcdabcd"), "starts at 4"},
		"rest":          {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "abcdabcd"), "4 bytes are left"},
		"beyond":        {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, "abcd"), "not possible"},
		"backwards":     {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,-4]}}`, "abcd"), "not possible"},
		"wrong size":    {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, "abcd"), "4 bytes for shape"},
		"overflow":      {file(`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, ""), "not possible"},
		"type":          {file(`{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}`, "abcd"), "F8_E4M3"},
		"not JSON":      {file(`{nonsense}`, ""), "header"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(c.file), int64(len(c.file)))
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, expected an error with %q", err, c.want)
			}
		})
	}
}

func TestHalfToFloat(t *testing.T) {
	for h := range 1 << 16 {
		sign, exponent, fraction := h>>15, h>>10&31, h&1023
		want := math.Ldexp(float64(fraction)/1024+1, exponent-15)
		switch {
		case exponent == 0:
			want = math.Ldexp(float64(fraction), -24)
		case exponent == 31 && fraction == 0:
			want = math.Inf(1)
		case exponent == 31:
			want = math.NaN()
		}
		if sign == 1 {
			want = -want
		}
		got := float64(F16.float(binary.LittleEndian.AppendUint16(nil, uint16(h))))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (sign == 1) && !math.IsNaN(got) {
			t.Fatalf("%04x: %v, expected %v", h, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range seeds {
		data, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, name := range file.Names() {
			tensor, _ := file.Tensor(name)
			values, err := tensor.Float32s()
			if err == nil && int64(len(values)) != tensor.Len() {
				t.Errorf("%s: %d elements, shape %v", name, len(values), tensor.Shape)
			}
			if len(values) > len(data) {
				t.Errorf("%s: %d elements out of %d bytes", name, len(values), len(data))
			}
		}
	})
}
