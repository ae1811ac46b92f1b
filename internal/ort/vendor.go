package ort

import (
	"fmt"
	"os"
)

// OpenVINOVariable is the environment variable that says on which CPUs OpenVINO may run:
//
//	auto   (or unset) Intel's, and others where it brings something: AMD with AVX-512 BF16. See asIntel
//	intel  those that its plugin offers by itself, Intel's
//	any    every x86-64 CPU; the choice of a provider stays, so this is for who asks for OpenVINO by name
//	off    none, not Intel's either
const OpenVINOVariable = "IMGVEC_OPENVINO"

const (
	modeAuto  = "auto"
	modeIntel = "intel"
	modeAny   = "any"
	modeOff   = "off"
)

func openvinoMode() (string, error) {
	switch mode := os.Getenv(OpenVINOVariable); mode {
	case "":
		return modeAuto, nil
	case modeAuto, modeIntel, modeAny, modeOff:
		return mode, nil
	default:
		return "", unusable(fmt.Sprintf("$%s is %q (auto, intel, any, off)", OpenVINOVariable, mode), nil)
	}
}

// PCI ids of CPU makers, as ONNX Runtime reports them.
const (
	vendorIntel = 0x8086
	vendorAMD   = 0x1022
)

// overrides tells whether to hide the maker of the CPU from the plugin. bf16 says that the CPU has AVX-512 BF16.
func overrides(mode string, vendor uint32, bf16 bool) bool {
	switch {
	case vendor == vendorIntel:
		return false
	case mode == modeAny:
		return true
	}
	return mode == modeAuto && vendor == vendorAMD && bf16
}

// Unusable is why OpenVINO can't be used.
type Unusable struct {
	Short string // one line for a summary, without paths
	cause error  // the whole; nil where Short says it all
}

func unusable(short string, cause error) error { return &Unusable{short, cause} }

func (u *Unusable) Error() string {
	if u.cause == nil {
		return "imgvec: start OpenVINO: " + u.Short
	}
	return u.cause.Error()
}

// Unwrap gives the cause.
func (u *Unusable) Unwrap() error { return u.cause }
