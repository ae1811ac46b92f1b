// Package graph builds ONNX graphs of known architectures from trained weights.
//
// A builder asks a [Source] for the tensors that it needs, by the names of the checkpoint's family and with the shapes
// that the architecture has; what is missing, misshapen or left over is collected and refused as one list. Batch
// normalisation is folded into the convolution before it, in float64. Every graph has the input "input" [N,3,H,W]
// float32 and the outputs "features" [N,D] and "logits" [N,classes].
package graph
