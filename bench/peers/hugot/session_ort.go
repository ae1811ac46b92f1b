//go:build ORT

package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"

	"github.com/knights-analytics/hugot"
	"github.com/knights-analytics/hugot/options"
)

// What runs the model: ONNX Runtime's CPU provider, set up as hugot's README advises for throughput: a goroutine for each
// core, and one thread for each of them.
const (
	backend = "ONNX Runtime CPU, fp32"
	batch   = 8
)

var workers = runtime.NumCPU()

// newSession takes ONNX Runtime's library that HUGOT_ORT names, the one that imgvec uses, through a folder in which it has
// the name that hugot looks for.
func newSession(ctx context.Context) (*hugot.Session, error) {
	dir, err := os.MkdirTemp("", "hugot-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.Symlink(os.Getenv("HUGOT_ORT"), filepath.Join(dir, "libonnxruntime.so")); err != nil {
		return nil, err
	}
	return hugot.NewORTSession(ctx, options.WithOnnxLibraryPath(dir), options.WithIntraOpNumThreads(1), options.WithInterOpNumThreads(1))
}
