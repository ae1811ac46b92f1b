package ort

import (
	"errors"
	"strings"
	"testing"
)

func TestOverrides(t *testing.T) {
	const hygon = 0x1d94
	for _, c := range []struct {
		mode   string
		vendor uint32
		bf16   bool
		want   bool
	}{
		{modeAuto, vendorIntel, true, false},
		{modeAuto, vendorAMD, true, true},
		{modeAuto, vendorAMD, false, false},
		{modeAuto, hygon, true, false},
		{modeIntel, vendorAMD, true, false},
		{modeAny, vendorAMD, false, true},
		{modeAny, hygon, false, true},
		{modeAny, vendorIntel, true, false},
	} {
		if got := overrides(c.mode, c.vendor, c.bf16); got != c.want {
			t.Errorf("%s, vendor %#x, bf16 %v: %v", c.mode, c.vendor, c.bf16, got)
		}
	}
}

func TestOpenVINOMode(t *testing.T) {
	for value, want := range map[string]string{"": "auto", "auto": "auto", "intel": "intel", "any": "any", "off": "off", "on": ""} {
		t.Setenv(OpenVINOVariable, value)
		got, err := openvinoMode()
		var short *Unusable
		if got != want || (err == nil) != (want != "") || err != nil && (!errors.As(err, &short) || !strings.Contains(short.Short, `"on"`)) {
			t.Errorf("%q: %q, %v", value, got, err)
		}
	}
}
