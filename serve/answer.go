package serve

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/imgvec/imgvec/internal/arrowstream"
)

// Schema is that of all answers. (Spark takes no list of a fixed size, and calls a list's values "element".)
var Schema = arrow.NewSchema([]arrow.Field{
	{Name: "features", Type: arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.PrimitiveTypes.Float32, Nullable: true}), Nullable: true},
	{Name: "error", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "width", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
	{Name: "height", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
}, nil)

// answers writes the Arrow stream that goes to a client.
type answers struct {
	ipc   *ipc.Writer
	build *array.RecordBuilder
}

// newAnswers writes the schema at once: a client may wait for it before it sends its first batch.
func newAnswers(w io.Writer) (*answers, error) {
	stream, err := arrowstream.NewWriter(w, Schema)
	if err != nil {
		return nil, err
	}
	return &answers{ipc: stream, build: array.NewRecordBuilder(memory.DefaultAllocator, Schema)}, nil
}

// write sends the answer to a batch: a row for each of its rows, in their order.
func (a *answers) write(b *batch) error {
	a.build.Reserve(len(b.results))
	features, errs := a.build.Field(0).(*array.ListBuilder), a.build.Field(1).(*array.StringBuilder)
	values := features.ValueBuilder().(*array.Float32Builder)
	width, height := a.build.Field(2).(*array.Int32Builder), a.build.Field(3).(*array.Int32Builder)
	for i := range b.results {
		r := &b.results[i]
		features.Append(r.Err == nil)
		if r.Err == nil {
			values.AppendValues(r.Features, nil)
			errs.AppendNull()
		} else {
			errs.Append(sentence(reason(r.Err)))
		}
		appendSize(width, height, r.Width, r.Height)
	}
	rec := a.build.NewRecordBatch()
	defer rec.Release()
	return a.ipc.Write(rec)
}

func appendSize(width, height *array.Int32Builder, w, h int) {
	if w <= 0 || h <= 0 {
		width.AppendNull()
		height.AppendNull()
		return
	}
	width.Append(int32(w))
	height.Append(int32(h))
}

// end writes the mark of the stream's end.
func (a *answers) end() error {
	defer a.build.Release()
	return a.ipc.Close()
}

// sentence makes an error's text fit for a column: whatever a decoder says is UTF-8 there, and of a bounded length.
func sentence(text string) string {
	const most = 4096
	if len(text) > most {
		text = text[:most] + "..."
	}
	if utf8.ValidString(text) {
		return text
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
