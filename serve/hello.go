package serve

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// maxLine bounds a line of the protocol. It is the size of a connection's read buffer too.
const maxLine = 64 << 10

// refusal is a request that the server does not answer.
type refusal struct{ code, text string }

func (r *refusal) Error() string { return fmt.Sprintf("refused (%s): %s", r.code, r.text) }

func refuse(code, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// readHello reads a client's first line.
func readHello(in *bufio.Reader) (Hello, error) {
	line, err := in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return Hello{}, refuse(CodeProtocol, "the first line is over %d bytes: begin with one line of JSON (imgvec's protocol %d)", maxLine, Protocol)
	case err != nil:
		return Hello{}, fmt.Errorf("read its first line: %w", lost(err))
	}
	// What is said of the protocol has to be understood whatever else stands there in another version.
	var version struct{ Protocol *int }
	if err := json.Unmarshal(line, &version); err != nil || version.Protocol == nil {
		return Hello{}, refuse(CodeProtocol, "the first line is no JSON object with a protocol: begin with one line of JSON (imgvec's protocol %d)", Protocol)
	}
	if *version.Protocol != Protocol {
		return Hello{}, refuse(CodeProtocol, "the client speaks protocol %d, this server %d: install the same version of imgvec on both sides", *version.Protocol, Protocol)
	}
	var h Hello
	if err := json.Unmarshal(line, &h); err != nil {
		return Hello{}, refuse(CodeProtocol, "the first line can't be read: %v", err)
	}
	return h, nil
}

// check tells why the server does not do what the client asks for; nil where it does.
func (c *Config) check(h *Hello) *refusal {
	switch h.Request {
	case RequestAbout, RequestMetrics:
		return nil
	case RequestExtract:
	default:
		return refuse(CodeRequest, "unknown request %q: ask for %s, %s or %s", shorten(h.Request), RequestExtract, RequestAbout, RequestMetrics)
	}
	if h.Input != InputBinary && h.Input != InputPath {
		return refuse(CodeInput, "unknown input %q: send %s or %s", shorten(h.Input), InputBinary, InputPath)
	}
	if h.ModelSHA256 != "" && h.ModelSHA256 != c.About.SHA256 {
		return refuse(CodeModel, "the server runs model %s with sha256 %s, not %s: start one with the same model file", c.About.Model, c.About.SHA256, shorten(h.ModelSHA256))
	}
	if r := c.checkOptions(h.Options); r != nil {
		return r
	}
	return c.checkWindow(h.Window)
}

func (c *Config) checkOptions(want map[string]string) *refusal {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		have, ok := c.Options[name]
		switch {
		case !ok:
			return refuse(CodeOptions, "unknown option %q: it is no flag of this server's version (%s)", shorten(name), c.About.Version)
		case have != want[name]:
			return refuse(CodeOptions, "the server runs with --%s %q, not %q: start one with these options", name, have, shorten(want[name]))
		}
	}
	return nil
}

func (c *Config) checkWindow(w Window) *refusal {
	switch {
	case w.Batches < 1 || w.Bytes < 1:
		return refuse(CodeWindow, "a window of %d batches and %d bytes: both must be 1 or more", w.Batches, w.Bytes)
	case w.Batches > c.Window.Batches || w.Bytes > c.Window.Bytes:
		return refuse(CodeWindow, "a window of %d batches and %d bytes is beyond the server's (%d and %d): ask for less, or start it with a larger one",
			w.Batches, w.Bytes, c.Window.Batches, c.Window.Bytes)
	}
	return nil
}

// line is a message of the protocol as it goes over the connection.
func line(message any) []byte {
	text, err := json.Marshal(message)
	if err != nil {
		panic("imgvec: BUG: " + err.Error())
	}
	return append(text, '\n')
}
