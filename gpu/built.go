package gpu

import (
	"os"
	"path/filepath"

	"github.com/imgvec/imgvec/internal/cuda"
)

// Built tells whether this program was built with GPU support. Without it everything here fails and says so.
const Built = cuda.Built

// traces are files that only a machine with an NVIDIA GPU has, and only a container that was given one: those of the
// kernel's driver, and the driver's library of WSL 2, which has no such device files.
var traces = []string{"dev/nvidiactl", "dev/nvidia0", "usr/lib/wsl/lib/libcuda.so.1"}

// traced tells whether one of them is there, under the root of a file system.
func traced(root string) bool {
	for _, name := range traces {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			return true
		}
	}
	return false
}
