// Package quantize makes a model that computes in int8 of one that computes in floats, with images to measure it on.
//
// The images are split: on some the activations' ranges are measured (calibration), on a few the ways to set the ranges are
// compared and layers that hurt are found, and on the rest, which nothing was chosen by, the result is measured: the cosine
// of its features to those of the float model, and how often both give a picture the same class.
//
// # What is quantised
//
// Convolutions and matrix products with constant weights. Weights are int8, symmetric, with a scale for each output channel;
// activations are uint8 with a scale and a zero point for each tensor; biases are int32. The graph says so in ONNX's own
// words, QuantizeLinear and DequantizeLinear, which ONNX Runtime's CPU provider and OpenVINO turn into integer kernels.
// Additions, concatenations and poolings between quantised layers stay in integers. Everything else computes in float32:
// normalisations, attention, GELU, softmax, the last average, and a classifier behind the features.
//
// The first layer is quantised as the others are: its input is pixels, which are 8 bits anyway. A last layer that makes the
// features has a float output. Layers that hurt stay in float: see [Options].
package quantize
