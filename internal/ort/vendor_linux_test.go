//go:build cgo && linux && amd64

package ort

import (
	"errors"
	"testing"

	"github.com/imgvec/imgvec/internal/testdata"
)

// core starts ONNX Runtime and tells its path.
func core(t *testing.T) string {
	t.Helper()
	testdata.Home(t)
	environment, err := Start("")
	if err != nil {
		testdata.Require(t, "ort", err.Error())
	}
	return environment.Path
}

// The CPU passes for Intel's during the call and only then, however the call ends.
func TestAsIntelGivesTheVendorBack(t *testing.T) {
	library := core(t)
	field, why := findVendor(library)
	if why != "" {
		t.Fatal(why)
	}
	truth := field.read()
	fails := errors.New("does not register")
	for name, end := range map[string]func() error{
		"good":   func() error { return nil },
		"fails":  func() error { return fails },
		"panics": func() error { panic("in the plugin") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if reason := recover(); (reason != nil) != (name == "panics") {
					t.Errorf("panic %v", reason)
				}
				if got := field.read(); got != truth {
					t.Errorf("vendor %#x afterwards, %#x before", got, truth)
				}
			}()
			why, err := asIntel(modeAny, library, func() error {
				if got := field.read(); got != vendorIntel {
					t.Errorf("vendor %#x during the call", got)
				}
				return end()
			})
			if why != "" || errors.Is(err, fails) != (name == "fails") {
				t.Errorf("%q, %v", why, err)
			}
		})
	}
}

func TestAsIntelLeavesAlone(t *testing.T) {
	library := core(t)
	field, why := findVendor(library)
	if why != "" {
		t.Fatal(why)
	}
	truth := field.read()
	for name, c := range map[string]struct{ mode, library, why string }{
		"by the variable":  {modeIntel, library, ""},
		"a host's library": {modeAny, "", "the host program opened ONNX Runtime"},
		"another library":  {modeAny, "/nowhere/libonnxruntime.so", "ONNX Runtime's library is not open"},
	} {
		called := false
		why, err := asIntel(c.mode, c.library, func() error {
			called = true
			if got := field.read(); got != truth {
				t.Errorf("%s: vendor %#x during the call, in truth %#x", name, got, truth)
			}
			return nil
		})
		if !called || why != c.why || err != nil {
			t.Errorf("%s: called %v, %q, %v", name, called, why, err)
		}
	}
}

// The API does not believe what is not written in its place.
func TestVendorWrite(t *testing.T) {
	field, why := findVendor(core(t))
	if why != "" {
		t.Fatal(why)
	}
	truth := field.read()
	defer field.write(truth)
	if !field.write(0x1234) || field.read() != 0x1234 || !field.write(truth) || field.read() != truth {
		t.Errorf("vendor %#x, in truth %#x", field.read(), truth)
	}
}
