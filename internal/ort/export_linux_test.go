//go:build cgo && linux

package ort

import "unsafe"

// CallHostFunc calls what HostFunc gave, as a driver does.
func CallHostFunc(fn, data unsafe.Pointer) { callHostFunc(fn, data) }
