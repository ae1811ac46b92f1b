package imgvec_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/imgvec/imgvec"
)

func TestImageErrorKeepsItsCause(t *testing.T) {
	err := error(&imgvec.ImageError{ID: "a.jpg", Index: 3, Err: fmt.Errorf("%w: no SOI marker", imgvec.ErrDecode)})
	if !errors.Is(err, imgvec.ErrDecode) || errors.Is(err, imgvec.ErrTooLarge) {
		t.Errorf("errors.Is does not see the cause of %v", err)
	}
	var image *imgvec.ImageError
	if !errors.As(fmt.Errorf("wrapped: %w", err), &image) || image.Index != 3 {
		t.Errorf("errors.As does not find it")
	}
	if got, want := err.Error(), `image "a.jpg": image not decodable: no SOI marker`; got != want {
		t.Errorf("text = %q, want %q", got, want)
	}
	if got, want := (&imgvec.ImageError{Index: 3, Err: imgvec.ErrTooLarge}).Error(), "image 3: image too large"; got != want {
		t.Errorf("text without an ID = %q, want %q", got, want)
	}
}

func TestNativeErrorText(t *testing.T) {
	for want, err := range map[string]*imgvec.NativeError{
		"onnxruntime: create session: bad node (code 2)": {Lib: "onnxruntime", Op: "create session", Code: 2, Msg: "bad node"},
		"libjpeg: read header: empty input":              {Lib: "libjpeg", Op: "read header", Msg: "empty input"},
	} {
		if got := err.Error(); got != want {
			t.Errorf("text = %q, want %q", got, want)
		}
	}
}
