//go:build cgo && !windows

package ort

import (
	"errors"
	"fmt"

	"github.com/yalue/onnxruntime_go"

	"github.com/imgvec/imgvec"
)

type plugin struct {
	registered bool
	info       OpenVINO
	device     *onnxruntime_go.EpDevice
	// whyNotIntel is why the CPU's maker could not be hidden from the plugin
	whyNotIntel string
}

// StartOpenVINO registers the OpenVINO plugin, once for the process; dir is as for Start, which must have succeeded. It
// is never unregistered. The error is an *Unusable that says why OpenVINO can't be used here. Safe for concurrent use.
func StartOpenVINO(dir string) (OpenVINO, error) {
	process.Lock()
	defer process.Unlock()
	if !process.started {
		return OpenVINO{}, errors.New("imgvec: BUG: OpenVINO before ONNX Runtime")
	}
	mode, err := openvinoMode()
	if err != nil {
		return process.plugin.info, err
	}
	if mode == modeOff {
		return process.plugin.info, unusable("it is turned off by $"+OpenVINOVariable, nil)
	}
	p := &process.plugin
	if p.device == nil && !p.registered {
		if err := p.register(dir, mode); err != nil {
			return p.info, err
		}
	}
	if p.device == nil {
		return p.info, p.noDevice()
	}
	return p.info, nil
}

func (p *plugin) register(dir, mode string) error {
	if p.look(); p.device != nil { // the host program's
		return nil
	}
	found, err := findPlugin(process.environment.Path, dir)
	p.info = OpenVINO{Path: found.Path, Tried: found.Tried}
	if err != nil {
		return err
	}
	p.whyNotIntel, err = asIntel(mode, process.environment.Path, func() error {
		return onnxruntime_go.RegisterExecutionProviderLibrary(registration, found.Path)
	})
	if err != nil {
		return unusable("its plugin does not start", fmt.Errorf("imgvec: start OpenVINO %q: %w: %w", found.Path, imgvec.ErrNoRuntime, err))
	}
	p.registered = true
	p.look()
	return nil
}

// noDevice is why the plugin registered and lists no CPU.
func (p *plugin) noDevice() error {
	short, more := "its plugin offers Intel CPUs only", ""
	if p.whyNotIntel != "" {
		more = ", and that could not be got around: " + p.whyNotIntel
	}
	return unusable(short, fmt.Errorf("imgvec: start OpenVINO %q: %w: %s (it lists no device %s)%s; see $%s",
		p.info.Path, imgvec.ErrNoRuntime, short, OpenVINOName, more, OpenVINOVariable))
}

// look sets device where ONNX Runtime lists it. Registering can succeed and list none: the plugin loads its parts later.
func (p *plugin) look() {
	devices, err := onnxruntime_go.GetEpDevices()
	if err != nil {
		return
	}
	for _, device := range devices {
		if device.EpName() == OpenVINOName {
			p.device = &device
			return
		}
	}
}
