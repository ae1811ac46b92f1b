package serve

import "encoding/json"

// Protocol is the version of what goes over a connection. It changes when an old client or server would misread it.
const Protocol = 1

// Requests that a client can make, in Hello.Request.
const (
	RequestExtract = "extract" // features for the Arrow stream that follows
	RequestAbout   = "about"   // what the server is
	RequestMetrics = "metrics" // its counters, in Prometheus' text form
)

// Inputs that a client can send, in Hello.Input.
const (
	InputBinary = "binary" // the encoded images
	InputPath   = "path"   // paths or file: URIs of files that the server can read
)

// Codes of refusals (Reply.Code) and of broken-off streams (Trailer.Code).
const (
	CodeProtocol = "protocol" // not this protocol, or another version of it
	CodeRequest  = "request"  // an unknown request
	CodeOptions  = "options"  // the server runs with other options
	CodeModel    = "model"    // the server runs another model
	CodeWindow   = "window"   // a window beyond the server's, or a client beyond its own
	CodeInput    = "input"    // an unknown input
	CodeStopping = "stopping" // the server is told to stop; all batches that it read are answered
	CodeBatch    = "batch"    // what came is no batch that the server takes
	CodeDevice   = "device"   // no device is left
	CodeInternal = "internal" // a mistake of the server
)

// Hello is the line that a client begins with.
type Hello struct {
	Protocol    int               `json:"protocol"`
	Request     string            `json:"request"`
	Version     string            `json:"version,omitempty"`      // the client's, for logs
	Options     map[string]string `json:"options,omitempty"`      // flags of the server without dashes; each must have this value there
	ModelSHA256 string            `json:"model_sha256,omitempty"` // where given, the server's model must be this one
	Input       string            `json:"input,omitempty"`
	Window      Window            `json:"window,omitzero"`
	Task        json.RawMessage   `json:"task,omitempty"` // who asks; for logs alone
}

// Window is how much may be unanswered at one time.
type Window struct {
	Batches int   `json:"batches"`
	Bytes   int64 `json:"bytes"` // of the column's values
}

// Reply is the line that the server answers a Hello with.
type Reply struct {
	Protocol int    `json:"protocol"`
	OK       bool   `json:"ok"`
	About    *About `json:"about,omitempty"`
	Code     string `json:"code,omitempty"`
	Error    string `json:"error,omitempty"`
}

// About is what a server says of itself.
type About struct {
	Version            string            `json:"version"`
	Model              string            `json:"model"`
	SHA256             string            `json:"sha256"`
	Dim                int               `json:"dim"`
	Device             string            `json:"device"`
	Devices            []string          `json:"devices"`
	Provider           string            `json:"provider"`
	Precision          string            `json:"precision"`
	Decoder            string            `json:"decoder"`
	PID                int               `json:"pid"`        // New fills it in where it is 0
	StartTime          uint64            `json:"start_time"` // of the process: field 22 of its /proc stat; New fills it in where it is 0
	Options            map[string]string `json:"options"`    // New takes them from Config.Options
	CUDAVisibleDevices *string           `json:"cuda_visible_devices"`
	Loads              int               `json:"loads"`      // models that were loaded: one a device
	MaxWindow          Window            `json:"max_window"` // New takes it from Config.Window
}

// Trailer is the line that ends an answer, after the end of the Arrow stream.
type Trailer struct {
	OK     bool   `json:"ok"`
	Rows   int64  `json:"rows"`   // answered
	Failed int64  `json:"failed"` // of those, with an error instead of features
	Code   string `json:"code,omitempty"`
	Error  string `json:"error,omitempty"`
}
