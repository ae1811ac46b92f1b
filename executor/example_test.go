package executor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/executor"
)

// The features of pictures in memory.
func ExampleExecutor_Extract() {
	ex, err := executor.Open(context.Background(), executor.Options{}) // default model, best device
	if err != nil {
		fmt.Println(err) // says what is missing and how to get it
		return
	}
	defer ex.Close()

	photo, err := os.ReadFile("photo.jpg")
	if err != nil {
		fmt.Println(err)
		return
	}
	results, err := ex.Extract([][]byte{photo})
	if err != nil {
		fmt.Println(err) // the executor as a whole: closed, or no device left
		return
	}
	for _, r := range results {
		if r.Err != nil {
			fmt.Println(r.Err) // this image alone
			continue
		}
		fmt.Println(len(r.Features), "features of a picture of", r.Width, "x", r.Height)
	}
}

// A folder of any size, read by the workers, in memory that stays flat.
func ExampleExecutor_Stream() {
	ctx := context.Background()
	ex, err := executor.Open(ctx, executor.Options{Device: "cpu", Normalize: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ex.Close()

	paths, err := filepath.Glob("photos/*.jpg")
	if err != nil {
		fmt.Println(err)
		return
	}
	items := func(yield func(imgvec.Item) bool) {
		for _, path := range paths {
			open := func() (io.ReadCloser, error) { return os.Open(path) }
			if !yield(imgvec.Item{ID: path, Open: open}) {
				return
			}
		}
	}
	for r, err := range ex.Stream(ctx, items) {
		if err != nil {
			fmt.Println(err) // fatal, and the last pair
			return
		}
		fmt.Println(r.ID, len(r.Features), r.Err)
	}
}

// A GPU that is asked for by name is used or is an error; only device "auto" falls back to the CPU.
func ExampleOpen_device() {
	ex, err := executor.Open(context.Background(), executor.Options{Device: "cuda:0"})
	if errors.Is(err, imgvec.ErrNoDevice) {
		ex, err = executor.Open(context.Background(), executor.Options{Device: "cpu"})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ex.Close()
	fmt.Println(ex.Stats().Device)
}
