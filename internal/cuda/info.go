package cuda

// Driver is the opened libcuda.
type Driver struct {
	Version   int    `json:"version"`   // 13000 is CUDA 13.0
	Path      string `json:"path"`      // of the library, as the loader tells
	Simulated bool   `json:"simulated"` // the library is the simulated driver of the tests
}

// Info describes one device.
type Info struct {
	Ordinal      int    // among those that CUDA_VISIBLE_DEVICES leaves
	Name         string // "NVIDIA H100 80GB HBM3"
	UUID         string // "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
	PCI          string // "0000:3b:00.0"
	Memory       int64  // bytes
	Major, Minor int    // compute capability
	SMs          int    // streaming multiprocessors
	NUMANode     int    // that the device hangs on; -1 where the system does not tell
}

// Purpose is what memory is for. Bytes are counted by it.
type Purpose string

// The purposes.
const (
	Pixels   Purpose = "pixels"   // decoded pictures, on the device or ready to be copied there
	Input    Purpose = "input"    // tensors that a session reads
	Output   Purpose = "output"   // tensors that a session writes
	Features Purpose = "features" // results, normalised, ready to be copied to the host
	Tables   Purpose = "tables"   // constants of kernels
	Staging  Purpose = "staging"  // page-locked memory that copies go through
	Batch    Purpose = "batch"    // page-locked memory that batches of pictures are decoded into
)

// Dim is a launch's number of blocks, or of threads in a block. A zero counts as one.
type Dim struct{ X, Y, Z int }

// Pinned is a part of page-locked memory, which asynchronous copies take. It is valid until its PinnedMemory is freed.
type Pinned struct{ mem []byte }

// Bytes is the part's memory.
func (p Pinned) Bytes() []byte { return p.mem }
