//go:build !cgo || !(linux || darwin || freebsd)

package codec

import "errors"

var errNoCgo = errors.New("this build has no cgo: build with CGO_ENABLED=1 to use native codecs")

type nativeWebP struct{}

func bindWebP(string) (any, string, string, error) { return nil, "", "", errNoCgo }

func (nativeWebP) decode([]byte, []uint8, int) error { return errNoCgo }

type nativeTIFF struct{}

func bindTIFF(string) (any, string, string, error) { return nil, "", "", errNoCgo }

func (nativeTIFF) open(*tiffFile, int64) (tiffSource, error) { return nil, errNoCgo }
