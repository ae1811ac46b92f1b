// Package checkpoint reads trained weights: safetensors files, and PyTorch's .pth files in the zip and in the legacy
// form.
//
// It reads data only. A .pth file is a pickle, which in Python is a program that may call anything; here it drives a
// small stack machine that knows the handful of functions that put tensors together, and refuses every other one by
// its name. Nothing from the file is ever executed, and what a hostile file can make the reader allocate is bounded.
//
// Tensors are read when they are asked for, so opening a file of several gigabytes costs no memory. A File is not safe
// for concurrent use.
package checkpoint
