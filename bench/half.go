package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/imgvec/imgvec/internal/onnx"
	"github.com/imgvec/imgvec/model"
)

// halfModel converts the model to float16 as imgvec does, for a peer that takes an ONNX file. Where that can't be done, the
// peer gets the model as it is; it tells in its results what its input is.
func halfModel(m *model.Model, dir string) string {
	path := filepath.Join(dir, "fp16.onnx")
	if err := convert(m, path); err != nil {
		fmt.Fprintf(os.Stderr, "ONNX peers get the model as it is: %v\n", err)
		return m.Path
	}
	return path
}

func convert(m *model.Model, path string) error {
	in, err := os.Open(m.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	graph, err := onnx.Parse(in, info.Size())
	if err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(graph.Half(out, onnx.HalfOptions{Input: m.Spec.Input}), out.Close())
}
