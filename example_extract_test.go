package imgvec_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"slices"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/executor"
)

// Features of two photos. The program needs what `imgvec setup` installs.
func Example() {
	ctx := context.Background()
	ex, err := executor.Open(ctx, executor.Options{}) // default model, best device, best precision that holds accuracy
	if err != nil {
		log.Fatal(err) // says what is missing and the command that gets it
	}
	defer ex.Close()
	photo1, _ := os.ReadFile("cat.jpg")
	photo2, _ := os.ReadFile("dog.png")
	results, err := ex.Extract([][]byte{photo1, photo2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(results[0].Features), results[1].Err) // an image that fails has its own error
}

// An input of any length, read in the workers, with flat memory.
func Example_stream() {
	ctx := context.Background()
	ex, err := executor.Open(ctx, executor.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer ex.Close()
	items := slices.Values([]imgvec.Item{{
		ID:   "cat.jpg",
		Open: func() (io.ReadCloser, error) { return os.Open("cat.jpg") },
	}})
	for r, err := range ex.Stream(ctx, items) {
		if err != nil {
			log.Fatal(err) // fatal and last: closed, cancelled, or no device left
		}
		fmt.Println(r.ID, len(r.Features), r.Err)
	}
}
