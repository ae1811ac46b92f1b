package serve

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

const (
	// maxMetadata bounds what describes a message: a batch of one column needs a few hundred bytes, a schema with
	// metadata of its own some more.
	maxMetadata = 1 << 20
	// bodySlack is what a message's body may have beyond the values: offsets, validity, padding.
	bodySlack = 1 << 20
	// firstPiece is how much memory a body gets before any of it has come. A length alone is only a claim.
	firstPiece = 16 << 20

	continuation = 0xFFFFFFFF // begins each message of Arrow's stream format
)

// batchError is what a client sent and the server does not take.
type batchError struct{ text string }

func (e *batchError) Error() string { return e.text }

func badBatch(format string, args ...any) error { return &batchError{fmt.Sprintf(format, args...)} }

// messages cuts a client's bytes into Arrow messages: with limits that hold before memory is taken, a short patience in
// a message and a long one between two, memory that is used again, and a difference between a stream's end and a
// connection's.
type messages struct {
	wire     *wire
	in       *bufio.Reader
	idle, io time.Duration    // patience between messages and in one
	waiting  func() bool      // whether a client that has sent nothing for idle may take longer
	alloc    func(int) []byte // spare memory; may be nil
	limit    int64            // of a body
	count    int              // messages so far
}

// next is the next message, which must be of that kind, and its body; io.EOF at the stream's own end.
func (m *messages) next(kind byte) (message, []byte, error) {
	meta, err := m.metadata()
	if errors.Is(err, io.EOF) && m.count == 0 {
		err = badBatch("the stream ends before its schema")
	}
	if err != nil {
		return message{}, nil, err
	}
	head := parseMessage(meta)
	if head.kind != kind {
		return message{}, nil, badBatch("message %d is of kind %d, not %d (1 is a schema, 2 a dictionary, 3 a batch)", m.count, head.kind, kind)
	}
	m.count++
	body, err := m.body(head.body)
	return head, body, err
}

// metadata reads up to a message's body.
func (m *messages) metadata() ([]byte, error) {
	if err := m.await(); err != nil {
		return nil, err
	}
	n, err := m.word()
	if err == nil && n == continuation {
		n, err = m.word()
	}
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, io.EOF
	case n > maxMetadata:
		return nil, badBatch("a message's metadata of %d bytes is over the limit of %d: the stream is damaged, or its schema is too large", n, maxMetadata)
	}
	meta := make([]byte, n)
	if _, err := io.ReadFull(m.in, meta); err != nil {
		return nil, lost(err)
	}
	return meta, nil
}

// await waits for the first byte of a message.
func (m *messages) await() error {
	m.wire.toRead = m.idle
	defer func() { m.wire.toRead = m.io }()
	for {
		_, err := m.in.Peek(1)
		switch {
		case err == nil:
			return nil
		case !isTimeout(err):
			return lost(err)
		case !m.waiting():
			return errIdle
		}
	}
}

// errIdle ends a connection whose client has sent nothing and waits for nothing.
var errIdle = errors.New("no batch came")

func (m *messages) word() (uint32, error) {
	var b [4]byte
	if _, err := io.ReadFull(m.in, b[:]); err != nil {
		return 0, lost(err)
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

// body reads n bytes. More memory is taken only as they come.
func (m *messages) body(n int64) ([]byte, error) {
	if n < 0 || n > m.limit {
		return nil, badBatch("a batch of %d bytes is over the server's limit of %d: send fewer rows at once", n, m.limit)
	}
	body := m.alloc(int(n))
	if body == nil {
		body = make([]byte, min(n, firstPiece))
	}
	for at := 0; ; {
		got, err := io.ReadFull(m.in, body[at:])
		if err != nil {
			return nil, lost(err)
		}
		if at += got; at == int(n) {
			return body, nil
		}
		body = slices.Grow(body, min(at, int(n)-at))
		body = body[:min(cap(body), int(n))]
	}
}

// lost is the error of a connection that ends where it should not. It hides io.EOF, which is the good end.
func lost(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: its connection ended in the middle of its stream", ErrClientGone)
	}
	return fmt.Errorf("%w: %w", ErrClientGone, err)
}
