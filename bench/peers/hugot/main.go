// Command hugot is a peer: hugot's image pipeline (github.com/knights-analytics/hugot), in a module and a process of its
// own, so that nothing of it comes near imgvec's dependencies. It is built twice: with hugot's pure Go backend, which
// needs nothing and takes many seconds for a ResNet-50 image, and (tag ORT) with ONNX Runtime.
//
//	hugot LIST MODEL.onnx
//
// It speaks the peers' protocol (see ../rounds.py): it gets ready, says so, and does the files of LIST once for each
// line "go". Decoding, resizing and batching are hugot's own, set up as its documentation has it for an ImageNet model.
//
// hugot takes inputs with at most two dynamic dimensions, and 2-D outputs (4-D ones panic), which imgvec's model folders
// have anyway: the model is the same file as imgvec's. hugot resizes by nearest neighbour, so its features are others
// than torchvision's and imgvec's.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/knights-analytics/hugot"
	"github.com/knights-analytics/hugot/pipelines"
	"github.com/knights-analytics/hugot/util/imageutil"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: hugot LIST MODEL.onnx")
		os.Exit(2)
	}
	if err := serve(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "hugot:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, list, model string) error {
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	files := strings.Fields(string(text))
	session, err := newSession(ctx)
	if err != nil {
		return err
	}
	pipeline, err := open(session, model)
	if err != nil {
		return err
	}
	if err := run(ctx, pipeline, files[:min(batch*workers, len(files))]); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(map[string]any{"ready": true, "versions": versions()}); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan() && in.Text() == "go"; {
		start := time.Now()
		if err := run(ctx, pipeline, files); err != nil {
			return err
		}
		if err := out.Encode(map[string]any{"images": len(files), "seconds": time.Since(start).Seconds()}); err != nil {
			return err
		}
	}
	return session.Destroy()
}

// open gives the pipeline ImageNet's steps, the ones that imgvec's preset says: scale the short side to 256, cut 224
// out of the middle, divide by 255, then subtract the mean and divide by the deviation.
func open(session *hugot.Session, model string) (*pipelines.FeatureExtractionPipeline, error) {
	return hugot.NewPipeline(session, hugot.FeatureExtractionConfig{
		ModelPath: filepath.Dir(model), OnnxFilename: filepath.Base(model), Name: "bench",
		Options: []hugot.FeatureExtractionOption{
			pipelines.WithImageMode(),
			pipelines.WithOutputName("features"),
			pipelines.WithPreprocessSteps[*pipelines.FeatureExtractionPipeline](imageutil.ResizeStep(256), imageutil.CenterCropStep(224, 224)),
			pipelines.WithNormalizationSteps[*pipelines.FeatureExtractionPipeline](imageutil.RescaleStep(), imageutil.ImagenetPixelNormalizationStep()),
		},
	})
}

// run does all files: each worker takes the next batch.
func run(ctx context.Context, pipeline *pipelines.FeatureExtractionPipeline, files []string) error {
	parts := slices.Collect(slices.Chunk(files, batch))
	var next atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(parts) && errs[w] == nil; i = int(next.Add(1)) - 1 {
				errs[w] = extract(ctx, pipeline, parts[i])
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func extract(ctx context.Context, pipeline *pipelines.FeatureExtractionPipeline, files []string) error {
	result, err := pipeline.RunWithImagePaths(ctx, files)
	if err != nil {
		return err
	}
	if len(result.Embeddings) != len(files) || len(result.Embeddings[0]) == 0 {
		return fmt.Errorf("%d features of %d images", len(result.Embeddings), len(files))
	}
	return nil
}

func versions() map[string]string {
	v := map[string]string{"go": runtime.Version(), "backend": backend}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if name := filepath.Base(d.Path); name == "hugot" || name == "gomlx" || name == "onnx-gomlx" {
				v[name] = d.Version
			}
		}
	}
	return v
}
