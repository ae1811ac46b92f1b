package dataset

import "github.com/imgvec/imgvec/internal/float16"

// float16bits is the IEEE half nearest to v, ties to even, as NumPy's astype("float16") has it.
func float16bits(v float32) uint16 { return float16.From(v) }

// float16value is the number that half a stands for.
func float16value(h uint16) float32 { return float16.To(h) }
