//go:build cgo && linux

package orttest

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct { const void **(*get_api)(uint32_t); const char *(*get_version)(void); } api_base;

// Indices into OrtApi, which only ever grows at its end.
enum { VENDOR_ID = 308, DEVICE = 316, INTEL = 0x8086 };

// imgvec_pretend_intel overwrites the vendor id of the CPU that an OrtEpDevice stands for, and checks through the API
// that it hit it. It returns 0, or the number of the step that failed.
static int imgvec_pretend_intel(const char *library, const void *ep_device) {
	void *lib = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
	if (!lib) return 1;
	api_base *(*get)(void) = (api_base *(*)(void))dlsym(lib, "OrtGetApiBase");
	const void **api = get ? get()->get_api(29) : NULL;
	if (!api) return 2;
	void *(*device_of)(const void *) = (void *(*)(const void *))api[DEVICE];
	uint32_t (*vendor_of)(const void *) = (uint32_t (*)(const void *))api[VENDOR_ID];
	uint32_t *device = device_of(ep_device);
	uint32_t vendor = vendor_of(device);
	if (vendor == INTEL) return 0;
	for (int i = 1; i < 4; i++) {
		if (device[i] != vendor) continue;
		device[i] = INTEL;
		if (vendor_of(device) == INTEL) return 0;
		device[i] = vendor;
	}
	return 3;
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/yalue/onnxruntime_go"

	"github.com/imgvec/imgvec/internal/ort"
)

// PretendIntel makes ONNX Runtime say that this CPU is Intel's. The plugin offers its CPU device for those only, though
// OpenVINO itself runs on any x86-64: without this, a machine of another maker could not test the code around it. It
// comes before the first ort.StartOpenVINO of the process.
func PretendIntel() error {
	environment, err := ort.Start("")
	if err != nil {
		return err
	}
	devices, err := onnxruntime_go.GetEpDevices()
	if err != nil || len(devices) == 0 {
		return fmt.Errorf("imgvec: list devices of ONNX Runtime: %d, %w", len(devices), err)
	}
	path := C.CString(environment.Path)
	defer C.free(unsafe.Pointer(path))
	// An EpDevice is a struct of one C pointer.
	device := *(*unsafe.Pointer)(unsafe.Pointer(&devices[0]))
	if step := C.imgvec_pretend_intel(path, device); step != 0 {
		return fmt.Errorf("imgvec: pretend an Intel CPU: step %d failed", int(step))
	}
	return nil
}
