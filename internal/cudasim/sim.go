package cudasim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imgvec/imgvec/internal/testdata"
)

// Sim is the simulated driver of a test.
type Sim struct {
	t testing.TB
}

// Fault is what a call comes to, once or more often.
type Fault struct {
	Device int    // ordinal; negative: whichever comes to it
	Call   string // a driver function ("cuMemAlloc_v2"), "*" for any with a context, or "launch", "copy", "hostfunc": fails when its stream comes to it
	At     int    // the how manieth from now, from 1
	Code   int    // the driver's: 2 out of memory, 719 launch failed, 999 device lost; those that end a context or device stay
	Times  int    // calls that fail one after the other; 0: one, negative: all from then on
}

// Counters is what the machine holds. What belongs to a device where something hangs is in Hung only.
type Counters struct {
	DeviceBytes, PinnedBytes, RegisteredBytes int64
	Streams, Events, Modules, Contexts        int64
	HungBytes, HungObjects                    int64
	Calls                                     int64 // of driver functions, in the life of the process
}

// Left tells whether something is held by devices that do not hang.
func (c Counters) Left() bool {
	return c.DeviceBytes+c.PinnedBytes+c.RegisteredBytes+c.Streams+c.Events+c.Modules+c.Contexts != 0
}

// Load opens the simulated driver, $IMGVEC_SIM or what `make sim` built, and sets IMGVEC_CUDA_DRIVER so that the code
// under test opens the same. Where there is none the test ends as testdata.Require says.
func Load(t testing.TB) *Sim {
	t.Helper()
	path := os.Getenv("IMGVEC_SIM")
	if path == "" {
		path = filepath.Join(testdata.Root(t), ".cache", "sim", "libcuda.so.1")
	}
	if _, err := os.Stat(path); err != nil {
		testdata.Require(t, "sim", "no simulated driver: "+err.Error()+" (make sim)")
	}
	if problem := load(path); problem != "" {
		testdata.Require(t, "sim", "the simulated driver can't be opened: "+problem)
	}
	if err := os.Setenv("IMGVEC_CUDA_DRIVER", path); err != nil { //nolint:usetesting // the driver stays open to the end of the process
		t.Fatal(err)
	}
	return &Sim{t}
}

// Hardware readies the driver that IMGVEC_GPU names for tests of hardware: "real", or "simulated", to try them without a
// GPU, on a fresh machine with one device. Otherwise the test ends as testdata.Require says.
func Hardware(t testing.TB) (simulated bool) {
	t.Helper()
	switch os.Getenv("IMGVEC_GPU") {
	case "real":
		return false
	case "simulated":
		Load(t).Reset(1)
		return true
	}
	testdata.Require(t, "gpu", "IMGVEC_GPU is not set (real, simulated)")
	return false
}

// Reset puts a fresh machine with so many devices in the old one's place; CUDA_VISIBLE_DEVICES applies to it. What the
// old one was left with is an error of the test. What hangs on it ends, and a thread that waits for it gets an error.
func (s *Sim) Reset(devices int) {
	s.t.Helper()
	if left := reset(devices); left != "" {
		s.t.Errorf("left on the simulated machine: %s", left)
	}
}

// Check fails the test for each violation and for what is left on devices that do not hang, and forgets the violations.
func (s *Sim) Check() {
	s.t.Helper()
	for _, v := range s.Violations() {
		s.t.Errorf("simulated driver: %s", v)
	}
	clearViolations()
	if c := s.Counters(); c.Left() {
		s.t.Errorf("left on the simulated devices: %+v", c)
	}
}

// Fail arranges a fault. Reset forgets it.
func (s *Sim) Fail(f Fault) { fail(f) }

// Hang makes the at-th kernel launch or host function that is queued on the device from now on never end, until
// Release, Reset, or the loss of the device.
func (s *Sim) Hang(device, at int) { hang(device, at) }

// Release lets go on what hangs. The devices' memory counts as usual again.
func (s *Sim) Release() { release() }

// Capturing makes it as if another thread were capturing a CUDA graph in the global mode: allocating, freeing, page-locking
// and waiting on a thread that is not relaxed fails, and is a violation.
func (s *Sim) Capturing(on bool) { capturing(on) }

// SlowCopies makes every copy last so much longer.
func (s *Sim) SlowCopies(d time.Duration) { slowCopies(d.Microseconds()) }

// Lag begins every operation so much later, unless somebody waits for it. What nobody waits for is then sure not to be
// done yet, so that a wait that is missing shows.
func (s *Sim) Lag(d time.Duration) { lag(d.Microseconds()) }

// Memory sets how much each device has, in bytes; 16 GiB else.
func (s *Sim) Memory(bytes int64) { memory(bytes) }

// Settle waits until all streams are idle, and tells false where something hangs.
func (s *Sim) Settle() bool { return settle() }

// Counters reads what the machine holds now.
func (s *Sim) Counters() Counters { return counters() }

// Violations are the mistakes that this machine saw: copies that are asynchronous in name only, accesses that nothing
// orders, memory that is not the device's, objects that are gone. Tests end with none.
func (s *Sim) Violations() []string {
	text := strings.TrimSuffix(violations(), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// ClearViolations forgets them, for a test that made some on purpose.
func (s *Sim) ClearViolations() { clearViolations() }

// DriverCalls counts the calls of driver functions in the life of the process.
func (s *Sim) DriverCalls() int64 { return calls("") }

// Calls counts those of one function.
func (s *Sim) Calls(function string) int64 { return calls(function) }
