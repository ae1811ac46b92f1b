//go:build cgo && !windows && !(linux && amd64)

package ort

// asIntel just calls register: the OpenVINO plugin exists for Linux and Windows on x86-64.
func asIntel(_, _ string, register func() error) (why string, err error) { return "", register() }
