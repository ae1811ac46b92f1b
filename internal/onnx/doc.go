// Package onnx writes and reads ONNX model files as far as this project needs them: it builds graphs of convolutional
// networks, reads the structure of any model without its weights, cuts a model at an inner value, and converts one to
// float16.
//
// The protobuf is written and read field by field with protowire, after onnx.proto3 of ONNX 1.17. Files are read
// through io.ReaderAt: weights are skipped, so that a model of several gigabytes costs kilobytes, and what a hostile
// file can make the reader allocate is bounded.
package onnx
