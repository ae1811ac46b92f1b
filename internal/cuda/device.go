//go:build cuda && cgo && linux

package cuda

/*
#include "driver.h"
*/
import "C"

import (
	"encoding/hex"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/imgvec/imgvec/internal/nvidia"
)

// Device is a retained primary context: the one that ONNX Runtime's providers use, so that memory and streams are
// shared with them. Safe for concurrent use; memory, streams, events and modules are made and used inside a Thread's
// Do.
type Device struct {
	info Info
	dev  cu.Device
	ctx  cu.CUContext
	held held

	mu     sync.Mutex
	closed bool
}

// closeWait is how long Close waits for a device that may hang. Tests shorten it.
var closeWait = 5 * time.Second

// Devices lists the devices that CUDA_VISIBLE_DEVICES leaves, in the driver's order. It starts the driver.
func Devices() ([]Info, error) {
	if _, err := Start(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("imgvec: list GPUs: %w", native("cuDeviceGetCount", err))
	}
	all := make([]Info, n)
	for i := range all {
		if all[i], err = inform(i); err != nil {
			return nil, fmt.Errorf("imgvec: list GPUs: cuda:%d: %w", i, err)
		}
	}
	return all, nil
}

// inform asks the driver what a device is. No context is made.
func inform(ordinal int) (Info, error) {
	dev, err := cu.GetDevice(ordinal)
	if err != nil {
		return Info{}, native("cuDeviceGet", err)
	}
	info := Info{Ordinal: ordinal, NUMANode: -1}
	if info.Name, err = dev.Name(); err != nil {
		return Info{}, native("cuDeviceGetName", err)
	}
	if info.Memory, err = dev.TotalMem(); err != nil {
		return Info{}, native("cuDeviceTotalMem", err)
	}
	for attribute, to := range map[cu.DeviceAttribute]*int{
		cu.ComputeCapabilityMajor: &info.Major, cu.ComputeCapabilityMinor: &info.Minor, cu.MultiprocessorCount: &info.SMs,
	} {
		if *to, err = dev.Attribute(attribute); err != nil {
			return Info{}, native("cuDeviceGetAttribute", err)
		}
	}
	if info.UUID, err = uuidOf(dev); err != nil {
		return Info{}, err
	}
	if info.PCI, err = pciOf(dev); err != nil {
		return Info{}, err
	}
	info.NUMANode = nodeOf(sysfs, info.PCI)
	return info, nil
}

// uuidOf is the UUID as nvidia-smi writes it. The newer call tells that of the part of a GPU that is divided (MIG), the
// older one the whole GPU's.
func uuidOf(dev cu.Device) (string, error) {
	var whole, part [16]byte
	if code := C.cuDeviceGetUuid(unsafe.Pointer(&whole), C.int(dev)); code != 0 {
		return "", nativeCode("cuDeviceGetUuid", int(code))
	}
	if code := C.cuDeviceGetUuid_v2(unsafe.Pointer(&part), C.int(dev)); code != 0 || part == whole {
		return uuidText("GPU-", whole), nil
	}
	return uuidText("MIG-", part), nil
}

func uuidText(prefix string, id [16]byte) string {
	s := hex.EncodeToString(id[:])
	return prefix + s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func pciOf(dev cu.Device) (string, error) {
	var text [32]C.char
	if code := C.cuDeviceGetPCIBusId(&text[0], C.int(len(text)), C.int(dev)); code != 0 {
		return "", nativeCode("cuDeviceGetPCIBusId", int(code))
	}
	address, err := parsePCI(C.GoString(&text[0]))
	if err != nil {
		return "", err
	}
	return address.String(), nil
}

// Open retains the primary context of a device, and starts the driver first where that has not been done. The caller
// owns the Device and closes it. Errors wrap imgvec.ErrNoDevice or imgvec.ErrOutOfMemory where they are that.
func Open(ordinal int) (*Device, error) {
	if _, err := Start(); err != nil {
		return nil, err
	}
	info, err := inform(ordinal)
	if err != nil {
		return nil, fmt.Errorf("imgvec: open cuda:%d: %w", ordinal, err)
	}
	d := &Device{info: info, dev: cu.Device(ordinal)}
	if d.dev, err = cu.GetDevice(ordinal); err != nil {
		return nil, fmt.Errorf("imgvec: open cuda:%d: %w", ordinal, native("cuDeviceGet", err))
	}
	err = relaxed(func() (err error) {
		d.ctx, err = d.dev.RetainPrimaryCtx()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("imgvec: open cuda:%d: %w", ordinal, native("cuDevicePrimaryCtxRetain", err))
	}
	return d, nil
}

// Info says what the device is.
func (d *Device) Info() Info { return d.info }

// Free is the device's memory that is free, and all of it, in bytes; other programs' share counts too. Inside Do.
func (d *Device) Free() (free, total int64, err error) {
	free, total, err = cu.MemInfo()
	return free, total, d.wrap("cuMemGetInfo", err)
}

// Bytes is the memory held now, by purpose: on the device, page-locked and registered together. Purposes that hold
// none are left out.
func (d *Device) Bytes() map[Purpose]int64 { return d.held.bytes() }

// Close releases the context. It does not wait for work in flight: that is the caller's. What is still held is named in
// the error. A device that hangs is given some seconds, then left to the end of the process. Idempotent and nil-safe.
func (d *Device) Close() error {
	if d == nil || !d.close() {
		return nil
	}
	left := d.held.left()
	released := make(chan error, 1)
	go func() { released <- relaxed(d.dev.ReleasePrimaryCtx) }()
	wait := time.NewTimer(closeWait)
	defer wait.Stop()
	var err error
	select {
	case err = <-released:
		err = d.wrapUnlessLost("cuDevicePrimaryCtxRelease", err)
	case <-wait.C:
		err = fmt.Errorf("cuda:%d: close: the device does not answer; its context is left to the end of the process", d.info.Ordinal)
	}
	if left != "" && err == nil {
		err = fmt.Errorf("cuda:%d: close: still held: %s", d.info.Ordinal, left)
	}
	return err
}

// close marks the device closed and tells whether it was open.
func (d *Device) close() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := !d.closed
	d.closed = true
	return was
}

func (d *Device) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// wrap names the device in a failure of the driver.
func (d *Device) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return d.wrapCode(op, codeOf(err))
}

func (d *Device) wrapCode(op string, code int) error {
	if err := nativeCode(op, code); err != nil {
		return fmt.Errorf("cuda:%d: %w", d.info.Ordinal, err)
	}
	return nil
}

// wrapUnlessLost is wrap for what gives something back: a lost device has given it back already.
func (d *Device) wrapUnlessLost(op string, err error) error {
	if nvidia.Lost(codeOf(err)) {
		return nil
	}
	return d.wrap(op, err)
}
