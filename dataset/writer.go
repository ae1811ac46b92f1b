package dataset

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec"
)

// Row is one row of output: what became of one input. The values of kept columns come in Result.Tag, where the source of
// the item has put them.
type Row struct {
	imgvec.Result
}

// reason is the text of the error column, "" where the image is fine. The row's id says which image.
func (r *Row) reason() string {
	if r.Err == nil {
		return ""
	}
	err := r.Err
	var one *imgvec.ImageError
	if errors.As(err, &one) {
		err = one.Err
	}
	if text := strings.TrimPrefix(strings.ToValidUTF8(err.Error(), "�"), "imgvec: "); text != "" {
		return text
	}
	return "failed"
}

// Writer takes the rows of one output in order. It is not safe for concurrent use, but for Discard. What Write is given
// it copies.
type Writer interface {
	// Write adds a row. After an error only Abort is of use.
	Write(r Row) error
	// Finish completes the output, syncs it and gives it its final name; without it nothing stands under that name.
	Finish() error
	// Abort drops what was written. After Finish it does nothing, so it can be deferred.
	Abort() error
	// Discard is for a process that is about to end and can't wait for a Write or Finish that another goroutine is in:
	// it removes the unfinished output, which then never gets its final name, or tells that it is whole already. Nobody
	// can say that of a stream on standard output.
	Discard() (whole bool)
}

// Format is a file format of output.
type Format string

// The formats, by the extension that stands for each.
const (
	Parquet     Format = "parquet"
	ArrowFile   Format = "arrow"  // IPC file
	ArrowStream Format = "arrows" // IPC stream
	NPY         Format = "npy"
	JSONLines   Format = "jsonl"
)

// FormatOf tells the format of an output from its name; "-" is an Arrow stream on standard output.
func FormatOf(output string) (Format, error) {
	if output == "-" {
		return ArrowStream, nil
	}
	ext := strings.ToLower(filepath.Ext(output))
	switch f := Format(strings.TrimPrefix(ext, ".")); f {
	case Parquet, ArrowFile, ArrowStream, NPY, JSONLines:
		return f, nil
	}
	return "", usagef("imgvec: output %q: unknown format %q (.parquet, .arrow, .arrows, .npy, .jsonl, or - for an Arrow stream on standard output)", output, ext)
}

// DType is the type that features are stored in.
type DType string

// The types of stored features.
const (
	Float32 DType = "float32"
	Float16 DType = "float16" // rounded to the nearest, ties to even; over 65504 becomes infinity
)

// ParseDType reads the name of a type of stored features; "" is float32.
func ParseDType(s string) (DType, error) {
	switch d := DType(s); d {
	case "":
		return Float32, nil
	case Float32, Float16:
		return d, nil
	}
	return "", usagef("imgvec: features dtype %q is unknown (float32, float16)", s)
}

// WriterOptions are the options of Create. The zero value is the default.
type WriterOptions struct {
	DType  DType     // "" is Float32
	Force  bool      // replace what stands under the final name
	Stdout io.Writer // where the output "-" goes; nil is os.Stdout
	Kept   *Kept     // columns of the inputs that rows bring with them: Source.Kept
}

// Create begins an output in the format that its name asks for. Nothing appears under that name before Finish.
func Create(output string, meta Meta, opts WriterOptions) (Writer, error) {
	format, err := FormatOf(output)
	if err != nil {
		return nil, err
	}
	if meta.Dim <= 0 {
		return nil, fmt.Errorf("imgvec: create %q: rows of %d features", output, meta.Dim)
	}
	if opts.DType, err = ParseDType(string(opts.DType)); err != nil {
		return nil, err
	}
	dst, err := createSink(output, opts)
	if err != nil {
		return nil, err
	}
	w, err := newWriter(format, dst, output, meta, opts)
	if err != nil {
		return nil, errors.Join(err, dst.abort())
	}
	return w, nil
}

func newWriter(format Format, dst sink, output string, meta Meta, opts WriterOptions) (Writer, error) {
	switch format {
	case Parquet:
		return newParquetWriter(dst, meta, opts)
	case NPY:
		return newNPYWriter(dst.(*atomicFile), output, meta, opts)
	case JSONLines:
		return newJSONWriter(dst, meta, opts), nil
	}
	return newArrowWriter(dst, format, meta, opts)
}

// checkRow guards the columns against features of another model.
func checkRow(r *Row, dim int) error {
	if r.Err == nil && len(r.Features) != dim {
		return fmt.Errorf("imgvec: write row %q: %d features where the output has %d", r.ID, len(r.Features), dim)
	}
	return nil
}
