package imgvec

// Spec says what one model expects and what it returns.
type Spec struct {
	Model    string `json:"model"`              // name for people: a registry name or a file name
	Input    string `json:"input"`              // name of the image input in the ONNX graph
	Layout   Layout `json:"layout"`             // order of the input's axes
	DType    DType  `json:"dtype"`              // element type of the input
	Feature  string `json:"feature"`            // name of the output that holds the features
	Dim      int    `json:"dim"`                // features an image
	MaxBatch int    `json:"max_batch,omitzero"` // largest batch one Run takes; 0: no limit of the model's own
	Preset   Preset `json:"preset"`             // from picture to input
}

// ImageLen is the size of one image in a batch in bytes: Height * Width * 3.
func (s Spec) ImageLen() int { return s.Preset.InputSize.Height * s.Preset.InputSize.Width * 3 }

// Layout is the order of an image tensor's axes.
type Layout string

// The layouts: batch, channels, rows, columns.
const (
	NCHW Layout = "NCHW"
	NHWC Layout = "NHWC"
)

// DType is a tensor's element type.
type DType string

// The element types an image input can have.
const (
	Float32 DType = "float32"
	Float16 DType = "float16"
	Uint8   DType = "uint8" // the model normalises by itself; Mean, Std and Scale are not applied
)

// Size is a picture's size in pixels.
type Size struct {
	Height int `json:"height"`
	Width  int `json:"width"`
}

// ChannelOrder is the order of the colours in the model's input; a Batch is always RGB.
type ChannelOrder string

// The channel orders.
const (
	RGB ChannelOrder = "RGB"
	BGR ChannelOrder = "BGR"
)

// Mean and standard deviation of the common normalisations, R, G, B.
var (
	ImageNetMean = [3]float32{0.485, 0.456, 0.406}
	ImageNetStd  = [3]float32{0.229, 0.224, 0.225}
)
