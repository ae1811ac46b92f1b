package gpu

import (
	"fmt"
	"path/filepath"

	"github.com/imgvec/imgvec"
)

// deviceFiles match what NVIDIA's kernel driver creates: one file a GPU.
const deviceFiles = "/dev/nvidia[0-9]*"

// Probe tells why no GPU can be used; nil would mean that Open can succeed. The error wraps imgvec.ErrNoDevice. It
// loads no library and is safe for concurrent use.
func Probe() error { return probe(deviceFiles) }

func probe(pattern string) error {
	files, err := filepath.Glob(pattern)
	if err != nil {
		panic("imgvec: BUG: device pattern: " + err.Error())
	}
	if len(files) == 0 {
		return fmt.Errorf("%w: this build has no GPU support yet (and no NVIDIA driver was found: no %s)", imgvec.ErrNoDevice, pattern)
	}
	return fmt.Errorf("%w: this build has no GPU support yet (the driver shows %s)", imgvec.ErrNoDevice, files[0])
}
