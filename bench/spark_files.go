package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/model"
)

// warmRows is how many photos a contender gets warm on: enough for two tasks.
const warmRows = 16

// heatRows is how many photos go through a fresh Java, twice, before anything is measured.
const heatRows = 1000

// photoFolder is a folder of n files in data: each photo of dir is copied once, and the copies are repeated as hard links,
// since Spark reads folders, and needs a name for each row. It is made once for a dir.
func photoFolder(data, dir string, n int) (string, error) {
	from, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(data, fmt.Sprintf("photos-%08x-%d", crc32.ChecksumIEEE([]byte(from)), n))
	if _, err := os.Stat(folder); err == nil {
		return filepath.Abs(folder)
	}
	list := filepath.Join(data, "list.txt")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return "", err
	}
	if err := writeList(list, dir, n); err != nil {
		return "", err
	}
	text, err := os.ReadFile(list)
	if err != nil {
		return "", err
	}
	fresh := folder + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return "", err
	}
	if err := linkPhotos(fresh, strings.Split(strings.TrimSpace(string(text)), "\n")); err != nil {
		return "", err
	}
	if err := os.Rename(fresh, folder); err != nil {
		return "", err
	}
	return filepath.Abs(folder)
}

// printPhotos is `bench spark-photos DATA DIR N`: it makes the folder and prints its name, for spark_memory.py.
func printPhotos(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: bench spark-photos DATA DIR N")
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	folder, err := photoFolder(args[0], args[1], n)
	if err != nil {
		return err
	}
	_, err = fmt.Println(folder)
	return err
}

func linkPhotos(folder string, paths []string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	first := map[string]string{}
	for i, path := range paths {
		name := filepath.Join(folder, fmt.Sprintf("%06d-%s", i, filepath.Base(path)))
		var err error
		if first[path] == "" {
			first[path], err = name, copyFile(name, path)
		} else {
			err = os.Link(first[path], name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// tinyDim is ResNet-50's, so that as much is moved.
const tinyDim = 2048

// tinyFolder makes a model in data whose work is a thousandth of ResNet-50's: one convolution, 8 filters of 14x14 in steps of 14,
// whose 8x16x16 outputs are the features. With it, what an image costs is its decoding and its way.
func tinyFolder(data string) (string, error) {
	dir := filepath.Join(data, "tiny")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	f, err := os.Create(filepath.Join(dir, model.ModelFile))
	if err != nil {
		return "", err
	}
	if err := tinyGraph(f); err != nil {
		f.Close()
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	manifest := model.Manifest{
		Format: 1, Name: tinyModel, Source: "made by the bench", License: "none needed", Random: true, Model: model.FileHash{File: model.ModelFile},
		Spec: imgvec.Spec{
			Model: tinyModel, Input: "input", Layout: imgvec.NCHW, DType: imgvec.Float32, Feature: "features", Dim: tinyDim,
			Preset: imgvec.Preset{
				InputSize: imgvec.Size{Height: 224, Width: 224}, CropMode: imgvec.CropCenter, ResizeSize: 256, CropRound: imgvec.CropHalfEven,
				Interpolation: imgvec.Bilinear, Scale: 255, Mean: imgvec.ImageNetMean, Std: imgvec.ImageNetStd, ChannelOrder: imgvec.RGB,
			},
		},
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, model.ManifestFile), text, 0o644); err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

func tinyGraph(w io.Writer) error {
	const filters, side = 8, 14
	random := rand.New(rand.NewPCG(0, 0))
	weights := slices.Collect(func(yield func(float32) bool) {
		for range filters * 3 * side * side {
			if !yield(random.Float32() - 0.5) {
				return
			}
		}
	})
	b := onnx.NewBuilder(tinyModel, "for measuring all but the model")
	b.Input("input", onnx.Batched(3, 224, 224))
	b.Weights("w", weights, filters, 3, side, side)
	b.Node("Conv", "squares", []string{"input", "w"}, onnx.Ints("kernel_shape", side, side), onnx.Ints("strides", side, side))
	b.Node("Flatten", "features", []string{"squares"})
	b.Output("features", onnx.Batched(tinyDim))
	return b.Write(w)
}
