// Package home knows where imgvec's native libraries and models lie, and checks that a library is whole before anyone
// opens it.
//
// The folder, HOME below, is $IMGVEC_HOME, else the folder third_party beside the executable, else imgvec in the
// user's cache folder. Tests and "go run" also find third_party at the module's root. Nothing is taken from a folder
// that nobody named and where others could have put a library first, wherever it lies: see [Search.Find]. What
// $IMGVEC_HOME, an option or a library's own variable names is taken as it is. `imgvec setup` fills the folder:
//
//	HOME/lib/onnxruntime/   ONNX Runtime, the OpenVINO plugin and what it needs
//	HOME/lib/codecs/        image codecs
//	HOME/lib/onnxruntime-gpu/, HOME/lib/cuda/  ONNX Runtime and CUDA for GPUs, by `imgvec setup --gpu`
//	HOME/models/NAME/       model.onnx, imgvec.json
//	HOME/downloads/         what was fetched
//	HOME/manifest.json      SHA-256, size and time stamp of every installed library
//
// The package holds no state and is safe for concurrent use.
package home
