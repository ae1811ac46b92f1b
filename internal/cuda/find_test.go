package cuda

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec"
)

var four = []Info{
	{Ordinal: 0, Name: "NVIDIA A", UUID: "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", PCI: "0000:3b:00.0"},
	{Ordinal: 1, Name: "NVIDIA A", UUID: "GPU-8932f937-0000-4106-c12f-20bd9faed9f6", PCI: "0000:af:00.0"},
	{Ordinal: 2, Name: "NVIDIA B", UUID: "GPU-12345678-0000-4106-c12f-20bd9faed9f6", PCI: "0001:3b:00.0"},
	{Ordinal: 3, Name: "NVIDIA C", UUID: "MIG-99999999-0000-4106-c12f-20bd9faed9f6", PCI: "10de:3b:1f.7"},
}

func TestFind(t *testing.T) {
	for _, c := range []struct {
		ids  string
		want []int
	}{
		{"", []int{0, 1, 2, 3}},
		{"2", []int{2}},
		{"3 0", []int{3, 0}},
		{" 1", []int{1}},
		{"GPU-12345678-0000-4106-c12f-20bd9faed9f6", []int{2}},
		{"GPU-1", []int{2}},
		{"gpu-8932F937-d", []int{0}},
		{"MIG-9", []int{3}},
		{"0000:3b:00.0", []int{0}},
		{"3b:00.0", []int{0}},
		{"3B:0", []int{0}},
		{"00000000:AF:00.0", []int{1}},
		{"0001:3b:00.0 0:3b:0.0", []int{2, 0}},
		{"10de:3b:1f.7", []int{3}},
	} {
		found, err := Find(four, strings.Fields(c.ids))
		var got []int
		for i := range found {
			got = append(got, found[i].Ordinal)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("Find(%q): %v, %v; want %v", c.ids, got, err, c.want)
		}
	}
}

func TestFindNamesWhatIsThere(t *testing.T) {
	for _, c := range []struct{ ids, text string }{
		{"4", "GPU 3 (NVIDIA C, MIG-99999999-0000-4106-c12f-20bd9faed9f6, 10de:3b:1f.7)"},
		{"-1", "none has it"},
		{"GPU-8932f937", "2 have it"},
		{"GPU-", "none has it"},
		{"GPU-12345678-0000-4106-c12f-20bd9faed9f60", "none has it"},
		{"NVIDIA", "none has it"},
		{"0002:3b:00.0", "none has it"},
		{"3b:20.0", "none has it"},
		{"3b:00.8", "none has it"},
		{"3b:zz.0", "none has it"},
		{"a:b:c:d", "none has it"},
		{"0 0000:3b:00.0", "it is GPU 0, which is chosen already"},
	} {
		_, err := Find(four, strings.Fields(c.ids))
		if !errors.Is(err, imgvec.ErrNoDevice) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("Find(%q): %v; want %q in it", c.ids, err, c.text)
		}
	}
	if _, err := Find(nil, []string{"0"}); err == nil || !strings.Contains(err.Error(), "there is no GPU") {
		t.Errorf("on a machine without: %v", err)
	}
}

func FuzzParsePCI(f *testing.F) {
	for _, s := range []string{"0000:3b:00.0", "3b:00", "00000000:AF:1f.7", ":", "1:2:3:4", "ffff:ff:1f.7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parsePCI(s)
		if err != nil {
			return
		}
		if b, err := parsePCI(a.String()); err != nil || a != b {
			t.Errorf("%q is %v, which reads as %v, %v", s, a, b, err)
		}
	})
}
