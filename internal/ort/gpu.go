package ort

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
)

// Folders below HOME/lib: ONNX Runtime with its providers for GPUs, CUDA's libraries, TensorRT's.
const (
	kindGPU      = "onnxruntime-gpu"
	kindCUDA     = "cuda"
	kindTensorRT = "tensorrt"
)

// What to do about a missing piece.
const (
	getGPU      = `run "imgvec setup --gpu"`
	getDriver   = "install NVIDIA's driver; in a container, start it with access to the GPUs"
	getTensorRT = "install NVIDIA's TensorRT 10 for CUDA 13, or put its libraries into HOME/lib/tensorrt"
)

// The providers' own files, which ONNX Runtime opens from the folder of its core.
const (
	sharedFile   = "libonnxruntime_providers_shared.so"
	cudaFile     = "libonnxruntime_providers_cuda.so"
	tensorRTFile = "libonnxruntime_providers_tensorrt.so"
)

// part is a library that a provider needs, or opens later by its soname: it is opened before, by its full path, so that
// no search path has to be set.
type part struct {
	name    string   // for people, with the version needed
	file    string   // the soname
	kind    string   // its folder below HOME/lib
	key     string   // in GPULibraries.Versions; "" where it does not tell
	tell    teller   // how it tells its version
	least   int      // the oldest version that does, as it tells it
	below   int      // the first version that no longer does
	before  string   // a pattern of files beside it that it looks for by their soname: they are opened before it
	beside  []string // files that it opens from its own folder: they are only checked
	get     string
	may     bool   // it is fine where it is nowhere
	instead string // the environment variable that names the file
}

// teller is how a library tells its version.
type teller struct {
	symbol string
	form   form
	words  func(version int) string
}

// form is the type of a function that tells a version. The numbers are those of the C code.
type form int

const (
	formNone    form = iota
	formPointer      // int f(int *version)
	formSize         // size_t f(void)
	formInt          // int f(void)
)

// The versions as NVIDIA's libraries number them.
func thousands(v int) string     { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }              // CUDA: 13000
func cudnnWords(v int) string    { return fmt.Sprintf("%d.%d.%d", v/10000, v%10000/100, v%100) } // cuDNN 9: 91400
func tensorRTWords(v int) string { return fmt.Sprintf("%d.%d.%d", v/10000, v%10000/100, v%100) } // TensorRT 10: 101501

var driverPart = part{
	name: "NVIDIA's driver for CUDA 13 (580 or later)", file: "libcuda.so.1", key: "driver", get: getDriver, instead: DriverVariable,
	tell: teller{"cuDriverGetVersion", formPointer, func(v int) string { return "CUDA " + thousands(v) }}, least: 13000, below: 1 << 30,
}

// cudaParts are what the CUDA provider needs, in the order in which they need each other. ONNX Runtime opens cuDNN by
// itself, and cuDNN opens NVRTC.
var cudaParts = []part{
	{name: "CUDA runtime 13", file: "libcudart.so.13", kind: kindCUDA, key: "CUDA", get: getGPU,
		tell: teller{"cudaRuntimeGetVersion", formPointer, thousands}, least: 13000, below: 14000},
	{name: "cuBLASLt 13", file: "libcublasLt.so.13", kind: kindCUDA, get: getGPU},
	{name: "cuBLAS 13", file: "libcublas.so.13", kind: kindCUDA, get: getGPU},
	{name: "cuRAND 10", file: "libcurand.so.10", kind: kindCUDA, get: getGPU},
	{name: "NVRTC 13", file: "libnvrtc.so.13", kind: kindCUDA, get: getGPU, before: "libnvrtc-builtins.so.13.*", may: true},
	{name: "cuDNN 9 for CUDA 13", file: "libcudnn.so.9", kind: kindCUDA, key: "cuDNN", get: getGPU,
		tell: teller{"cudnnGetVersion", formSize, cudnnWords}, least: 90000, below: 100000,
		beside: []string{"libcudnn_graph.so.9", "libcudnn_ops.so.9", "libcudnn_cnn.so.9", "libcudnn_heuristic.so.9",
			"libcudnn_engines_precompiled.so.9", "libcudnn_engines_runtime_compiled.so.9"}},
}

// tensorRTParts are what the TensorRT provider needs besides.
var tensorRTParts = []part{
	{name: "TensorRT 10 for CUDA 13", file: "libnvinfer.so.10", kind: kindTensorRT, key: "TensorRT", get: getTensorRT,
		tell: teller{"getInferLibVersion", formInt, tensorRTWords}, least: 100000, below: 110000,
		before: "libnvinfer_builder_resource*.so.10*"},
	{name: "TensorRT's plugins", file: "libnvinfer_plugin.so.10", kind: kindTensorRT, get: getTensorRT, may: true},
	{name: "TensorRT's ONNX parser", file: "libnvonnxparser.so.10", kind: kindTensorRT, get: getTensorRT},
}

// partsOf are the parts of a provider, and the files that must lie beside the core.
func partsOf(p GPUProvider) (parts []part, files []string) {
	parts = append([]part{driverPart}, cudaParts...)
	files = []string{sharedFile, cudaFile}
	if p == TensorRT {
		return append(parts, tensorRTParts...), append(files, tensorRTFile)
	}
	return parts, files
}

// words of a provider for people.
func (p GPUProvider) words() string {
	return map[GPUProvider]string{CUDA: "CUDA", TensorRT: "TensorRT", Host: "CPU"}[p]
}

// problem is a piece that is missing or does not fit.
type problem struct{ what, why, get string }

// lacks makes the error of a provider's problems: the first line is the summary, each piece has its own, the paths follow.
func lacks(p GPUProvider, problems []problem, tried []string) error {
	names := make([]string, len(problems))
	var lines strings.Builder
	for i, one := range problems {
		names[i] = one.what
		fmt.Fprintf(&lines, "\n  %s: %s: %s", one.what, one.why, one.get)
	}
	short := fmt.Sprintf("ONNX Runtime's %s provider lacks %s", p.words(), strings.Join(names, ", "))
	cause := fmt.Errorf("imgvec: %s: %w:%s\ntried:\n  %s", short, imgvec.ErrNoRuntime, lines.String(), strings.Join(tried, "\n  "))
	return unusable(short, cause)
}

// folders are where a part is looked for without asking the system's loader: near the core where somebody named that,
// and in the usual places.
func (p part) search(near []string) (home.Found, error) {
	var tried []string
	for _, dir := range near {
		found, err := home.Search{Kind: p.kind, Files: []string{p.file}, Explicit: dir, Want: p.name}.Find()
		tried = append(tried, found.Tried...)
		if err == nil {
			found.Tried = tried
			return found, nil
		}
	}
	found, err := home.Search{Kind: p.kind, Files: []string{p.file}, Want: p.name}.Find()
	found.Tried = append(tried, found.Tried...)
	return found, err
}

// nearCore are folders beside a core that somebody named: what lies there is as good as named.
func nearCore(environment Environment) []string {
	if environment.Path == "" || !slices.Contains(append([]string{"option"}, LibraryVariables...), environment.By) {
		return nil
	}
	dir := filepath.Dir(environment.Path)
	if filepath.Base(dir) != kindGPU {
		return []string{dir}
	}
	lib := filepath.Dir(dir)
	return []string{dir, filepath.Join(lib, kindCUDA), filepath.Join(lib, kindTensorRT)}
}

// systemFolders are where installers put CUDA and TensorRT without telling the loader; a pattern of filepath.Match each.
var systemFolders = []string{
	"/usr/local/cuda/lib64", "/usr/local/cuda-13*/lib64", "/usr/local/cuda-13*/targets/x86_64-linux/lib",
	"/usr/local/tensorrt/lib", "/opt/tensorrt/lib", "/usr/local/TensorRT-10*/lib", "/opt/TensorRT-10*/lib", "/usr/lib/wsl/lib",
}

// inSystem lists the files of that name in the system's folders.
func (p part) inSystem() []string {
	var list []string
	for _, folder := range systemFolders {
		found, _ := filepath.Glob(filepath.Join(folder, p.file))
		list = append(list, found...)
	}
	return list
}

// fits tells why a version does not do, "" where it does.
func (p part) fits(version int) string {
	if version < p.least || version >= p.below {
		return fmt.Sprintf("this one is %s", p.tell.words(version))
	}
	return ""
}

// besides checks the files that a part opens from its own folder, as far as they are there.
func (p part) besides(path string) []problem {
	var problems []problem
	for _, file := range p.beside {
		if err := home.Check(filepath.Join(filepath.Dir(path), file)); err != nil {
			problems = append(problems, problem{p.name + " (" + file + ")", err.Error(), p.get})
		}
	}
	return problems
}
