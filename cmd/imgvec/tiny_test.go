package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/model"
)

// tinyDim is the number of features of tinyModel: many, so that the outputs are large.
const tinyDim = 3 * 28 * 28

// tinyModel makes a model folder whose model takes next to no time: it averages squares of 8x8 pixels.
func tinyModel(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, model.ModelFile), tinyGraph(), 0o644))
	manifest := model.Manifest{
		Format: 1, Name: "tiny", Source: "made by a test", License: "none needed", Model: model.FileHash{File: model.ModelFile},
		Spec: imgvec.Spec{
			Model: "tiny", Input: "x", Layout: imgvec.NCHW, DType: imgvec.Float32, Feature: "y", Dim: tinyDim,
			Preset: imgvec.Preset{
				InputSize: imgvec.Size{Height: 224, Width: 224}, CropMode: imgvec.CropCenter, ResizeSize: 256, CropRound: imgvec.CropHalfEven,
				Interpolation: imgvec.Bilinear, Scale: 255, Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: imgvec.RGB,
			},
		},
	}
	text, err := json.Marshal(manifest)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, model.ManifestFile), text, 0o644))
	return dir
}

// Field numbers are those of onnx.proto.
func tinyGraph() []byte {
	pool := message(text(1, "x"), text(2, "p"), text(4, "AveragePool"), ints("kernel_shape", 8, 8), ints("strides", 8, 8))
	flat := message(text(1, "p"), text(2, "y"), text(4, "Flatten"))
	graph := message(nested(1, pool), nested(1, flat), text(2, "tiny"), nested(11, tensor("x", "N", 3, 224, 224)), nested(12, tensor("y", "N", tinyDim)))
	return message(number(1, 8), nested(7, graph), nested(8, message(text(1, ""), number(2, 17))))
}

func message(fields ...[]byte) []byte {
	var out []byte
	for _, f := range fields {
		out = append(out, f...)
	}
	return out
}

func text(field protowire.Number, s string) []byte { return nested(field, []byte(s)) }

func nested(field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), content)
}

func number(field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
}

func ints(name string, values ...uint64) []byte {
	attribute := append(text(1, name), number(20, 7)...)
	for _, v := range values {
		attribute = append(attribute, number(8, v)...)
	}
	return nested(5, attribute)
}

func tensor(name, batch string, sizes ...uint64) []byte {
	shape := nested(1, text(2, batch))
	for _, n := range sizes {
		shape = append(shape, nested(1, number(1, n))...)
	}
	return message(text(1, name), nested(2, nested(1, message(number(1, 1), nested(2, shape)))))
}
