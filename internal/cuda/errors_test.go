//go:build cuda && cgo && linux

package cuda

import (
	"errors"
	"io"
	"strings"
	"testing"

	"gorgonia.org/cu"

	"github.com/imgvec/imgvec"
)

func TestErrorsAreOurs(t *testing.T) {
	if native("x", nil) != nil || nativeCode("x", 0) != nil {
		t.Error("success became an error")
	}
	for _, c := range []struct {
		err    error
		code   int
		memory bool
		lost   bool
	}{
		{cu.OutOfMemory, 2, true, false},
		{cu.InvalidValue, 1, false, false},
		{cu.NotInitialized, 3, false, false},
		{cu.UnsupportedLimit, 215, false, false},
		{cu.InvalidPtx, 218, false, false},
		{cu.NotFound, 500, false, false},
		{cu.LaunchOutOfResources, 701, false, false},
		{cu.EccUncorrectable, 214, false, true},
		{cu.IllegalAddress, 700, false, true},
		{cu.LaunchTimeout, 702, false, true},
		{cu.LaunchFailed, 719, false, true},
		{cu.NoDevice, 100, false, true},
		{cu.Unknown, 999, false, true},
		{io.EOF, 999, false, true}, // no result of the driver: not known what it means
	} {
		got := native("cuX", c.err)
		var e *imgvec.NativeError
		if !errors.As(got, &e) || e.Code != c.code || e.Lib != "cuda" || e.Op != "cuX" || e.Msg == "" {
			t.Errorf("%v: %#v", c.err, got)
		}
		if errors.Is(got, imgvec.ErrOutOfMemory) != c.memory || errors.Is(got, imgvec.ErrNoDevice) != c.lost {
			t.Errorf("%v: %v", c.err, got)
		}
		if c.lost != strings.HasPrefix(got.Error(), "device lost") {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func TestHeldNamesWhatIsLeft(t *testing.T) {
	var h held
	if h.left() != "" || len(h.bytes()) != 0 {
		t.Error("nothing is something")
	}
	h.add(Pixels, 3<<29)
	h.add(Batch, 100)
	h.count("stream", 2)
	if got := h.left(); got != "100 bytes of batch, 1.5 GiB of pixels, 2 of kind stream" {
		t.Error(got)
	}
	h.add(Pixels, -3<<29)
	h.add(Batch, -100)
	h.count("stream", -2)
	if h.left() != "" || len(h.bytes()) != 0 {
		t.Errorf("left %q, %v", h.left(), h.bytes())
	}
}
