package serve

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// stream is an Arrow stream of these records.
func stream(t testing.TB, schema *arrow.Schema, opts []ipc.Option, records ...arrow.RecordBatch) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, append(opts, ipc.WithSchema(schema))...)
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// column1 is a record of one binary column with these buffers.
func column1(typ arrow.DataType, rows int, buffers ...[]byte) arrow.RecordBatch {
	var all []*memory.Buffer
	for _, b := range buffers {
		if b == nil {
			all = append(all, nil)
		} else {
			all = append(all, memory.NewBufferBytes(b))
		}
	}
	schema := schemaOf(typ)
	return array.NewRecordBatch(schema, []arrow.Array{array.MakeFromData(array.NewData(typ, rows, all, nil, 0, 0))}, int64(rows))
}

func TestStreamsThatAreNotTaken(t *testing.T) {
	s := start(t, newFake(t), Config{Window: Window{256, 32 << 20}})
	binaryType, fine := arrow.BinaryTypes.Binary, record(arrow.BinaryTypes.Binary, [][]byte{[]byte("fine")})
	ints := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int32}}, nil)
	two := arrow.NewSchema([]arrow.Field{{Name: "a", Type: binaryType}, {Name: "b", Type: binaryType}}, nil)
	dictionary := arrow.NewSchema([]arrow.Field{{Name: "a", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: binaryType}}}, nil)
	deep := arrow.NewSchema([]arrow.Field{{Name: strings.Repeat("x", maxMetadata), Type: binaryType}}, nil)
	many := make([][]byte, maxRows+1)
	one := stream(t, schemaOf(binaryType), nil, fine)
	bomb := stream(t, schemaOf(binaryType), []ipc.Option{ipc.WithZstd()}, record(binaryType, [][]byte{make([]byte, 16<<20)}))
	for name, c := range map[string]struct {
		stream []byte
		text   string
	}{
		"no schema":         {[]byte{255, 255, 255, 255, 0, 0, 0, 0}, "before its schema"},
		"integers":          {stream(t, ints, nil), "int32"},
		"strings":           {stream(t, schemaOf(arrow.BinaryTypes.String), nil), "utf8"},
		"two columns":       {stream(t, two, nil), "2 columns"},
		"no columns":        {stream(t, arrow.NewSchema(nil, nil), nil), "0 columns"},
		"dictionary":        {stream(t, dictionary, nil), "dictionary"},
		"compressed":        {bomb, "compressed"},
		"large schema":      {stream(t, deep, nil), "over the limit"},
		"too many rows":     {stream(t, schemaOf(binaryType), nil, record(binaryType, many)), "over the limit of 16384"},
		"text":              {[]byte("GET / HTTP/1.1\r\n\r\n" + strings.Repeat("x", 2000)), "limit"},
		"zeros as metadata": {append([]byte{255, 255, 255, 255, 64, 0, 0, 0}, make([]byte, 64)...), "NONE"},
		"schema twice":      {append(bytes.Clone(one[:len(one)-8]), one...), "message 2 is a Schema"},
	} {
		t.Run(name, func(t *testing.T) {
			client := s.dial(t).open(hello())
			client.send(c.stream)
			for {
				if _, err := client.next(); err != nil {
					if !errors.Is(err, io.EOF) {
						t.Fatal(err)
					}
					break
				}
			}
			var got Trailer
			client.readLine(&got)
			if got.Code != CodeBatch || !strings.Contains(got.Error, c.text) {
				t.Errorf("%+v, want ...%s...", got, c.text)
			}
		})
	}
}

func offsets32(values ...int32) []byte { return arrow.Int32Traits.CastToBytes(values) }
func offsets64(values ...int64) []byte { return arrow.Int64Traits.CastToBytes(values) }

// TestDamagedColumns goes past Arrow's own writer, which would not write such.
func TestDamagedColumns(t *testing.T) {
	data := []byte("0123456789")
	for name, c := range map[string]struct {
		typ     arrow.DataType
		rows    int
		offsets []byte
	}{
		"backwards":        {arrow.BinaryTypes.Binary, 2, offsets32(0, 8, 4)},
		"negative":         {arrow.BinaryTypes.Binary, 1, offsets32(-4, 4)},
		"beyond":           {arrow.BinaryTypes.Binary, 2, offsets32(0, 4, 11)},
		"too few offsets":  {arrow.BinaryTypes.Binary, 3, offsets32(0, 4, 8)},
		"large: backwards": {arrow.BinaryTypes.LargeBinary, 2, offsets64(0, 8, 4)},
		"large: overflow":  {arrow.BinaryTypes.LargeBinary, 2, offsets64(0, 1<<62, 10)},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := recover(); p != nil {
					t.Skip("Arrow does not even make such a column:", p)
				}
			}()
			cols := &columns{messages: &messages{}, large: c.typ.ID() == arrow.LARGE_BINARY}
			arr := column1(c.typ, c.rows, nil, c.offsets, data).Column(0)
			if col, err := cols.column(arr); err == nil {
				t.Errorf("taken: %q", col.values)
			}
		})
	}
}

// TestClaimsTakeNoMemory has a message that says that it is large, and is not.
func TestClaimsTakeNoMemory(t *testing.T) {
	s := start(t, newFake(t), Config{Window: Window{8, 1 << 40}})
	h := hello()
	h.Window.Bytes = 1 << 40
	whole := recorded(t, h, [][]byte{make([]byte, 1000)})
	// The length of the body stands in the metadata as the only 64-bit number of that size.
	size := binary.LittleEndian.AppendUint64(nil, 1000+24)
	for n := uint64(1000); n < 1200; n++ {
		if at := bytes.LastIndex(whole, binary.LittleEndian.AppendUint64(nil, n)); at > 0 && n%8 == 0 && bytes.Count(whole, binary.LittleEndian.AppendUint64(nil, n)) == 1 {
			size = binary.LittleEndian.AppendUint64(nil, n)
		}
	}
	at := bytes.LastIndex(whole, size)
	if at < 0 {
		t.Fatal("the body's length was not found")
	}
	binary.LittleEndian.PutUint64(whole[at:], 1<<40)
	c := s.dial(t)
	c.send(whole)
	c.conn.Close()
	eventually(t, "it is forgotten, and the machine lives", func() bool { return s.Idle() > 0 })
}

// FuzzConnection sends anything to a server, with a good hello before it or not. It must answer or refuse, and live.
func FuzzConnection(f *testing.F) {
	good := line(hello())
	f.Add(false, []byte("GET / HTTP/1.1\n"))
	f.Add(false, good)
	f.Add(true, recorded(f, hello(), [][]byte{[]byte("one"), nil, {}}, [][]byte{[]byte("bad")})[len(good):])
	f.Add(true, stream(f, schemaOf(arrow.BinaryTypes.LargeBinary), nil, record(arrow.BinaryTypes.LargeBinary, [][]byte{[]byte("x")})))
	f.Add(true, stream(f, schemaOf(arrow.BinaryTypes.Binary), []ipc.Option{ipc.WithLZ4()}, record(arrow.BinaryTypes.Binary, [][]byte{make([]byte, 4096)})))
	s := New(newFake(f), Config{About: About{Dim: fakeDim}, Window: Window{8, 32 << 20}})
	defer s.Close()
	f.Fuzz(func(t *testing.T, greet bool, data []byte) {
		in := bytes.NewReader(data)
		if greet {
			in = bytes.NewReader(append(bytes.Clone(good), data...))
		}
		var out bytes.Buffer
		err := s.ServeConn(t.Context(), struct {
			io.Reader
			io.Writer
			io.Closer
		}{in, &out, io.NopCloser(nil)})
		if err == nil && greet && !bytes.Contains(out.Bytes(), []byte(`{"ok":true,"rows":`)) {
			t.Errorf("no error and no trailer: %q", out.Bytes())
		}
	})
	if n := s.queue.unfinished(); n != 0 {
		f.Errorf("%d rows are left", n)
	}
}
