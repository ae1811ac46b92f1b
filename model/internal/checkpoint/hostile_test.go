package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// refused fails unless reading file is an error with want, that costs little memory.
func refused(t *testing.T, file []byte, want string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := Read(bytes.NewReader(file), int64(len(file)))
	if err == nil {
		err = readAll(f)
	}
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, expected an error with %q", err, want)
	}
	if err != nil && len(err.Error()) > 2000 {
		t.Errorf("the error has %d characters", len(err.Error()))
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
		t.Errorf("%d MiB allocated for a file of %d KiB", used>>20, len(file)>>10)
	}
}

// TestDeepValuesAreNotWalked has values that are a million deep, hold themselves, or stand for 2^60 others, at every
// place whose content an error could show.
func TestDeepValuesAreNotWalked(t *testing.T) {
	deep := ")" + strings.Repeat("\x85", 1_000_000) // ((((...),),),)
	doubled := ")" + strings.Repeat("q\x00h\x00\x86", 60)
	for name, value := range map[string]string{"deep": deep, "doubled": doubled, "itself": "]q\x00h\x00a"} {
		t.Run(name, func(t *testing.T) {
			refused(t, legacy("}("+value+"Nu", "]", ""), "no state dict")
			refused(t, legacy("}(U\x01a"+value+"u", "]", ""), "no state dict")
			refused(t, legacy(value, "]", ""), "not a state dict")
			refused(t, legacy("}"+value+"R", "]", ""), "can't call")
			refused(t, legacy("}(U\x01w"+rebuild+value+"Ru", "]", ""), "pickle: ")
			refused(t, legacy("}(U\x01w"+value+"Qu", "]", ""), "persistent id")
			refused(t, legacy("}", value, ""), "storage")
			head := "\x80\x02\x8a\x0a" + legacyMagic + "."
			refused(t, []byte(head+"\x80\x02"+value+"."), "protocol")
		})
	}
}

// gadgets are calls by which pickles run code, one for each way there is to name them.
func TestGadgetsAreRefusedByName(t *testing.T) {
	for name, object := range map[string]string{
		"os.system":                      "cos\nsystem\n(U\x04trueR",
		"subprocess.Popen":               "csubprocess\nPopen\n(](U\x02idetR",
		"builtins.eval":                  "cbuiltins\neval\n(U\x011tR",
		"builtins.getattr":               "cbuiltins\ngetattr\n)R",
		"torch.load":                     "ctorch\nload\n(U\x01xtR",
		"torch.hub.load":                 "ctorch.hub\nload\n(U\x01xtR",
		"torch.jit.load":                 "ctorch.jit\nload\n(U\x01xtR",
		"torch.storage._load_from_bytes": "ctorch.storage\n_load_from_bytes\n(U\x01xtR",
		"numpy.load":                     "cnumpy\nload\n)R",
		"functools.partial":              "cfunctools\npartial\n)R",
		"operator.attrgetter":            "coperator\nattrgetter\n)R",
		"torch._utils._rebuild_tensor_v2.__globals__": "ctorch._utils\n_rebuild_tensor_v2.__globals__\n)R",
		"collections.OrderedDict.__init__":            "ccollections\nOrderedDict.__init__\n)R",
		"__torch__.Module":                            "c__torch__\nModule\n)\x81", // only in a TorchScript archive
		"pickle.loads":                                "\x8c\x06pickle\x8c\x05loads\x93",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, legacy(object, "]", ""), name+", which is no part of a plain state dict, and is refused (nothing was executed)")
		})
	}
}

// zipOf makes an archive of stored members.
func zipOf(t *testing.T, members ...[2]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, member := range members {
		header := &zip.FileHeader{Name: "a/" + member[0], Method: zip.Store}
		header.CRC32 = crc32.ChecksumIEEE([]byte(member[1]))
		header.CompressedSize64, header.UncompressedSize64 = uint64(len(member[1])), uint64(len(member[1]))
		part, err := w.CreateRaw(header)
		if err == nil {
			_, err = part.Write([]byte(member[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// zipTensor is the pickle {key: tensor of 4 floats in storage key}, for each key.
func zipPickleOf(keys ...string) string {
	object := "\x80\x02}("
	for _, key := range keys {
		storage := fmt.Sprintf("(U\x07storagectorch\nFloatStorage\nU%c%sU\x03cpuK\x04tQ", len(key), key)
		object += fmt.Sprintf("U%c%s", len(key), key) + rebuild + "(" + storage + "K\x00K\x04\x85K\x01\x85\x89}tR"
	}
	return object + "u."
}

// patched replaces the n-th central directory entry's field at offset.
func patched(t *testing.T, file []byte, n, offset int, value uint32) []byte {
	t.Helper()
	file = bytes.Clone(file)
	at := 0
	for range n + 1 {
		next := bytes.Index(file[at:], []byte("PK\x01\x02"))
		if next < 0 {
			t.Fatal("no such entry")
		}
		at += next + 4
	}
	binary.LittleEndian.PutUint32(file[at-4+offset:], value)
	return file
}

// Offsets in an entry of a zip's central directory.
const (
	compressedSize   = 20
	uncompressedSize = 24
	localOffset      = 42
)

func TestHostileZips(t *testing.T) {
	floats := strings.Repeat("\x00\x00\x80\x3f", 4)
	sane := zipOf(t, [2]string{"data.pkl", zipPickleOf("0", "1")}, [2]string{"data/0", floats}, [2]string{"data/1", floats})
	if f, err := Read(bytes.NewReader(sane), int64(len(sane))); err != nil || readAll(f) != nil {
		t.Fatalf("the sane one: %v", err)
	}
	first := binary.LittleEndian.Uint32(patched(t, sane, 1, 0, 0x02014b50)[bytes.LastIndex(sane, []byte("a/data/0"))-4:])
	huge := patched(t, patched(t, sane, 2, uncompressedSize, 0xfffffff0), 2, compressedSize, 0xfffffff0)
	var bomb bytes.Buffer
	w := zip.NewWriter(&bomb)
	part, err := w.Create("a/data.pkl")
	if err != nil {
		t.Fatal(err)
	}
	for range 1 << 6 {
		part.Write(bytes.Repeat([]byte("N"), 1<<20)) //nolint:errcheck // into memory
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"two members at one place":   {patched(t, sane, 2, localOffset, first), "share the same bytes"},
		"a member that is not there": {zipOf(t, [2]string{"data.pkl", zipPickleOf("0", "1")}, [2]string{"data/0", floats}), "has no data"},
		"a name twice":               {zipOf(t, [2]string{"data.pkl", zipPickleOf("0")}, [2]string{"data/0", floats}, [2]string{"data/0", floats}), "is there twice"},
		"two pickles":                {zipOf(t, [2]string{"data.pkl", zipPickleOf("0")}, [2]string{"data.pkl", "."}, [2]string{"data/0", floats}), "is there twice"},
		"a size beyond the file":     {huge, "bytes for 4 elements"},
		"a member too short":         {zipOf(t, [2]string{"data.pkl", zipPickleOf("0")}, [2]string{"data/0", floats[:12]}), "12 bytes for 4 elements"},
		"a pickle of 64 MiB":         {bomb.Bytes(), "more steps"},
		"big-endian":                 {zipOf(t, [2]string{"data.pkl", zipPickleOf("0")}, [2]string{"byteorder", "big"}, [2]string{"data/0", floats}), "byte order"},
		"no pickle":                  {zipOf(t, [2]string{"data/0", floats}), "without data.pkl"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.file, c.want) })
	}
}

func TestHostileHeaders(t *testing.T) {
	file := func(length uint64, header, data string) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, length), header+data...)
	}
	whole := func(header string) []byte { return file(uint64(len(header)), header, "abcd") }
	entry := `"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"2^60 bytes":       {file(1<<60, "{", "}"), "header of 1152921504606846976 bytes"},
		"a name twice":     {whole("{" + entry + "," + entry + "}"), "is there twice"},
		"a million deep":   {whole(strings.Repeat(`{"a":`, 1_000_000)), "header"},
		"more behind it":   {whole("{" + entry + "}[["), "something follows"},
		"no closing brace": {whole("{" + entry), "cut off"},
		"many names": {whole("{" + strings.Repeat(`"x":0,`, 10) + func() string {
			var b strings.Builder
			for i := range 200_000 {
				fmt.Fprintf(&b, `"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},`, i)
			}
			return b.String()
		}() + entry + "}"), "header"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.file, c.want) })
	}
}

func TestHostileTorchScript(t *testing.T) {
	module := "c__torch__.m\nM\n)\x81"
	attrs := func(inside string) string { return module + "}(U\x01a" + inside + "ub" }
	nested := module
	for range 200 {
		nested = attrs(nested)
	}
	for name, c := range map[string]struct{ pickle, want string }{
		"modules in modules": {nested, "more modules"},
		"a module in itself": {module + "q\x00}(U\x01ah\x00ub", "more modules"},
		"2^60 modules":       {module + "q\x00" + strings.Repeat("0"+module+"}(U\x01ah\x00U\x01bh\x00ubq\x00", 60), "more modules"},
		"no tensors":         {module, "no state dict"},
		"code":               {"cos\nsystem\n(U\x04trueR", "os.system"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, zipOf(t, [2]string{"data.pkl", "\x80\x02" + c.pickle + "."}, [2]string{scriptConstants, "\x80\x02)."}), c.want)
		})
	}
}

func TestHostileIndexes(t *testing.T) {
	dir := t.TempDir()
	shard, err := os.ReadFile("testdata/all.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("all-00001-of-00001.safetensors", string(shard))
	everywhere := func(file string) string {
		var b strings.Builder
		for _, kind := range kinds {
			fmt.Fprintf(&b, `%q:%q,`, kind.name, file)
		}
		return b.String()
	}
	for name, c := range map[string]struct{ index, want string }{
		"a path":           {`{"weight_map":{"a":"../all.safetensors"}}`, "not the name of a file beside"},
		"an absolute path": {`{"weight_map":{"a":"/etc/passwd"}}`, "not the name of a file beside"},
		"itself":           {`{"weight_map":{"a":"all.safetensors.index.json"}}`, "not the name of a file beside"},
		"no map":           {`{"metadata":{}}`, "not a JSON object"},
		"an empty map":     {`{"weight_map":{}}`, "no weight_map"},
		"a missing file":   {`{"weight_map":{"a":"all-00002-of-00002.safetensors"}}`, "is missing"},
		"a missing tensor": {`{"weight_map":{` + everywhere("all-00001-of-00001.safetensors") + `"a":"all-00001-of-00001.safetensors"}}`, `"a" is not in`},
		"another tensor":   {`{"weight_map":{"FloatStorage":"all-00001-of-00001.safetensors"}}`, "which the index does not say"},
		"a name twice":     {`{"weight_map":{"a":"x","a":"y"}}`, "is there twice"},
		"numbers":          {`{"weight_map":{"a":1}}`, "cannot unmarshal"},
		"many files": {`{"weight_map":{` + func() string {
			var b strings.Builder
			for i := range 2000 {
				fmt.Fprintf(&b, `"%d":"%d",`, i, i)
			}
			return strings.TrimSuffix(b.String(), ",")
		}() + `}}`, "more than 1000 files"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(put("all.safetensors.index.json", c.index)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, expected an error with %q", err, c.want)
			}
		})
	}
	index := put("all.safetensors.index.json", `{"metadata":{},"weight_map":{`+strings.TrimSuffix(everywhere("all-00001-of-00001.safetensors"), ",")+`}}`)
	f, err := Open(index)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	if len(f.Names()) != len(kinds) || readAll(f) != nil || f.Format != "safetensors, 1 files" {
		t.Errorf("%s with %q", f.Format, f.Names())
	}
	if _, err := Open(filepath.Join(dir, "all-00001-of-00001.safetensors")); err == nil || !strings.Contains(err.Error(), "name their index, all.safetensors.index.json") {
		t.Errorf("one file of several: %v", err)
	}
}

func TestTorchScriptIsReadAsData(t *testing.T) {
	f := open(t, "torchscript.pt")
	if f.Format != "TorchScript" {
		t.Errorf("format %q", f.Format)
	}
	for name, elements := range map[string]int{"conv.weight": 12, "conv.bias": 4, "proj": 8, "blocks.0.weight": 4, "blocks.0.bias": 2,
		"blocks.1.weight": 2, "blocks.1.bias": 2, "scale": 1} {
		want := make([]float32, elements)
		for i := range want {
			want[i] = element(F16, 0, i)
		}
		wantValues(t, f, name, want)
	}
	if len(f.Names()) != 8 {
		t.Errorf("%q", f.Names())
	}
}

func TestAveragedWeightsComeFirst(t *testing.T) {
	f := open(t, "training.pth")
	if f.Part != "model_ema" || len(f.Names()) != 1 {
		t.Errorf("part %q of %q", f.Part, f.Names())
	}
	wantValues(t, f, "w", []float32{element(F32, 1, 0), element(F32, 1, 1), element(F32, 1, 2), element(F32, 1, 3)})
	if other := open(t, "wrapped.pth"); other.Part != "" {
		t.Errorf("there was no choice, and %q was taken", other.Part)
	}
}
