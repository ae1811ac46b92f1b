package csrc

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/imgvec/imgvec"
)

// listed is one entry of IMGVEC_KERNELS.
type listed struct {
	name   string
	sync   bool
	params int
}

// header reads the kernels that imgvec.h lists.
func header(t *testing.T) []listed {
	t.Helper()
	text, err := os.ReadFile("imgvec.h")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(text), "#define IMGVEC_KERNELS(")
	if !ok {
		t.Fatal("no IMGVEC_KERNELS in imgvec.h")
	}
	params := map[string]int{"IMGVEC_NORMALIZE(": 7, "IMGVEC_PASS)": 8, "IMGVEC_LAST_PASS(": 12}
	var all []listed
	for _, m := range regexp.MustCompile(`(?m)^ +(IMGVEC_KERNEL(?:_SYNC)?)\((\w+), (\w*)(.*?)\)? *\\?$`).FindAllStringSubmatch(list, -1) {
		k := listed{name: m[2], sync: m[1] == "IMGVEC_KERNEL_SYNC"}
		for macro, n := range params {
			if strings.HasPrefix(m[3]+m[4]+")", macro) {
				k.params = n
			}
		}
		if m[3] == "" { // written out
			k.params = strings.Count(m[4], ",") + 1
		}
		all = append(all, k)
	}
	return all
}

// entry is a kernel as the PTX has it.
func entries(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, part := range strings.Split(PTX, ".entry ")[1:] {
		name, body, ok := strings.Cut(part, "(")
		if !ok {
			t.Fatal("an entry without parameters")
		}
		all[name] = body
	}
	return all
}

// TestKernelsAreListedOnce holds header, PTX and Go's list together: names, parameters, barriers, launch bounds.
func TestKernelsAreListedOnce(t *testing.T) {
	ptx, list := entries(t), header(t)
	if len(list) != len(Kernels) || len(ptx) != len(Kernels) {
		t.Fatalf("%d kernels in imgvec.h, %d in kernels.ptx, %d in Kernels", len(list), len(ptx), len(Kernels))
	}
	bounds := regexp.MustCompile(`\.maxntid (\d+), 1, 1`)
	for i, k := range list {
		if Kernels[i].Name != k.name {
			t.Errorf("Kernels has %s where imgvec.h has %s", Kernels[i].Name, k.name)
		}
		body, ok := ptx[k.name]
		if !ok {
			t.Errorf("%s is not in kernels.ptx: make csrc", k.name)
			continue
		}
		head, _, _ := strings.Cut(body, "{")
		if got := strings.Count(head, ".param .u64 "); got != k.params || strings.Count(head, ".param") != got {
			t.Errorf("%s has %d parameters of 64 bits among %d, imgvec.h says %d", k.name, got, strings.Count(head, ".param"), k.params)
		}
		if syncs := strings.Contains(body, "bar.sync"); syncs != k.sync {
			t.Errorf("%s: barriers %v, imgvec.h says %v", k.name, syncs, k.sync)
		}
		want := "256"
		if Kernels[i].Block == teamThreads {
			want = "128"
		}
		if m := bounds.FindStringSubmatch(head); m == nil || m[1] != want {
			t.Errorf("%s: launch bounds %v, want %s", k.name, m, want)
		}
	}
}

// TestPTX: what it is made for decides which drivers and GPUs take it; and the kernels that are all memory traffic must
// move 16 bytes at a time, and read pictures past the coherent cache.
func TestPTX(t *testing.T) {
	for _, line := range []string{".version 8.0\n", ".target sm_75\n", ".address_size 64\n"} {
		if !strings.Contains(PTX, "\n"+line) {
			t.Errorf("the PTX has no %q", line)
		}
	}
	if strings.Contains(PTX, "\x00") || strings.Contains(PTX, ".local") || strings.Contains(PTX, ".func") {
		t.Error("the PTX has a NUL, local memory or functions that were not inlined")
	}
	for name, body := range entries(t) {
		vector := `st\.global\.v4\.[uf]32`
		switch {
		case strings.HasPrefix(name, "resample_h"), strings.HasPrefix(name, "resample_v") && strings.HasSuffix(name, "f16nhwc"),
			strings.HasPrefix(name, "resample_v") && strings.HasSuffix(name, "f32nhwc"): // one pixel after the other
			continue
		case name == "resample_v_u8nhwc_to_f16nchw":
			vector = `st\.global\.v2\.u32`
		}
		if !regexp.MustCompile(vector).MatchString(body) {
			t.Errorf("%s has no %s", name, vector)
		}
		if !strings.HasPrefix(name, "l2norm") && !strings.Contains(body, "ld.global.nc") {
			t.Errorf("%s has no ld.global.nc", name)
		}
	}
}

// TestHeaderNumbers: Go repeats numbers of imgvec.h.
func TestHeaderNumbers(t *testing.T) {
	text, err := os.ReadFile("imgvec.h")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"IMGVEC_BLOCK = 256, IMGVEC_TEAM = 128", "IMGVEC_BGR = 1,", "IMGVEC_TRANSPOSE = 2,", "IMGVEC_FLIP = 4,"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("imgvec.h has no %q", want)
		}
	}
	fields := regexp.MustCompile(`(?s)typedef struct \{([^}]*)\} imgvec_lanes;`).FindSubmatch(text)
	names := regexp.MustCompile(`(?m)int32_t ([\w, ]+);`).FindAllSubmatch(fields[1], -1)
	var got []string
	for _, n := range names {
		got = append(got, strings.Split(string(n[1]), ", ")...)
	}
	if want := []string{"count", "groups", "first", "last", "lo", "n", "k", "spare"}; !slices.Equal(got, want) || unsafe.Sizeof(lanesHeader{}) != 32 {
		t.Errorf("imgvec_lanes has %q, lanesHeader %q", got, want)
	}
}

func TestGrid(t *testing.T) {
	for _, c := range []struct {
		kernel      string
		work        int64
		sms         int
		grid, block int
	}{
		{"normalize_u8nhwc_to_f32nchw", 0, 132, 1, 256},
		{"normalize_u8nhwc_to_f32nchw", 1024, 132, 1, 256},
		{"normalize_u8nhwc_to_f32nchw", 1025, 132, 2, 256},
		{"normalize_u8nhwc_to_f16nhwc", 64 * 224 * 224, 132, 1056, 256},
		{"normalize_u8nhwc_to_u8nchw", 4097, 0, 2, 256},
		{L2NormF16, 64, 132, 64, 128},
		{"resample_h_u8nhwc_to_u8nhwc", 7 * 24 * 512, 132, 168, 128},
	} {
		if grid, block, shared := Grid(c.kernel, c.work, c.sms); grid != c.grid || block != c.block || shared != 0 {
			t.Errorf("%s, %d on %d: %d, %d, %d; want %d, %d", c.kernel, c.work, c.sms, grid, block, shared, c.grid, c.block)
		}
	}
	for _, layout := range []imgvec.Layout{imgvec.NCHW, imgvec.NHWC} {
		for _, dtype := range []imgvec.DType{imgvec.Float32, imgvec.Float16, imgvec.Uint8} {
			Grid(NormalizeKernel(layout, dtype), 1, 1) // panics where the name is none
		}
	}
}

// TestWords reads an axis back as the kernels do.
func TestWords(t *testing.T) {
	windows := []Window{{3, []int32{1, 2, 3, 4, 5}}, {4, []int32{6}}, {5, []int32{7, 8, 9, 10}}}
	words := NewAxis(windows).Words()
	base := unsafe.Pointer(&words[0])
	h := *(*lanesHeader)(base)
	if h.count != 3 || h.groups != 2 || h.first != 3 || h.last != 9 || h.k%16 != 0 {
		t.Fatalf("%+v", h)
	}
	lo, n, k := array[int32](base, h.lo, 3), array[int32](base, h.n, 3), array[int32](base, h.k, 24)
	if int(h.k)+24*4 > len(words)*8 {
		t.Fatalf("%d words are too few", len(words))
	}
	for i, w := range windows {
		if int(lo[i]) != w.Lo || int(n[i]) != len(w.Weights) {
			t.Errorf("window %d is %d, %d", i, lo[i], n[i])
		}
		for tap := range 8 {
			want := int32(0)
			if tap < len(w.Weights) {
				want = w.Weights[tap]
			}
			if got := k[(tap/4*3+i)*4+tap%4]; got != want {
				t.Errorf("weight %d of window %d is %d, want %d", tap, i, got, want)
			}
		}
	}
}
