//go:build cgo && (linux || darwin || freebsd)

package codec

/*
#include <stddef.h>
#include <stdint.h>

typedef uint8_t *(*webp_rgb_into)(const uint8_t *data, size_t size, uint8_t *out, size_t out_size, int stride);
typedef int (*webp_version)(void);

static int webp_decode(void *f, const uint8_t *data, size_t size, uint8_t *out, size_t out_size, int stride) {
	return ((webp_rgb_into)f)(data, size, out, out_size, stride) != NULL;
}
static int webp_get_version(void *f) { return ((webp_version)f)(); }
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

type nativeWebP struct{ rgbInto unsafe.Pointer }

func bindWebP(path string) (any, string, string, error) {
	h, err := dlOpen(path)
	if err != nil {
		return nil, "", "", err
	}
	f, err := dlSymbols(h, "WebPDecodeRGBInto", "WebPGetDecoderVersion")
	if err != nil {
		return nil, "", "", fmt.Errorf("%s: %w", path, err)
	}
	v := int(C.webp_get_version(f[1]))
	version := fmt.Sprintf("%d.%d.%d", v>>16, v>>8&255, v&255)
	return nativeWebP{f[0]}, version, dlPath(f[0]), nil
}

// decode decodes one still frame to out, whose rows are stride bytes apart.
func (n nativeWebP) decode(frame []byte, out []uint8, stride int) error {
	if len(frame) == 0 || len(out) == 0 {
		return errors.New("empty frame")
	}
	if C.webp_decode(n.rgbInto, (*C.uint8_t)(unsafe.SliceData(frame)), C.size_t(len(frame)),
		(*C.uint8_t)(unsafe.SliceData(out)), C.size_t(len(out)), C.int(stride)) == 0 {
		return errors.New("damaged picture data")
	}
	return nil
}
