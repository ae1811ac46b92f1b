//go:build !cgo || !linux

package orttest

import "errors"

// PretendIntel fails: this build can't reach ONNX Runtime.
func PretendIntel() error {
	return errors.New("imgvec: pretend an Intel CPU: built without cgo, or not for Linux")
}
