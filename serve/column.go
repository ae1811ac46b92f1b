package serve

import "encoding/binary"

// maxRows bounds the rows of a batch: each row takes some memory here, also one without bytes.
const maxRows = 1 << 14

// column is the one column of a batch.
type column struct {
	values [][]byte // of the rows; nil: null, empty: no bytes. They lie in body.
	bytes  int64    // what it counts in a window
	body   []byte
}

// columns reads a client's Arrow stream.
type columns struct {
	messages *messages
	large    bool // offsets of 64 bits
}

// openColumns reads the schema and tells whether the server takes it.
func openColumns(m *messages, input string) (*columns, error) {
	c := &columns{messages: m}
	return c, careful(func() error {
		head, _, err := m.next(kindSchema)
		if err != nil {
			return err
		}
		name, err := head.columnType()
		if err != nil {
			return err
		}
		small, large := "binary", "large_binary"
		if input == InputPath {
			small, large = "string", "large_string"
		}
		if name != small && name != large {
			return badBatch("the column is of type %s: input %q takes %s or %s", name, input, small, large)
		}
		c.large = name == large
		return nil
	})
}

// next is the next batch; io.EOF at the stream's end.
func (c *columns) next() (col column, err error) {
	err = careful(func() error {
		head, body, err := c.messages.next(kindBatch)
		if err != nil {
			return err
		}
		l, err := head.layout()
		if err != nil {
			return err
		}
		col, err = c.column(l, body)
		return err
	})
	return col, err
}

// careful makes an error of what panics because a message is not what it says.
func careful(read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = badBatch("a message is damaged: %v", p)
		}
	}()
	return read()
}

// column finds the values of the rows. Nothing that a client sent is taken on trust.
func (c *columns) column(l layout, body []byte) (column, error) {
	if l.rows == 0 {
		return column{body: body}, nil
	}
	n := int(l.rows)
	valid, offsets, data := body[l.valid.from:l.valid.to], body[l.offsets.from:l.offsets.to], body[l.bytes.from:l.bytes.to]
	size := 4
	if c.large {
		size = 8
	}
	nulls := l.nulls && len(valid) > 0
	if len(offsets) < (n+1)*size || nulls && len(valid) < (n+7)/8 {
		return column{}, badBatch("a batch of %d rows has %d bytes of offsets, %d of validity", n, len(offsets), len(valid))
	}
	col := column{values: make([][]byte, n), body: body}
	from := c.offset(offsets, 0)
	for i := range n {
		to := c.offset(offsets, i+1)
		if from < 0 || to < from || to > int64(len(data)) {
			return column{}, badBatch("a batch's row %d lies at %d to %d of %d bytes", i, from, to, len(data))
		}
		if !nulls || valid[i/8]>>(i%8)&1 == 1 {
			col.values[i] = data[from:to:to]
			col.bytes += to - from
		}
		from = to
	}
	col.bytes = max(col.bytes, int64(len(body))-bodySlack) // what it holds beside the values counts too
	return col, nil
}

func (c *columns) offset(offsets []byte, i int) int64 {
	if c.large {
		return int64(binary.LittleEndian.Uint64(offsets[i*8:]))
	}
	return int64(int32(binary.LittleEndian.Uint32(offsets[i*4:])))
}
