package csrc

import (
	_ "embed" // kernels.ptx
	"strings"

	"github.com/imgvec/imgvec"
)

// PTX is the module with the CUDA kernels, for LoadModule of a driver from 525 on and a GPU of compute capability 7.5 or
// newer. imgvec.h says what each kernel does; every parameter is one 64-bit word.
//
//go:embed kernels.ptx
var PTX string

// The kernels that make features of a model's output: see imgvec.h.
const (
	ConvertF16 = "convert_f16_to_f32" // dst, src, count
	L2NormF32  = "l2norm_f32_to_f32"  // dst, src, rows, dim; dst may be src
	L2NormF16  = "l2norm_f16_to_f32"  // dst, src, rows, dim
)

// Kernel is what a caller and a benchmark have to know of one kernel.
type Kernel struct {
	Name  string
	Block int // threads of a block
	Tile  int // work that a block does at a time: see Unit
	Busy  int // blocks that keep a multiprocessor busy

	Unit    string // what work is counted in: "pixel", "element", "row", "byte"
	In, Out int    // bytes that a source pixel (or element) and an element of the result take in memory
}

// The numbers of imgvec.h.
const (
	blockThreads = 256 // IMGVEC_BLOCK
	teamThreads  = 128 // IMGVEC_TEAM
	vectorBytes  = 16  // what a thread of the element-wise kernels stores at a time
	tileRows     = 16  // of the h passes
	tileColumns  = 32
)

// Kernels are all of the module, in the order of imgvec.h.
var Kernels = kernels()

func kernels() []Kernel {
	var list []Kernel
	inputs := []string{"f32nchw", "f32nhwc", "f16nchw", "f16nhwc", "u8nchw", "u8nhwc"}
	for _, to := range inputs {
		size := elementBytes(to)
		list = append(list, Kernel{"normalize_u8nhwc_to_" + to, blockThreads, blockThreads * vectorBytes / size, 8, "pixel", 3, size})
	}
	for _, axis := range []string{"h", "v"} {
		for _, to := range append([]string{"u8nhwc"}, inputs[:4]...) {
			k := Kernel{"resample_" + axis + "_u8nhwc_to_" + to, blockThreads, blockThreads * 4, 4, "pixel", 3, elementBytes(to)}
			switch {
			case axis == "h":
				k.Block, k.Tile, k.Busy = teamThreads, tileRows*tileColumns, 7
			case to == "u8nhwc":
				k.Tile, k.Unit = blockThreads*vectorBytes, "byte"
			}
			list = append(list, k)
		}
	}
	return append(list,
		Kernel{ConvertF16, blockThreads, blockThreads * 4, 8, "element", 2, 4},
		Kernel{L2NormF32, teamThreads, 1, 16, "row", 4, 4},
		Kernel{L2NormF16, teamThreads, 1, 16, "row", 2, 4})
}

// elementBytes is the size of an element of a name like f16nchw.
func elementBytes(name string) int {
	switch {
	case strings.HasPrefix(name, "f32"):
		return 4
	case strings.HasPrefix(name, "f16"):
		return 2
	}
	return 1
}

// NormalizeKernel is the name of the kernel that makes a model's input of pixels: its parameters are dst, src, table
// (see imgvec.Preset.Table; as half-precision bits for Float16, [3][256]uint8 for Uint8), n pictures, pixels of each,
// channels, bgr (0 or 1). Its work is n * pixels.
func NormalizeKernel(layout imgvec.Layout, dtype imgvec.DType) string {
	return "normalize_u8nhwc_to_" + inputName(layout, dtype)
}

func inputName(layout imgvec.Layout, dtype imgvec.DType) string {
	elements := map[imgvec.DType]string{imgvec.Float32: "f32", imgvec.Float16: "f16", imgvec.Uint8: "u8"}
	element, ok := elements[dtype]
	if !ok || (layout != imgvec.NCHW && layout != imgvec.NHWC) {
		panic("imgvec: BUG: no kernel for " + string(layout) + " of " + string(dtype))
	}
	return element + strings.ToLower(string(layout))
}

// Grid is the geometry of a launch: blocks, threads of a block and bytes of dynamic shared memory, for work counted in
// the kernel's Unit, on a device of sms multiprocessors. The kernels do all of the work with any grid; this one neither
// leaves multiprocessors idle nor starts blocks that only fill their look-up table.
func Grid(kernel string, work int64, sms int) (grid, block, shared int) {
	for _, k := range Kernels {
		if k.Name == kernel {
			tiles := (max(work, 1) + int64(k.Tile) - 1) / int64(k.Tile)
			return int(min(tiles, int64(max(sms, 1)*k.Busy))), k.Block, 0
		}
	}
	panic("imgvec: BUG: no kernel " + kernel)
}
