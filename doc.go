// Package imgvec is the vocabulary of an image feature extractor: the types that its other packages exchange, the one
// interface that every device implements, and the errors that a caller may test for.
//
// It holds words only: it imports nothing but the standard library, starts no goroutine, and needs no cgo. Programs
// open an executor:
//
//	ex, err := executor.Open(ctx, executor.Options{}) // default model, best device, best precision that holds accuracy
//	if err != nil { ... }
//	defer ex.Close()
//	results, err := ex.Extract([][]byte{jpeg1, png2})
//
// # The parts
//
// Package preprocess turns encoded images into RGB bytes of the model's size, equal to Pillow and torchvision to the
// byte. Packages cpu and gpu implement [Backend] on ONNX Runtime. Package executor puts one model instance on each
// device and streams batches through them. Package model keeps the registry of models, package dataset reads inputs
// and writes results.
package imgvec
