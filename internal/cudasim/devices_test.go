//go:build cgo && linux

package cudasim

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func (m *machine) text(name string, device int) string {
	m.Helper()
	p := heap(64)
	m.must(name, p, 64, uintptr(device))
	return strings.TrimRight(string(bytesAt(p, 64)), "\x00")
}

func (m *machine) uuid(device int) string {
	m.Helper()
	p := heap(16)
	m.must("cuDeviceGetUuid_v2", p, uintptr(device))
	s := hex.EncodeToString(bytesAt(p, 16))
	return "GPU-" + s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func (m *machine) names() []string {
	m.Helper()
	var names []string
	for i := range int(int32(m.made("cuDeviceGetCount"))) {
		names = append(names, strings.TrimPrefix(m.text("cuDeviceGetName", i), "Simulated GPU "))
	}
	return names
}

func TestDevices(t *testing.T) {
	m := start(t, 8)
	uuids, buses := map[string]bool{}, map[string]bool{}
	for i := range 8 {
		if name := m.text("cuDeviceGetName", i); name != "Simulated GPU "+strconv.Itoa(i) {
			t.Errorf("device %d is %q", i, name)
		}
		uuids[m.uuid(i)[:8]], buses[m.text("cuDeviceGetPCIBusId", i)] = true, true
	}
	if len(uuids) != 8 || len(buses) != 8 || !buses["0000:3B:00.0"] {
		t.Errorf("UUIDs %v, buses %v", uuids, buses)
	}
	m.gives(101, "cuDeviceGet", m.scratch, 8)
	for attribute, want := range map[uintptr]uintptr{16: 2, 75: 9, 76: 0, 41: 1, 33: 0x3b} {
		wordsAt(m.scratch, 1)[0] = 0
		if got := m.made("cuDeviceGetAttribute", attribute, 0); got != want {
			t.Errorf("attribute %d is %d, want %d", attribute, got, want)
		}
	}
	for i := range 8 {
		m.use(i)
		m.free("cuMemFree_v2", m.alloc(100))
	}
	m.must("cuCtxSetCurrent", 0)
	for i := range 8 {
		m.must("cuDevicePrimaryCtxRelease_v2", uintptr(i))
	}
	m.must("cuDevicePrimaryCtxRelease_v2", 0) // start's
	m.retained = nil
	m.sim.Reset(0)
	m.gives(noDevice, "cuInit", 0)
}

// TestVisibleDevices has CUDA_VISIBLE_DEVICES as NVIDIA documents it: an order, and an end at the first entry that names
// no device.
func TestVisibleDevices(t *testing.T) {
	m := start(t, 3)
	ids := []string{m.uuid(0), m.uuid(1), m.uuid(2)}
	raw("cuDevicePrimaryCtxRelease_v2", 0)
	m.retained = nil
	for list, want := range map[string][]string{
		"":                        nil,
		"1":                       {"1"},
		"2,0":                     {"2", "0"},
		"0,7,1":                   {"0"},
		"0,-1,1":                  {"0"},
		"x":                       nil,
		"1,1":                     {"1"},
		ids[2] + "," + ids[0][:8]: {"2", "0"},
		"GPU-,1":                  nil, // all of them begin so
		"1, 2":                    {"1", "2"},
	} {
		t.Setenv("CUDA_VISIBLE_DEVICES", list)
		m.sim.Reset(3)
		if got := m.names(); !slices.Equal(got, want) {
			t.Errorf("CUDA_VISIBLE_DEVICES=%q leaves %q, want %q", list, got, want)
		}
	}
}

func TestErrorNames(t *testing.T) {
	m := start(t, 1)
	for code, want := range map[uintptr]string{2: "CUDA_ERROR_OUT_OF_MEMORY", 712: "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", 719: "CUDA_ERROR_LAUNCH_FAILED"} {
		m.must("cuGetErrorName", code, m.scratch)
		if got := string(bytesAt(wordsAt(m.scratch, 1)[0], len(want))); got != want {
			t.Errorf("code %d is called %q", code, got)
		}
	}
	m.gives(invalidValue, "cuGetErrorName", 424242, m.scratch)
}

// TestFirstCallIsLogged runs this test again as another process, with and without a driver call.
func TestFirstCallIsLogged(t *testing.T) {
	const variable = "IMGVEC_SIM_TEST_CALLS"
	switch os.Getenv(variable) {
	case "none":
		Load(t)
		return
	case "some":
		Load(t)
		raw("cuDriverGetVersion", heap(8))
		raw("cuInit", 0)
		return
	}
	Load(t)
	for calls, want := range map[string]string{"none": "", "some": "cuDriverGetVersion"} {
		log := filepath.Join(t.TempDir(), "log")
		c := exec.Command(os.Args[0], "-test.run=^TestFirstCallIsLogged$")
		c.Env = append(os.Environ(), variable+"="+calls, "IMGVEC_SIM_LOG="+log)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		data, err := os.ReadFile(log)
		if want == "" {
			if err == nil {
				t.Errorf("logged without a call: %s", data)
			}
		} else if !strings.Contains(string(data), want) || strings.Count(string(data), "\n") != 1 {
			t.Errorf("logged %q, %v", data, err)
		}
	}
}
