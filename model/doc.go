// Package model keeps the registry of models: what each expects and returns, where it comes from, under which licence,
// and the folder on this machine that holds it.
//
// [Open] takes the name of an installed model, a model folder, or the path of any ONNX file. [Pull] installs a model of
// the registry, [Import] one from a checkpoint (.pth or .safetensors), [Random] one with random weights. A model folder
// holds model.onnx and imgvec.json, its [Manifest].
//
// A picture goes to a model by its preset, and the preset belongs to the weights: a preset is read from the model's
// folder or from the registry and never guessed from an architecture's name. Where an ONNX file comes without one, the
// usual ImageNet preset is taken and [Model.Note] says so.
//
// Models are files: this package opens no session and needs no native library.
package model
