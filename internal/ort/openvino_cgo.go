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
}

// StartOpenVINO registers the OpenVINO plugin, once for the process; dir is as for Start, which must have succeeded. It
// is never unregistered. The error says why OpenVINO can't be used here. Safe for concurrent use.
func StartOpenVINO(dir string) (OpenVINO, error) {
	process.Lock()
	defer process.Unlock()
	if !process.started {
		return OpenVINO{}, errors.New("imgvec: BUG: OpenVINO before ONNX Runtime")
	}
	p := &process.plugin
	if p.device == nil && !p.registered {
		if err := p.register(dir); err != nil {
			return p.info, err
		}
	}
	if p.device == nil {
		return p.info, fmt.Errorf("imgvec: start OpenVINO %q: %w: the plugin lists no device %s: it offers the CPU only where that is Intel's", p.info.Path, imgvec.ErrNoRuntime, OpenVINOName)
	}
	return p.info, nil
}

func (p *plugin) register(dir string) error {
	if p.look(); p.device != nil { // the host program's
		return nil
	}
	found, err := findPlugin(process.environment.Path, dir)
	p.info = OpenVINO{Path: found.Path, Tried: found.Tried}
	if err != nil {
		return err
	}
	if err := onnxruntime_go.RegisterExecutionProviderLibrary(registration, found.Path); err != nil {
		return fmt.Errorf("imgvec: start OpenVINO %q: %w: %w", found.Path, imgvec.ErrNoRuntime, err)
	}
	p.registered = true
	p.look()
	return nil
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
