package nvidia

import "slices"

// Unknown is CUDA's code for an error that it has no other for.
const Unknown = 999

// lostCodes end a context, a device or the driver: every later call on it fails.
var lostCodes = []int{
	4, 46, 100, 101, // the process is ending; unavailable, no device, invalid device
	214, 220, 226, // uncorrectable memory or link errors
	700, 702, 709, 710, // illegal address, launch time-out, context destroyed, assert
	714, 715, 716, 717, 718, 719, 721, // a kernel's faults
	802, 805, 806, 807, 810, 911, // the system, the multi-process service, an external device
	Unknown,
}

// Lost tells whether an error ends a context, a device or the driver, so that nothing works on it any more.
func Lost(code int) bool { return slices.Contains(lostCodes, code) }
