package gpu

import "github.com/imgvec/imgvec"

// Placeholders until csrc has kernels.

const ptx, l2NormF16, l2NormF32, convertF16 = "", "l2norm_f16_to_f32", "l2norm_f32_to_f32", "convert_f16_to_f32"

func normalizeKernel(imgvec.Layout, imgvec.DType) string { return "" }

func grid(string, int64, int) (grid, block, shared int) { return 1, 1, 0 }
