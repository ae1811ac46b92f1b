package cuda

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/imgvec/imgvec"
)

// Find chooses devices by ids, in the ids' order: ordinals ("0"), UUIDs ("GPU-8932f937-...", a unique beginning is
// enough) or PCI ids ("0000:3b:00.0", "3b:00.0", "00000000:3B:00.0"); all of them for none. An id that is not there
// or not unique, and two ids of one device, are errors that wrap imgvec.ErrNoDevice and name what is there.
func Find(all []Info, ids []string) ([]Info, error) {
	if len(ids) == 0 {
		return all, nil
	}
	found := make([]Info, 0, len(ids))
	for _, id := range ids {
		one, err := find(all, id)
		if err != nil {
			return nil, fmt.Errorf("imgvec: find GPU %q: %w: %w; there is %s", id, imgvec.ErrNoDevice, err, list(all))
		}
		for _, before := range found {
			if before.Ordinal == one.Ordinal {
				return nil, fmt.Errorf("imgvec: find GPU %q: %w: it is GPU %d, which is chosen already", id, imgvec.ErrNoDevice, one.Ordinal)
			}
		}
		found = append(found, one)
	}
	return found, nil
}

func find(all []Info, id string) (Info, error) {
	var hits []Info
	for i := range all {
		if all[i].is(strings.TrimSpace(id)) {
			hits = append(hits, all[i])
		}
	}
	switch len(hits) {
	case 1:
		return hits[0], nil
	case 0:
		return Info{}, fmt.Errorf("none has it")
	}
	return Info{}, fmt.Errorf("%d have it", len(hits))
}

// is tells whether id names the device.
func (i *Info) is(id string) bool {
	if n, err := strconv.Atoi(id); err == nil {
		return n == i.Ordinal
	}
	if strings.Contains(id, ":") {
		a, errA := parsePCI(id)
		b, errB := parsePCI(i.PCI)
		return errA == nil && errB == nil && a == b
	}
	return len(id) > len("GPU-") && len(id) <= len(i.UUID) && strings.EqualFold(id, i.UUID[:len(id)])
}

// pciAddress is a PCI id in numbers.
type pciAddress struct{ domain, bus, device, function uint64 }

// parsePCI reads "[domain:]bus:device[.function]" in hexadecimal, of any width and case. nvidia-smi writes eight digits
// of domain and capitals, the driver and Linux four and small letters.
func parsePCI(s string) (pciAddress, error) {
	var a pciAddress
	rest, function, dotted := strings.Cut(s, ".")
	parts := strings.Split(rest, ":")
	if len(parts) == 2 {
		parts = append([]string{"0"}, parts...)
	}
	if len(parts) != 3 {
		return a, fmt.Errorf("%q is no PCI id (0000:3b:00.0)", s)
	}
	if !dotted {
		function = "0"
	}
	for i, field := range []struct {
		to   *uint64
		bits int
	}{{&a.domain, 32}, {&a.bus, 8}, {&a.device, 5}, {&a.function, 3}} {
		n, err := strconv.ParseUint(append(parts, function)[i], 16, field.bits)
		if err != nil {
			return a, fmt.Errorf("%q is no PCI id (0000:3b:00.0)", s)
		}
		*field.to = n
	}
	return a, nil
}

// String is Linux' spelling.
func (a pciAddress) String() string {
	return fmt.Sprintf("%04x:%02x:%02x.%x", a.domain, a.bus, a.device, a.function)
}

// list names devices for an error.
func list(all []Info) string {
	if len(all) == 0 {
		return "no GPU"
	}
	names := make([]string, len(all))
	for i := range all {
		names[i] = fmt.Sprintf("GPU %d (%s, %s, %s)", all[i].Ordinal, all[i].Name, all[i].UUID, all[i].PCI)
	}
	return strings.Join(names, ", ")
}
