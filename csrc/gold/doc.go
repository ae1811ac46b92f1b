// Package gold holds plain loops that give the same bytes as the CUDA kernels of csrc. They are for tests and for the
// proof on a real GPU: slow, easy to read, and without anything in common with the kernels.
package gold
