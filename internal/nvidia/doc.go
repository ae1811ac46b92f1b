// Package nvidia knows what CUDA's driver and its runtime have in common, which number their errors alike.
package nvidia
