package dataset

import (
	"encoding/json"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/imgvec/imgvec"
)

// Meta is what an output says about how its features came to be. Parquet and Arrow keep it in the file.
type Meta struct {
	Model         string // registry name or file name
	ModelSHA256   string // of the model file
	RandomWeights bool   // the features mean nothing: the model was never trained
	Preset        imgvec.Preset
	Feature       string // name of the model's output
	Dim           int    // features a row
	Normalized    bool   // each vector has length 1
	Precision     imgvec.Precision
	Provider      string // execution provider
	Device        string
	Decoder       string
	Version       string // of imgvec
	Run           string // tells outputs that can be resumed from those of other options, models or inputs; "": none
}

// pairs are the file's metadata: keys start with "imgvec.".
func (m Meta) pairs() (keys, values []string) {
	add := func(key, value string) {
		keys = append(keys, "imgvec."+key)
		values = append(values, value)
	}
	preset, err := json.Marshal(m.Preset)
	if err != nil {
		preset = []byte("null") // a NaN in a foreign preset
	}
	add("version", m.Version)
	add("model", m.Model)
	add("model_sha256", m.ModelSHA256)
	if m.RandomWeights {
		add("random_weights", "true")
	}
	add("preset", string(preset))
	add("feature", m.Feature)
	add("dim", strconv.Itoa(m.Dim))
	add("normalized", strconv.FormatBool(m.Normalized))
	add("precision", string(m.Precision))
	add("provider", m.Provider)
	add("device", m.Device)
	add("decoder", m.Decoder)
	if m.Run != "" {
		add("run", m.Run)
	}
	return keys, values
}

// schema is the columns of Parquet and Arrow outputs: their own, and those that are kept behind them.
func (m Meta) schema(dtype DType, kept *Kept) *arrow.Schema {
	element := arrow.PrimitiveTypes.Float32
	if dtype == Float16 {
		element = arrow.FixedWidthTypes.Float16
	}
	meta := arrow.NewMetadata(m.pairs())
	own := []arrow.Field{
		{Name: "id", Type: arrow.BinaryTypes.String},
		{Name: "features", Type: arrow.ListOfField(arrow.Field{Name: "element", Type: element, Nullable: true}), Nullable: true},
		{Name: "error", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "width", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "height", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
	}
	return arrow.NewSchema(append(own, kept.columns()...), &meta)
}
