package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/imgvec/imgvec/internal/flattable"
)

const (
	// maxArrowMetadata bounds what describes a message; thousands of columns take less than a megabyte.
	maxArrowMetadata = 64 << 20
	// maxArrowBody bounds a record batch, packed and unpacked. Arrow's readers need the whole of one in memory.
	maxArrowBody, smallBody = 4 << 30, 64 << 20
	// maxArrowFields and maxArrowDepth bound a schema.
	maxArrowFields, maxArrowDepth = 100_000, 64
	// firstBody is how much memory a body gets before any of it was read: its length alone is only a claim.
	firstBody = 16 << 20

	arrowSchema, arrowDictionary, arrowBatch = 1, 2, 3 // MessageHeader in Arrow's format
)

// arrowMessages cuts a stream into messages for Arrow's reader. That takes memory by the lengths that it reads, before
// it looks whether there is so much; so a length is compared here with what can be, and memory is taken as bytes come.
type arrowMessages struct {
	in    io.Reader
	head  *arrowHead     // of the message that comes next; nil: not read yet
	kept  []arrowMessage // the schema and the dictionaries so far
	lost  error          // why nothing can be read any more
	ended bool           // nothing is to come
	again int            // of kept that are given once more, before anything is read
}

// arrowMessage is a message that a second reader of the same stream needs.
type arrowMessage struct{ meta, body []byte }

func (m arrowMessage) message() *ipc.Message {
	return ipc.NewMessage(memory.NewBufferBytes(m.meta), memory.NewBufferBytes(m.body))
}

// restart gives the schema and the dictionaries once more, to a new reader.
func (m *arrowMessages) restart() { m.again = len(m.kept) }

// arrowHead is what describes a message.
type arrowHead struct {
	meta []byte
	kind byte
	rows int64 // of a record batch
	body int64 // bytes that follow
}

func newArrowMessages(in io.Reader, footer func() (*arrowFooter, error)) (*arrowMessages, error) {
	var magic [len(arrowMagic)]byte
	if _, err := io.ReadFull(in, magic[:4]); err != nil {
		return nil, errNotArrow
	}
	switch string(magic[:4]) {
	case arrowMagic[:4]:
		if _, err := io.ReadFull(in, magic[4:]); err != nil {
			return nil, cutShort(err)
		}
		m := &arrowMessages{in: in}
		return m, m.first(footer)
	case "FEA1":
		return nil, errors.New("it is in version 1 of the Feather format, which Arrow has left behind: write it again with a current pyarrow")
	case "\xff\xff\xff\xff":
		m := &arrowMessages{in: in}
		_, err := m.peekAfterMark()
		return m, err
	}
	return nil, errNotArrow
}

var errNotArrow = errors.New("it is no Arrow file or stream")

// first finds the first message of a file: behind the mark at its beginning, or by its end.
func (m *arrowMessages) first(footer func() (*arrowFooter, error)) error {
	var word [4]byte
	if _, err := io.ReadFull(m.in, word[:]); err != nil {
		return cutShort(err)
	}
	if word == [4]byte{0xff, 0xff, 0xff, 0xff} {
		_, err := m.peekAfterMark()
		return err
	}
	f, err := footer()
	if err != nil {
		return err
	}
	if m.head, err = parseArrowHead(f.schema); err != nil {
		return err
	}
	const read = int64(len(arrowMagic) + len(word))
	if m.ended = f.first < read; m.ended {
		return nil
	}
	_, err = io.CopyN(io.Discard, m.in, f.first-read)
	return cutShort(err)
}

// peek is the head of the next message; io.EOF at the end of the stream.
func (m *arrowMessages) peek() (*arrowHead, error) {
	if m.head != nil {
		return m.head, nil
	}
	if m.ended {
		return nil, io.EOF
	}
	var mark [4]byte
	if _, err := io.ReadFull(m.in, mark[:]); err != nil {
		return nil, cutShort(err)
	}
	if mark != [4]byte{0xff, 0xff, 0xff, 0xff} {
		return nil, errNoMessage
	}
	return m.peekAfterMark()
}

func (m *arrowMessages) peekAfterMark() (head *arrowHead, err error) {
	defer barrier(&err)
	var length [4]byte
	if _, err := io.ReadFull(m.in, length[:]); err != nil {
		return nil, cutShort(err)
	}
	n := binary.LittleEndian.Uint32(length[:])
	switch {
	case n == 0:
		return nil, io.EOF
	case n > maxArrowMetadata:
		return nil, fmt.Errorf("it is damaged: a message is said to be described by %d bytes", n)
	}
	meta, err := readGrowing(m.in, int64(n))
	if err != nil {
		return nil, err
	}
	if m.head, err = parseArrowHead(meta); err != nil {
		m.head = nil
	}
	return m.head, err
}

func parseArrowHead(meta []byte) (*arrowHead, error) {
	root := flattable.Root(meta)
	h := &arrowHead{meta: meta, kind: root.Byte(1), body: root.Int64(3)}
	if h.body < 0 || h.body > maxArrowBody {
		return nil, fmt.Errorf("a record batch of %d bytes is over the limit of %d: write smaller ones", h.body, int64(maxArrowBody))
	}
	root.Vector(4, 4) // what the message says beside
	header, _ := root.Nested(2)
	switch h.kind {
	case arrowSchema:
		fields := maxArrowFields
		header.Vector(2, 4)
		return h, checkFields(header, 1, maxArrowDepth, &fields)
	case arrowBatch:
		if h.rows = header.Int64(0); h.rows < 0 {
			return nil, fmt.Errorf("it is damaged: a record batch claims %d rows", h.rows)
		}
	}
	return h, nil
}

// checkFields bounds the fields of a schema: their description can lead to itself again.
func checkFields(t flattable.Table, vector, depth int, left *int) error {
	at, n := t.Vector(vector, 4)
	for i := range n {
		if *left--; *left < 0 || depth == 0 {
			return fmt.Errorf("it is damaged: its schema has over %d fields, or is nested deeper than %d", maxArrowFields, maxArrowDepth)
		}
		place := at + flatbuffers.UOffsetT(4*i)
		field := t.At(place)
		const children, custom = 5, 6
		field.Vector(custom, 4)
		if err := checkFields(field, children, depth-1, left); err != nil {
			return err
		}
	}
	return nil
}

// Message is for Arrow's reader, and has the name of its interface.
func (m *arrowMessages) Message() (*ipc.Message, error) {
	if m.again > 0 {
		m.again--
		return m.kept[len(m.kept)-1-m.again].message(), nil
	}
	h, err := m.peek()
	if err != nil {
		m.lost = err
		return nil, err
	}
	m.head = nil
	body, err := readGrowing(m.in, h.body)
	if err != nil {
		m.lost = err
		return nil, err
	}
	if err := h.checkBuffers(body); err != nil {
		return nil, err
	}
	msg := arrowMessage{h.meta, body}
	if h.kind != arrowBatch {
		m.kept = append(m.kept, msg)
	}
	return msg.message(), nil
}

// Retain and Release do nothing: the memory is the garbage collector's.
func (m *arrowMessages) Retain()  {}
func (m *arrowMessages) Release() {}

// pass leaves out the message whose head was peeked at.
func (m *arrowMessages) pass() error {
	h := m.head
	m.head = nil
	if s, ok := m.in.(io.Seeker); ok && h.body > 0 {
		// The last byte is read: one may seek behind the end of a file.
		if _, err := s.Seek(h.body-1, io.SeekCurrent); err != nil {
			return err
		}
		_, err := readGrowing(m.in, 1)
		return err
	}
	_, err := io.CopyN(io.Discard, m.in, h.body)
	return cutShort(err)
}

// checkBuffers sees to it that the parts of a body lie in it, and that they don't unpack to more than the limit.
func (h *arrowHead) checkBuffers(body []byte) (err error) {
	defer barrier(&err)
	root := flattable.Root(h.meta)
	batch, _ := root.Nested(2)
	switch h.kind {
	case arrowDictionary:
		batch, _ = batch.Nested(1)
	case arrowBatch:
	default:
		return nil
	}
	_, packed := batch.Nested(3)
	batch.Vector(1, 16)
	batch.Vector(4, 8)
	at, n := batch.Vector(2, 16)
	most := min(maxArrowBody, smallBody+1000*int64(len(body))) // a small body's claims stay small
	unpacked := int64(0)
	for i := range n {
		place := at + flatbuffers.UOffsetT(16*i)
		from, size := batch.GetInt64(place), batch.GetInt64(place+8)
		if from < 0 || size < 0 || from > int64(len(body)) || size > int64(len(body))-from {
			return fmt.Errorf("it is damaged: a column is said to lie at %d with %d bytes, of %d", from, size, len(body))
		}
		if !packed || size == 0 {
			continue
		}
		if size < 8 {
			return errors.New("it is damaged: a packed column has no length")
		}
		length := int64(binary.LittleEndian.Uint64(body[from:]))
		if unpacked += max(length, 0); length < -1 || length > most || unpacked > most {
			return fmt.Errorf("a record batch of %d bytes unpacks to over %d: it is damaged, or too large", len(body), most)
		}
	}
	return nil
}

// readGrowing reads n bytes, and takes memory for them as they come.
func readGrowing(in io.Reader, n int64) ([]byte, error) {
	buf := make([]byte, min(n, firstBody))
	for at := int64(0); ; {
		got, err := io.ReadFull(in, buf[at:])
		if at += int64(got); err != nil {
			return nil, cutShort(err)
		}
		if at == n {
			return buf, nil
		}
		buf = slices.Grow(buf, int(min(at, n-at)))
		buf = buf[:min(int64(cap(buf)), n)]
	}
}

// cutShort makes of an end that comes too early the error that says so.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// checkStoredSchema looks at the Arrow schema that a Parquet file carries, before Arrow's reader does.
func checkStoredSchema(message []byte) (err error) {
	defer barrier(&err)
	if bytes.HasPrefix(message, []byte{0xff, 0xff, 0xff, 0xff}) {
		message = message[4:]
	}
	n := binary.LittleEndian.Uint32(message)
	_, err = parseArrowHead(message[4 : 4+int64(n)])
	return err
}
