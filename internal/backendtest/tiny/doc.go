// Package tiny writes ONNX models small enough for unit tests: one convolution, ReLU and a pooling, with weights from a
// formula, in the forms that real exports come in.
package tiny
