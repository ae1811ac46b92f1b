package imgvec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DeviceKind is a kind of device that a backend runs on.
type DeviceKind string

// The kinds of devices.
const (
	DeviceAuto DeviceKind = "auto" // every GPU that works, else the CPU
	DeviceCPU  DeviceKind = "cpu"
	DeviceCUDA DeviceKind = "cuda"
)

// Devices is a choice of devices, as --device gives it.
type Devices struct {
	Kind DeviceKind
	// IDs are the chosen devices of the kind, empty for all of them: ordinals ("0"), UUIDs ("GPU-8932f937-..."; a
	// unique beginning is enough) or PCI ids ("0000:3b:00.0", "3b:00.0", "00000000:3B:00.0").
	IDs []string
}

// ParseDevices reads "auto", "cpu", "cuda", "cuda:0", "cuda:0,2", "cuda:GPU-8932f937" or "cuda:0000:3b:00.0"; "" is auto.
func ParseDevices(s string) (Devices, error) {
	kind, list, listed := strings.Cut(s, ":")
	d := Devices{Kind: DeviceKind(kind)}
	switch {
	case s == "":
		return Devices{Kind: DeviceAuto}, nil
	case d.Kind != DeviceAuto && d.Kind != DeviceCPU && d.Kind != DeviceCUDA:
		return Devices{}, fmt.Errorf("imgvec: device %q is unknown (auto, cpu, cuda, cuda:0,2)", s)
	case !listed:
		return d, nil
	case d.Kind != DeviceCUDA:
		return Devices{}, fmt.Errorf("imgvec: device %q: only cuda takes a list", s)
	}
	for id := range strings.SplitSeq(list, ",") {
		id = strings.TrimSpace(id)
		if err := checkDeviceID(id); err != nil {
			return Devices{}, fmt.Errorf("imgvec: device %q: %w", s, err)
		}
		if slices.Contains(d.IDs, id) {
			return Devices{}, fmt.Errorf("imgvec: device %q names %q twice", s, id)
		}
		d.IDs = append(d.IDs, id)
	}
	return d, nil
}

func checkDeviceID(id string) error {
	if n, err := strconv.Atoi(id); err == nil && n >= 0 && n < 1024 {
		return nil
	}
	if upper := strings.ToUpper(id); strings.HasPrefix(upper, "GPU-") || strings.HasPrefix(upper, "MIG-") || isPCI(id) {
		return nil
	}
	return fmt.Errorf("%q is no ordinal (0), UUID (GPU-...) or PCI id (0000:3b:00.0)", id)
}

// isPCI tells whether id has the form [domain:]bus:device[.function], in hexadecimal digits.
func isPCI(id string) bool {
	place, function, dotted := strings.Cut(id, ".")
	fields := strings.Split(place, ":")
	if len(fields) < 2 || len(fields) > 3 || dotted && !isHex(function, 1) {
		return false
	}
	if len(fields) == 3 {
		if !isHex(fields[0], 8) {
			return false
		}
		fields = fields[1:]
	}
	return isHex(fields[0], 2) && isHex(fields[1], 2)
}

func isHex(s string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// String is the form that ParseDevices reads.
func (d Devices) String() string {
	if len(d.IDs) == 0 {
		return string(d.Kind)
	}
	return string(d.Kind) + ":" + strings.Join(d.IDs, ",")
}
