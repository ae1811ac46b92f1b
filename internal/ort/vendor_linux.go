//go:build cgo && linux && amd64

package ort

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct { const void **(*get_api)(uint32_t); const char *(*get_version)(void); } api_base;

// Indices into OrtApi, which only ever grows at its end.
enum { API = 29, DEVICE_TYPE = 307, VENDOR_ID = 308, DEVICE_ID = 310, EP_DEVICE_DEVICE = 316, TYPE_CPU = 0 };

typedef uint32_t (*getter)(const void *);

// vendor_field is the place of a CPU's vendor id in ONNX Runtime's memory.
typedef struct {
	uint32_t *at;
	const void *device;
	getter vendor;
} vendor_field;

// imgvec_vendor_find fills f for the CPU that ep_device stands for. It returns 0, or what is wrong: the three numbers
// that the API tells of the device must lie at its beginning, each in its place.
static const char *imgvec_vendor_find(const char *library, const void *ep_device, vendor_field *f) {
	void *lib = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
	if (!lib) return "ONNX Runtime's library is not open";
	api_base *(*get)(void) = (api_base *(*)(void))dlsym(lib, "OrtGetApiBase");
	const void **api = get && get() ? get()->get_api(API) : NULL;
	dlclose(lib); // the count that RTLD_NOLOAD added
	if (!api) return "ONNX Runtime has no API of that version";
	f->device = ((const void *(*)(const void *))api[EP_DEVICE_DEVICE])(ep_device);
	if (!f->device) return "ONNX Runtime's device stands for no hardware";
	f->vendor = (getter)api[VENDOR_ID];
	uint32_t *words = (uint32_t *)f->device;
	uint32_t type = ((getter)api[DEVICE_TYPE])(f->device);
	if (type != TYPE_CPU) return "ONNX Runtime's device is no CPU";
	if (words[0] != type || words[1] != f->vendor(f->device) || words[2] != ((getter)api[DEVICE_ID])(f->device))
		return "ONNX Runtime keeps the vendor elsewhere";
	f->at = &words[1];
	return NULL;
}

static uint32_t imgvec_vendor_get(const vendor_field *f) { return f->vendor(f->device); }

// imgvec_vendor_set writes an id, and tells whether the API says so now.
static int imgvec_vendor_set(const vendor_field *f, uint32_t id) {
	__atomic_store_n(f->at, id, __ATOMIC_SEQ_CST);
	return f->vendor(f->device) == id;
}
*/
import "C"

import (
	"errors"
	"unsafe"

	"github.com/yalue/onnxruntime_go"
	"golang.org/x/sys/cpu"
)

// asIntel calls register while ONNX Runtime says that this CPU is Intel's, where mode and the CPU want that, and
// otherwise just calls it. why tells why the maker was not hidden though it should have been; register is called then
// too.
//
// The plugin lists its CPU device only if ONNX Runtime's vendor id of the CPU is Intel's, though OpenVINO itself runs on
// any x86-64 with AVX2, and on AMD from Zen 4 on computes in bf16 about twice as fast as anything in fp32. It asks once,
// while it is registered, and there is no option. So for the time of that call the id is another one in ONNX Runtime's
// memory. What makes this safe:
//
//   - nothing is written unless type, vendor and device id, as the API tells them, lie one after another where they are
//     expected, and the API confirms what was written; another layout leaves everything alone;
//   - the true id is back before the call returns, so that the host's other providers see the truth;
//   - the lock of this package is held, so that it happens once.
func asIntel(mode, library string, register func() error) (why string, err error) {
	field, why := findVendor(library)
	if why != "" || !overrides(mode, field.read(), cpu.X86.HasAVX512BF16) {
		return why, register()
	}
	truth := field.read()
	defer func() {
		if !field.write(truth) {
			err = errors.Join(err, errors.New("imgvec: BUG: ONNX Runtime's vendor id of the CPU did not come back"))
		}
	}()
	if !field.write(vendorIntel) {
		why = "ONNX Runtime keeps the vendor elsewhere"
	}
	return why, register()
}

// vendorField is the CPU's vendor id in ONNX Runtime's memory.
type vendorField struct{ c C.vendor_field }

// findVendor finds the vendor id of the CPU, or tells why not. ONNX Runtime lists its own provider's CPU first.
func findVendor(library string) (field *vendorField, why string) {
	if library == "" {
		return nil, "the host program opened ONNX Runtime"
	}
	devices, err := onnxruntime_go.GetEpDevices()
	if err != nil || len(devices) == 0 {
		return nil, "ONNX Runtime lists no device"
	}
	path := C.CString(library)
	defer C.free(unsafe.Pointer(path))
	field = new(vendorField)
	for i := range devices {
		// An EpDevice is a struct of one C pointer.
		reason := C.imgvec_vendor_find(path, *(*unsafe.Pointer)(unsafe.Pointer(&devices[i])), &field.c)
		if reason == nil {
			return field, ""
		}
		why = C.GoString(reason)
	}
	return nil, why
}

// read asks ONNX Runtime's API.
func (f *vendorField) read() uint32 { return uint32(C.imgvec_vendor_get(&f.c)) }

// write changes the id, and tells whether the API says so.
func (f *vendorField) write(id uint32) bool { return C.imgvec_vendor_set(&f.c, C.uint32_t(id)) != 0 }
