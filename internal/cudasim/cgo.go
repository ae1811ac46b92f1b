//go:build cgo && linux

package cudasim

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

static void *lib;
static const char *sim_open(const char *path) {
	if (!lib) lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib) return dlerror();
	return dlsym(lib, "imgvec_sim_version") ? NULL : "it is no simulated driver";
}

#define FIND(result, name, parameters) static result (*name) parameters; if (!name) name = (result (*) parameters)dlsym(lib, "imgvec_" #name);
static int reset(int devices, char *report, size_t n) { FIND(int, sim_reset, (int, char *, size_t)) return sim_reset(devices, report, n); }
static void fail(int device, const char *what, long at, int code, long times) {
	FIND(void, sim_fail, (int, const char *, long, int, long)) sim_fail(device, what, at, code, times);
}
static void hang(int device, long at) { FIND(void, sim_hang, (int, long)) sim_hang(device, at); }
static void let_go(void) { FIND(void, sim_release, (void)) sim_release(); }
static void capturing(int on) { FIND(void, sim_capturing, (int)) sim_capturing(on); }
static void slow_copies(long us) { FIND(void, sim_slow_copies, (long)) sim_slow_copies(us); }
static void lag(long us) { FIND(void, sim_lag, (long)) sim_lag(us); }
static void memory(int64_t bytes) { FIND(void, sim_memory, (int64_t)) sim_memory(bytes); }
static int settle(void) { FIND(int, sim_settle, (void)) return sim_settle(); }
static void counters(int64_t *out) { FIND(void, sim_counters, (int64_t *)) sim_counters(out); }
static int64_t calls(const char *what) { FIND(int64_t, sim_calls, (const char *)) return sim_calls(what); }
static size_t violations(char *out, size_t n) { FIND(size_t, sim_violations, (char *, size_t)) return sim_violations(out, n); }
static void clear_violations(void) { FIND(void, sim_clear_violations, (void)) sim_clear_violations(); }
*/
import "C"

import (
	"sync"
	"unsafe"
)

var loading sync.Mutex

// load opens the library once; later paths are not looked at, as a process has one driver. It gives the problem, or "".
func load(path string) string {
	loading.Lock()
	defer loading.Unlock()
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	return C.GoString(C.sim_open(name))
}

func reset(devices int) string {
	var report [1024]C.char
	C.reset(C.int(devices), &report[0], C.size_t(len(report)))
	return C.GoString(&report[0])
}

func fail(f Fault) {
	name := C.CString(f.Call)
	defer C.free(unsafe.Pointer(name))
	C.fail(C.int(f.Device), name, C.long(f.At), C.int(f.Code), C.long(f.Times))
}

func hang(device, at int) { C.hang(C.int(device), C.long(at)) }
func release()            { C.let_go() }
func capturing(on bool) {
	C.capturing(map[bool]C.int{true: 1}[on])
}
func slowCopies(us int64) { C.slow_copies(C.long(us)) }
func lag(us int64)        { C.lag(C.long(us)) }
func memory(bytes int64)  { C.memory(C.int64_t(bytes)) }
func settle() bool        { return C.settle() != 0 }
func clearViolations()    { C.clear_violations() }

func counters() Counters {
	var n [9]C.int64_t
	C.counters(&n[0])
	return Counters{
		DeviceBytes: int64(n[0]), PinnedBytes: int64(n[1]), RegisteredBytes: int64(n[2]),
		Streams: int64(n[3]), Events: int64(n[4]), Modules: int64(n[5]), Contexts: int64(n[6]),
		HungBytes: int64(n[7]), HungObjects: int64(n[8]), Calls: calls(""),
	}
}

func violations() string {
	text := make([]C.char, 1<<17) // a hundred of a kilobyte each
	C.violations(&text[0], C.size_t(len(text)))
	return C.GoString(&text[0])
}

func calls(function string) int64 {
	if function == "" {
		return int64(C.calls(nil))
	}
	name := C.CString(function)
	defer C.free(unsafe.Pointer(name))
	return int64(C.calls(name))
}
