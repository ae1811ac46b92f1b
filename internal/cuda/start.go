//go:build cuda && cgo && linux

package cuda

/*
#cgo CFLAGS: -std=c11
#cgo LDFLAGS: -L${SRCDIR} -ldl
#include <stdlib.h>
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	"github.com/imgvec/imgvec"
)

// Built tells whether this program has the driver face: whether it was built for GPUs.
const Built = true

// driverVariable names a file to open instead of libcuda.so.1.
const driverVariable = "IMGVEC_CUDA_DRIVER"

// oldest is the oldest driver that loads this module's kernels: CUDA 12.0, driver 525.
const oldest = 12000

// process is what exists once per process: the driver can't be closed again. A failed start is not kept: the driver
// may be installed, or its kernel module loaded, meanwhile.
var process struct {
	sync.Mutex
	library library // nil before a successful Start
	driver  Driver
}

// library is an opened libcuda.
type library unsafe.Pointer

// Start opens the driver, or returns the one that is open. Before it no driver call is made. The errors wrap
// imgvec.ErrNoDevice and say what is missing and what to do; the Driver then holds what is known. Safe for concurrent
// use.
func Start() (Driver, error) {
	process.Lock()
	defer process.Unlock()
	if process.library != nil {
		return process.driver, nil
	}
	lib, driver, err := start(places(os.Getenv(driverVariable)))
	if err != nil {
		return driver, fmt.Errorf("imgvec: start the GPU driver: %w: %w", imgvec.ErrNoDevice, err)
	}
	C.imgvec_cuda_fill(unsafe.Pointer(lib))
	process.library, process.driver = lib, driver
	return driver, nil
}

// start opens the first library that can be opened and initialises it.
func start(paths []string) (library, Driver, error) {
	lib, err := openFirst(paths)
	if err != nil {
		return nil, Driver{}, err
	}
	driver := Driver{Path: pathOf(lib), Simulated: has(lib, "imgvec_sim_version")}
	if !has(lib, "cuInit") {
		return nil, driver, fmt.Errorf("%q is no CUDA driver", driver.Path)
	}
	var version, count C.int
	if code := C.imgvec_cuda_version(unsafe.Pointer(lib), &version); code != 0 {
		return nil, driver, startFailure(lib, "cuDriverGetVersion", int(code))
	}
	driver.Version = int(version)
	if driver.Version < oldest {
		return nil, driver, fmt.Errorf("the driver %q is for CUDA %s; needed is one for CUDA %s or newer (ONNX Runtime needs 580 or newer): update NVIDIA's driver",
			driver.Path, versionText(driver.Version), versionText(oldest))
	}
	if code := C.imgvec_cuda_init(unsafe.Pointer(lib)); code != 0 {
		return nil, driver, startFailure(lib, "cuInit", int(code))
	}
	if code := C.imgvec_cuda_count(unsafe.Pointer(lib), &count); code != 0 {
		return nil, driver, startFailure(lib, "cuDeviceGetCount", int(code))
	}
	if count == 0 {
		return nil, driver, startFailure(lib, "cuDeviceGetCount", codeNoDevice)
	}
	return lib, driver, nil
}

// openFirst opens the first path that there is. A library that is there and can't be opened ends the search.
func openFirst(paths []string) (library, error) {
	for _, path := range paths {
		lib, problem := open(path)
		if lib != nil {
			return lib, nil
		}
		if filepath.IsAbs(path) && exists(path) {
			return nil, fmt.Errorf("the driver's library can't be opened: %s", problem)
		}
	}
	if len(paths) == 1 { // of the variable
		return nil, fmt.Errorf("no NVIDIA driver: $%s names %s, which is not there (unset it, or name a driver's library)", driverVariable, paths[0])
	}
	return nil, notFound(paths, kernelModule())
}

func open(path string) (library, string) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var problem *C.char
	lib := C.imgvec_cuda_open(name, &problem)
	defer C.free(unsafe.Pointer(problem))
	return library(lib), C.GoString(problem)
}

func has(lib library, function string) bool {
	name := C.CString(function)
	defer C.free(unsafe.Pointer(name))
	return C.imgvec_cuda_has(unsafe.Pointer(lib), name) != 0
}

// pathOf is the library's file, whose name tells the driver's own version ("libcuda.so.580.65.06").
func pathOf(lib library) string {
	path := C.GoString(C.imgvec_cuda_path(unsafe.Pointer(lib)))
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// words are the driver's own for a code, "" where it has none.
func words(lib library, function string, code int) string {
	if lib == nil {
		return ""
	}
	name := C.CString(function)
	defer C.free(unsafe.Pointer(name))
	return C.GoString(C.imgvec_cuda_words(unsafe.Pointer(lib), name, C.int(code)))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
