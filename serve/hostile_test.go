package serve

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
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
		"integers":          {stream(t, ints, nil), "type int"},
		"strings":           {stream(t, schemaOf(arrow.BinaryTypes.String), nil), "type string"},
		"two columns":       {stream(t, two, nil), "2 columns"},
		"no columns":        {stream(t, arrow.NewSchema(nil, nil), nil), "0 columns"},
		"dictionary":        {stream(t, dictionary, nil), "dictionary"},
		"compressed":        {bomb, "compressed"},
		"large schema":      {stream(t, deep, nil), "over the limit"},
		"too many rows":     {stream(t, schemaOf(binaryType), nil, record(binaryType, many)), "over the limit of 16384"},
		"text":              {[]byte("GET / HTTP/1.1\r\n\r\n" + strings.Repeat("x", 2000)), "limit"},
		"zeros as metadata": {append([]byte{255, 255, 255, 255, 64, 0, 0, 0}, make([]byte, 64)...), "kind 0"},
		"schema twice":      {append(bytes.Clone(one[:len(one)-8]), one...), "message 2 is of kind 1"},
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

// TestDamagedColumns has what Arrow's own writer would not write.
func TestDamagedColumns(t *testing.T) {
	var body []byte
	for _, n := range []uint32{0, 4, 2, 100, 1 << 31} {
		body = binary.LittleEndian.AppendUint32(body, n)
	}
	for name, c := range map[string]struct {
		large bool
		l     layout
	}{
		"backwards":          {false, layout{rows: 2, offsets: span{0, 12}, bytes: span{12, 20}}},
		"beyond":             {false, layout{rows: 1, offsets: span{8, 16}, bytes: span{0, 20}}},
		"negative":           {false, layout{rows: 1, offsets: span{12, 20}, bytes: span{0, 20}}},
		"too few offsets":    {false, layout{rows: 2, offsets: span{0, 8}, bytes: span{0, 20}}},
		"too few for large":  {true, layout{rows: 1, offsets: span{0, 12}, bytes: span{0, 20}}},
		"large and beyond":   {true, layout{rows: 1, offsets: span{0, 16}, bytes: span{0, 20}}},
		"too little on null": {false, layout{rows: 17, nulls: true, valid: span{0, 2}, offsets: span{0, 20}, bytes: span{0, 20}}},
	} {
		if col, err := (&columns{large: c.large}).column(c.l, body); err == nil {
			t.Errorf("%s: taken: %q", name, col.values)
		}
	}
	if col, err := (&columns{}).column(layout{rows: 1, offsets: span{0, 8}, bytes: span{16, 20}}, body); err != nil || len(col.values[0]) != 4 {
		t.Errorf("a good one: %v, %v", col, err)
	}
}

// TestDamagedMetadata flips every bit of what describes a schema and a batch.
func TestDamagedMetadata(t *testing.T) {
	s := New(newFake(t), Config{About: About{Dim: fakeDim}, Window: Window{8, 1 << 20}})
	defer s.Close()
	h := hello()
	h.Window.Bytes = 1 << 20
	greeting, whole := len(line(h)), recorded(t, h, [][]byte{[]byte("one"), nil})
	for at := greeting; at < len(whole); at++ {
		for _, bit := range []int{0, 2, 5, 7} {
			data := bytes.Clone(whole)
			data[at] ^= 1 << bit
			_, err := sendAll(t, s, data)
			if err == nil {
				t.Errorf("bit %d of byte %d: no error, and the stream has no end", bit, at)
			}
		}
	}
}

// sendAll is a client that sends these bytes and nothing more.
func sendAll(t *testing.T, s *Server, data []byte) ([]byte, error) {
	var out bytes.Buffer
	err := s.ServeConn(t.Context(), struct {
		io.Reader
		io.Writer
		io.Closer
	}{bytes.NewReader(data), &out, io.NopCloser(nil)})
	return out.Bytes(), err
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
		if greet {
			data = append(bytes.Clone(good), data...)
		}
		out, err := sendAll(t, s, data)
		if err == nil && greet && !bytes.Contains(out, []byte(`{"ok":true,"rows":`)) {
			t.Errorf("no error and no trailer: %q", out)
		}
	})
	if n := s.queue.unfinished(); n != 0 {
		f.Errorf("%d rows are left", n)
	}
}
