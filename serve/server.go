package serve

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/executor"
)

// What ends a server or a connection. Test with errors.Is.
var (
	// ErrStalled: rows were with the executor, and none came out of it for Config.Stall. The executor can't be closed
	// then: end the process, without waiting for anything (exit status 70).
	ErrStalled = errors.New("no image was finished within the stall timeout")
	// ErrDevices: no device is left (exit status 69).
	ErrDevices = errors.New("no device is left")
	// ErrClientGone: the connection ended before the client had ended its Arrow stream.
	ErrClientGone = errors.New("the client is gone")
)

// Extractor is what a server needs of an *executor.Executor.
type Extractor interface {
	Stream(ctx context.Context, items iter.Seq[imgvec.Item]) iter.Seq2[imgvec.Result, error]
	Stats() executor.Stats
}

// Config is what a server is made of. Zero durations and a zero window take their defaults.
type Config struct {
	About   About             // what the server says of itself
	Options map[string]string // its flags without dashes -> their values; a client's must be equal
	Window  Window            // the most that a client may ask for

	Stall          time.Duration // see ErrStalled
	IO             time.Duration // for the rest of a message once it has begun, and for lines
	Hello          time.Duration // for a client's first line
	IdleConnection time.Duration // between a client's messages, and for a client that does not take its answers
	Logger         *slog.Logger
}

// Server answers connections. Its methods may be called at the same time.
type Server struct{}

// New makes a server of an executor that is open. The executor stays the caller's: close it after the server, unless
// the server ended with ErrStalled. Nothing runs before the first Serve or ServeConn.
func New(ex Extractor, cfg Config) *Server { return &Server{} }

// Serve answers the connections of l until Drain or Close (then it returns nil), ctx is done (its cause), or it can't
// go on (ErrStalled, ErrDevices, the listener's error). l is closed when it returns.
func (s *Server) Serve(ctx context.Context, l net.Listener) error { return errors.ErrUnsupported }

// ServeConn answers one connection and closes it. nil: it was answered to its end. Refusals and broken-off streams are
// other errors, ErrClientGone, ErrStalled, ErrDevices among them. rw need not have deadlines. A Read under way that
// Close doesn't end is left behind.
func (s *Server) ServeConn(ctx context.Context, rw io.ReadWriteCloser) error {
	return errors.ErrUnsupported
}

// Drain ends the server in good order: no more connections and batches are taken, what was read is answered, each
// client is told. It returns nil when all connections are through, or ctx's error; in both cases follow with Close.
func (s *Server) Drain(ctx context.Context) error { return nil }

// Close ends all connections and the stream at once, and waits for the images that are being decoded right now (not
// after ErrStalled). It is idempotent. A process that has to end in time should not wait for it.
func (s *Server) Close() error { return nil }

// Idle is since when no connection is open; 0 while one is. Those that only ask what the server is don't count.
func (s *Server) Idle() time.Duration { return 0 }

// About is what the server answers; for the line READY.
func (s *Server) About() About { return About{} }

// Metrics answers with the counters in Prometheus' form.
func (s *Server) Metrics() http.Handler { return http.NotFoundHandler() }
