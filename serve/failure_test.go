package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRefusals(t *testing.T) {
	s := start(t, newFake(t), Config{Window: Window{16, 1 << 20}})
	with := func(change func(h *Hello)) string {
		h := hello()
		h.Window = Window{4, 1 << 10}
		change(&h)
		return string(line(h))
	}
	for name, c := range map[string]struct{ send, code, text string }{
		"no JSON":          {"GET / HTTP/1.1\n", CodeProtocol, "no JSON"},
		"an array":         {"[]\n", CodeProtocol, "no JSON"},
		"null":             {"null\n", CodeProtocol, "no JSON"},
		"no protocol":      {"{}\n", CodeProtocol, "no JSON"},
		"too long":         {strings.Repeat(" ", maxLine+1), CodeProtocol, "over 65536"},
		"old protocol":     {with(func(h *Hello) { h.Protocol = 0 }), CodeProtocol, "protocol 0"},
		"new protocol":     {`{"protocol":2,"window":"all"}` + "\n", CodeProtocol, "protocol 2"},
		"wrong types":      {`{"protocol":1,"request":"extract","window":7}` + "\n", CodeProtocol, "window"},
		"request":          {with(func(h *Hello) { h.Request = "dance" }), CodeRequest, "dance"},
		"input":            {with(func(h *Hello) { h.Input = "pixels" }), CodeInput, "pixels"},
		"no input":         {with(func(h *Hello) { h.Input = "" }), CodeInput, "binary"},
		"option's value":   {with(func(h *Hello) { h.Options = map[string]string{"model": "other"} }), CodeOptions, `--model "fake", not "other"`},
		"unknown option":   {with(func(h *Hello) { h.Options = map[string]string{"speed": "1"} }), CodeOptions, "speed"},
		"model":            {with(func(h *Hello) { h.ModelSHA256 = "def" }), CodeModel, "abc"},
		"no window":        {with(func(h *Hello) { h.Window = Window{} }), CodeWindow, "1 or more"},
		"negative window":  {with(func(h *Hello) { h.Window.Bytes = -1 }), CodeWindow, "1 or more"},
		"too many batches": {with(func(h *Hello) { h.Window.Batches = 17 }), CodeWindow, "beyond"},
		"too many bytes":   {with(func(h *Hello) { h.Window.Bytes = 1<<20 + 1 }), CodeWindow, "beyond"},
	} {
		t.Run(name, func(t *testing.T) {
			client := s.dial(t)
			client.send([]byte(c.send))
			r := client.reply()
			if r.OK || r.Protocol != Protocol || r.Code != c.code || !strings.Contains(r.Error, c.text) || r.About != nil {
				t.Errorf("%+v, want %s: ...%s...", r, c.code, c.text)
			}
			if rest, err := io.ReadAll(client.in); len(rest) > 0 || err != nil {
				t.Errorf("after the refusal: %q, %v", rest, err)
			}
		})
	}
}

func TestHelloMatches(t *testing.T) {
	s := start(t, newFake(t), Config{})
	h := hello()
	h.ModelSHA256, h.Options = "abc", map[string]string{"model": "fake", "precision": "auto"}
	s.dial(t).open(h)
	r := s.dial(t).ask(map[string]any{"protocol": 1, "request": "about", "more": "in a later version"})
	if a := r.About; !r.OK || a.Model != "fake" || a.PID == 0 || a.StartTime == 0 || a.Options["precision"] != "auto" ||
		a.MaxWindow != (Window{DefaultWindowBatches, DefaultWindowBytes}) || a.CUDAVisibleDevices != nil {
		t.Errorf("about %+v", a)
	}
}

// TestRefusedWhileSending has a client that sends a lot before it reads anything: it must come to read why not.
func TestRefusedWhileSending(t *testing.T) {
	s := start(t, newFake(t), Config{})
	h := hello()
	h.Input = "pixels"
	c := s.dial(t)
	c.send(line(h))
	for range 100 {
		c.batch(make([]byte, 100_000))
	}
	if r := c.reply(); r.Code != CodeInput {
		t.Errorf("%+v", r)
	}
}

// TestClientDies has clients that go away at every point of their stream.
func TestClientDies(t *testing.T) {
	f := newFake(t)
	s := start(t, f, Config{})
	stream := recorded(t, hello(), [][]byte{[]byte("one"), []byte("two")}, [][]byte{[]byte("three")})
	answered := len(line(hello()))
	for cut := 0; cut < len(stream); cut += 7 {
		c := s.dial(t)
		c.send(stream[:cut])
		if cut%2 == 0 && cut >= answered { // at once, or when it has read something
			if _, err := c.in.ReadByte(); err != nil {
				t.Fatal(err)
			}
		}
		c.conn.Close()
	}
	eventually(t, "all connections are forgotten", func() bool { return s.Idle() > 0 })
	eventually(t, "no row is left", func() bool { return s.queue.unfinished() == 0 })
	c := s.dial(t).open(hello())
	c.batch([]byte("the server lives"))
	c.check([]byte("the server lives"))
}

// recorded is what a client with these batches sends, without the end of its stream.
func recorded(t testing.TB, h Hello, batches ...[][]byte) []byte {
	var all collector
	all.bytes = line(h)
	c := newClient(t, &all)
	for _, b := range batches {
		c.batch(b...)
	}
	return all.bytes
}

type collector struct{ bytes []byte }

func (c *collector) Write(p []byte) (int, error) {
	c.bytes = append(c.bytes, p...)
	return len(p), nil
}
func (c *collector) Read([]byte) (int, error) { return 0, io.EOF }
func (c *collector) Close() error             { return nil }

// TestDroppedRowsAreNotComputed closes a connection with a full queue.
func TestDroppedRowsAreNotComputed(t *testing.T) {
	f := newFake(t)
	s := start(t, f, Config{})
	c := s.dial(t).open(hello())
	c.batch([]byte("hang"), []byte("hang"), []byte("hang"), []byte("hang"))
	eventually(t, "all workers are busy", func() bool { return f.seen.Load() == 4 })
	for range 7 {
		c.batch(images(50, 0, "x")...)
	}
	eventually(t, "all rows are there", func() bool { return s.queue.unfinished() == 354 })
	c.conn.Close()
	eventually(t, "the queue is empty but for what the executor has", func() bool {
		inside, _ := s.queue.progress()
		return s.queue.unfinished() == inside
	})
	f.release()
	eventually(t, "the rest is through", func() bool { return s.queue.unfinished() == 0 })
	if n := f.seen.Load(); n != 4 {
		t.Errorf("%d images were read, 4 were when the client went", n)
	}
	if got := s.count(t, `imgvec_rows_total{outcome="dropped"}`); got != 354 {
		t.Errorf("%v rows counted as dropped", got)
	}
}

// TestClientDiesAfterItsStream has sent all and ended its side: only its end in both directions is a death.
func TestClientDiesAfterItsStream(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a socket that is closed in both directions can be told apart on Linux only")
	}
	f := newFake(t)
	s := start(t, f, Config{})
	c := s.dial(t).open(hello())
	c.batch([]byte("hang"), []byte("hang"), []byte("hang"), []byte("hang"))
	c.batch(images(100, 0, "x")...)
	c.finish()
	if err := c.conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second / 2) // it must not be taken for dead: what follows would come all the same, but dropped
	if s.count(t, `imgvec_rows_total{outcome="dropped"}`) != 0 {
		t.Fatal("a client that ended its side was taken for dead")
	}
	c.conn.Close()
	eventually(t, "its rows are dropped", func() bool { return s.count(t, `imgvec_rows_total{outcome="dropped"}`) > 50 })
	f.release()
	eventually(t, "it is forgotten", func() bool { return s.Idle() > 0 })
}

// TestClientDiesUnread has a client that ends its side in the middle of its stream and reads nothing: the writer, which
// waits for it to read, must not be left waiting.
func TestClientDiesUnread(t *testing.T) {
	f := newFake(t)
	f.dim = 1 << 16
	s := start(t, f, Config{About: About{Dim: f.dim}})
	c := s.dial(t).open(hello())
	for range 4 {
		c.batch(images(8, 0, "x")...)
	}
	eventually(t, "an answer is under way", func() bool { return s.count(t, `imgvec_rows_total{outcome="ok"}`) == 32 })
	if err := c.conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is forgotten", func() bool { return s.Idle() > 0 })
}

func TestHalfClose(t *testing.T) {
	s := start(t, newFake(t), Config{})
	c := s.dial(t).open(hello())
	c.batch([]byte("slow one"), []byte("slow two"))
	c.finish()
	if err := c.conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.check([]byte("slow one"), []byte("slow two"))
	if got := c.trailer(); !got.OK {
		t.Errorf("trailer %+v", got)
	}
}

func TestDrain(t *testing.T) {
	f := newFake(t)
	s := start(t, f, Config{})
	silent := s.dial(t) // has not said hello
	c := s.dial(t).open(hello())
	c.batch([]byte("hang"), []byte("a"))
	c.batch([]byte("b"))
	eventually(t, "all is read", func() bool { return s.queue.unfinished() == 3 })
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	if err := s.ended(t); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("unix", s.path); err == nil {
		t.Error("a connection was taken")
	}
	if _, err := silent.in.ReadByte(); err == nil {
		t.Error("the silent one was answered")
	}
	c.batch([]byte("too late"))
	f.release()
	c.check([]byte("hang"), []byte("a"))
	c.check([]byte("b"))
	if got := c.trailer(); got.OK || got.Code != CodeStopping || got.Rows != 3 {
		t.Errorf("trailer %+v", got)
	}
	c.conn.Close()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestDrainGivesUp(t *testing.T) {
	f := newFake(t)
	s := start(t, f, Config{})
	c := s.dial(t).open(hello())
	c.batch([]byte("hang"))
	eventually(t, "it is read", func() bool { return s.queue.unfinished() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestClose(t *testing.T) {
	f := newFake(t)
	s := start(t, f, Config{})
	c := s.dial(t).open(hello())
	c.batch([]byte("hang"))
	eventually(t, "it is in work", func() bool { return f.seen.Load() == 1 })
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.ended(t); err != nil {
		t.Error(err)
	}
	if _, err := c.next(); err == nil {
		t.Error("answered")
	}
	if err := s.ServeConn(t.Context(), &collector{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestContextEndsServe(t *testing.T) {
	s := New(newFake(t), Config{})
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if err := s.Serve(ctx, l); !errors.Is(err, why) {
		t.Error(err)
	}
}

// TestContextEndsAConnection at any point, also before it has asked for anything.
func TestContextEndsAConnection(t *testing.T) {
	s := start(t, newFake(t), Config{})
	for _, send := range []string{"", `{"protocol"`, string(line(hello())), string(recorded(t, hello(), [][]byte{[]byte("hang")}))} {
		ours, theirs := net.Pipe()
		ctx, cancel := context.WithCancelCause(t.Context())
		result := make(chan error, 1)
		go func() { result <- s.ServeConn(ctx, theirs) }()
		go io.Copy(io.Discard, ours) //nolint:errcheck // until the end
		if _, err := io.WriteString(ours, send); err != nil {
			t.Fatal(err)
		}
		why := errors.New("enough")
		cancel(why)
		if err := <-result; err == nil {
			t.Errorf("after %q: no error", send)
		}
		ours.Close()
	}
}

func TestStall(t *testing.T) {
	f := newFake(t)
	var log lines
	s := start(t, f, Config{Stall: 50 * time.Millisecond, Logger: log.logger()})
	c := s.dial(t).open(hello())
	c.batch([]byte("fine"))
	c.check([]byte("fine"))
	c.batch([]byte("before"), []byte("stuck here"), []byte("x"), []byte("y"))
	if err := s.ended(t); !errors.Is(err, ErrStalled) {
		t.Fatalf("Serve: %v", err)
	}
	if err := s.Close(); err != nil { // must not wait for what hangs
		t.Fatal(err)
	}
	if rec, err := c.next(); err == nil {
		t.Errorf("an answer: %v", rec)
	}
	if !strings.Contains(log.text(), `row 1 of batch 1 (10 bytes) of connection 1 (task {\"app\":\"test\"`) {
		t.Errorf("the log does not name what hangs:\n%s", log.text())
	}
	f.release()
	<-s.stream
}

// TestNoStall has nothing to do for long, and then something that takes long, but not for ever.
func TestNoStall(t *testing.T) {
	s := start(t, newFake(t), Config{Stall: 200 * time.Millisecond})
	c := s.dial(t).open(hello())
	for range 3 {
		time.Sleep(300 * time.Millisecond)
		c.batch(images(40, 0, "slow")...)
		c.check(images(40, 0, "slow")...)
	}
}

func TestDevicesLost(t *testing.T) {
	f := newFake(t)
	s := start(t, f, Config{})
	c, other := s.dial(t).open(hello()), s.dial(t).open(hello())
	other.batch([]byte("fine"))
	other.check([]byte("fine"))
	other.batch([]byte("hang"))
	eventually(t, "it is in work", func() bool { return f.seen.Load() == 2 })
	c.batch([]byte("lost"))
	for name, c := range map[string]*client{"one": c, "other": other} {
		if got := c.trailer(); got.Code != CodeDevice || !strings.Contains(got.Error, errLost.Error()) {
			t.Errorf("%s: trailer %+v", name, got)
		}
		c.conn.Close()
	}
	if err := s.ended(t); !errors.Is(err, ErrDevices) || !errors.Is(err, errLost) {
		t.Errorf("Serve: %v", err)
	}
}

func TestSilentClients(t *testing.T) {
	const short = 30 * time.Millisecond
	s := start(t, newFake(t), Config{Hello: short, IO: short, IdleConnection: 10 * short})
	silent := s.dial(t)
	if _, err := silent.in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("without a hello: %v", err)
	}
	trickle := s.dial(t)
	for err := error(nil); err == nil; time.Sleep(short / 3) { // its every byte is in time, its line is not
		_, err = trickle.conn.Write([]byte(" "))
	}
	middle := s.dial(t)
	stream := recorded(t, hello(), [][]byte{make([]byte, 1000)})
	middle.send(stream[:len(stream)-500])
	if text, err := io.ReadAll(middle.in); err != nil || strings.Contains(string(text), `"ok":false`) {
		t.Errorf("in the middle of a message: %q, %v", text, err)
	}
	idle := s.dial(t).open(hello())
	idle.batch([]byte("x"))
	idle.check([]byte("x"))
	if got := idle.trailer(); got.Code != CodeStopping || got.Rows != 1 {
		t.Errorf("between messages: %+v", got)
	}
}

// TestSlowAnswerIsNoIdleClient has a client that waits for longer than a client may be idle.
func TestSlowAnswerIsNoIdleClient(t *testing.T) {
	f := newFake(t)
	const idle = 500 * time.Millisecond
	s := start(t, f, Config{IdleConnection: idle})
	c := s.dial(t).open(hello())
	c.batch([]byte("hang"))
	time.Sleep(2*idle + idle/2)
	c.batch([]byte("more")) // in time, if the server waits for longer because it owes an answer
	f.release()
	c.check([]byte("hang"))
	c.check([]byte("more"))
}

// TestIdle has a server that was idle for an hour: features asked for end that, a question does not.
func TestIdle(t *testing.T) {
	s := start(t, newFake(t), Config{})
	s.mu.Lock()
	s.used = time.Now().Add(-time.Hour)
	s.mu.Unlock()
	through := func(h Hello) {
		c := s.dial(t).open(h)
		if s.Idle() != 0 && h.Request == RequestExtract {
			t.Error("idle with a connection open")
		}
		c.conn.Close()
		eventually(t, "it is through", func() bool { return s.Idle() > 0 })
	}
	through(Hello{Protocol: Protocol, Request: RequestAbout})
	if idle := s.Idle(); idle < time.Hour {
		t.Errorf("idle for %v after a question", idle)
	}
	through(hello())
	if idle := s.Idle(); idle > time.Hour/2 {
		t.Errorf("idle for %v after a job", idle)
	}
}

// TestHundreds opens and drops connections in all states, at once and after each other.
func TestHundreds(t *testing.T) {
	f := newFake(t)
	s := start(t, f, Config{})
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			c, err := net.Dial("unix", s.path)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			switch i % 4 {
			case 0:
				return
			case 1:
				fmt.Fprint(c, `{"protocol":`)
				return
			}
			client := newClient(t, c)
			if i%4 == 2 {
				client.open(hello())
				return
			}
			client.open(hello()).batch([]byte("x"), []byte("slow"))
		})
	}
	all.Wait()
	eventually(t, "all are forgotten", func() bool { return s.Idle() > 0 })
	eventually(t, "no row is left", func() bool { return s.queue.unfinished() == 0 })
	if n := s.count(t, "imgvec_connections_total"); n != 200 {
		t.Errorf("%v connections counted", n)
	}
}

func TestMetrics(t *testing.T) {
	s := start(t, newFake(t), Config{About: About{Loads: 2, Device: "cpu"}})
	c := s.dial(t).open(hello())
	c.batch([]byte("x"), nil, []byte("bad"))
	c.check([]byte("x"), nil, []byte("bad"))
	no := hello()
	no.Input = "x"
	s.dial(t).ask(no)
	broken := s.dial(t).open(hello())
	broken.send(make([]byte, 8))
	broken.trailer()
	m := s.dial(t)
	if r := m.ask(Hello{Protocol: Protocol, Request: RequestMetrics}); !r.OK {
		t.Fatalf("%+v", r)
	}
	text, err := io.ReadAll(m.in)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
		got[lines.Text()] = true
	}
	for _, want := range []string{
		`imgvec_rows_total{outcome="ok"} 1`, `imgvec_rows_total{outcome="failed"} 2`, `imgvec_rows_total{outcome="dropped"} 0`,
		"imgvec_batches_total 1", "imgvec_connections_total 4", "imgvec_queued_rows 0", "imgvec_model_loads_total 2",
		`imgvec_refusals_total{code="input"} 1`, `imgvec_refusals_total{code="batch"} 1`, `imgvec_stage_busy_seconds_total{stage="decode"} 1`, `imgvec_stage_images_total{stage="decode"} 2`,
		`imgvec_info{cuda_visible_devices="",device="cpu",model="fake",precision="",provider="",sha256="abc",version="0.1.0"} 1`,
	} {
		if !got[want] {
			t.Errorf("no line %s in\n%s", want, text)
		}
	}
	if !strings.Contains(string(text), "\ngo_goroutines ") || !strings.Contains(string(text), "\nimgvec_connections ") {
		t.Errorf("not all is there:\n%s", text)
	}
}
