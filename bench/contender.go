package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/model"
)

// contender is one way to do the work.
type contender struct {
	name     string
	what     string
	command  []string
	env      []string
	oneShot  bool   // the command is started anew for each round, and its start counts
	peer     bool   // somebody else's: the others go on without it where it can't run
	session  bool   // its processes are a session of their own
	log      string // file for what it prints on standard error; empty: the bench's own
	skipped  string // why it does not take part
	versions map[string]string
	rounds   []result

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner

	logFile *os.File
}

// result is one round.
type result struct {
	Images     int     `json:"images"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"` // of the process and its children
}

func (r result) rate() float64      { return float64(r.Images) / r.Seconds }
func (r result) cpuMillis() float64 { return 1000 * r.CPUSeconds / float64(r.Images) }

// The contenders' names. The report relates them to each other.
const (
	library     = "imgvec"
	command     = "imgvec-command"
	decodeOnly  = "imgvec-decode"
	inferOnly   = "imgvec-infer"
	libraryINT8 = "imgvec-int8"
	inferINT8   = "imgvec-infer-int8"
	onePrep     = "imgvec-preprocess-1"
	torchScript = "torch-script"
	torchLoader = "torch-loader"
	pillowPrep  = "pillow-preprocess-1"
	openvino    = "openvino-infer"
	hugotORT    = "hugot-ort"
	hugotGo     = "hugot-go"
)

func contenders(o options, list, work string) ([]*contender, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	m, err := model.Open(o.model, model.OpenOptions{})
	if err != nil {
		return nil, err
	}
	few := filepath.Join(work, "few.txt")
	if err := writeList(few, o.photos, o.slowImages); err != nil {
		return nil, err
	}
	own := func(name string) []string { return []string{self, "peer", name, list, o.model} }
	python := func(script string, args ...string) []string {
		return append([]string{o.python, filepath.Join("peers", script), list}, args...)
	}
	all := []*contender{
		{name: library, what: "executor.Stream, JPEG files to features", command: own(library)},
		{name: command, what: "imgvec extract, its start included, to Parquet", oneShot: true, command: []string{o.imgvec, "extract", "@" + list,
			"--model", o.model, "--output", filepath.Join(work, "features.parquet"), "--force", "--progress", "none"}},
		{name: decodeOnly, what: "its preprocessing alone, on all cores", command: own(decodeOnly)},
		{name: inferOnly, what: "its model alone, pixels in memory", command: own(inferOnly)},
		{name: openvino, what: "OpenVINO for throughput, batches of 8, the same model alone, pixels in memory", peer: true,
			command: python("openvino_infer.py", m.Path, precisionOfOurs)},
		{name: torchScript, what: "PyTorch, one image at a time, fp32", peer: true, command: python("torch_script.py")},
		{name: torchLoader, what: "PyTorch, DataLoader, compiled, bf16, batches of 32", peer: true, command: python("torch_loader.py")},
		{name: hugotORT, what: "hugot on ONNX Runtime, the same model, a goroutine a core", peer: true,
			command: []string{"peers/hugot/hugot-ort", list, m.Path}, env: []string{"HUGOT_ORT=" + onnxRuntime()}},
		{name: hugotGo, what: fmt.Sprintf("hugot on its pure Go backend, the same model, rounds of %d", o.slowImages), peer: true,
			command: []string{"peers/hugot/hugot", few, m.Path}},
		{name: onePrep, what: "its preprocessing alone, one worker", command: own(onePrep)},
		{name: pillowPrep, what: "Pillow and torchvision, one core", peer: true, command: python("preprocess.py")},
	}
	quantised, err := int8Contenders(o, self, list)
	if err != nil {
		return nil, err
	}
	return choose(append(all, quantised...), o.only)
}

// int8Contenders run the quantised model; none where there is none and none was asked for. They start after those that are
// told the precision of the float model.
func int8Contenders(o options, self, list string) ([]*contender, error) {
	name := o.int8
	if name == "" {
		name = o.model + "-int8"
	}
	if _, err := model.Open(name, model.OpenOptions{}); err != nil {
		if o.int8 != "" {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "no int8: %q is not installed (imgvec model quantize %s --images DIR -o %s)\n", name, o.model, name)
		return nil, nil
	}
	return []*contender{
		{name: libraryINT8, what: "executor.Stream with " + name + ", JPEG files to features", command: []string{self, "peer", library, list, name}},
		{name: inferINT8, what: "that model alone, pixels in memory", command: []string{self, "peer", inferOnly, list, name}},
	}, nil
}

// precisionOfOurs stands in a command for the precision that imgvec computes in, which is known once it has started.
const precisionOfOurs = "{precision}"

// settle writes what is known of imgvec into the contender's command.
func (c *contender) settle(others []*contender) {
	precision := string(imgvec.PrecisionAuto)
	for _, o := range others {
		if p := o.versions["precision"]; !o.peer && p != "" {
			precision = p
		}
	}
	for i, arg := range c.command {
		if arg == precisionOfOurs {
			c.command[i] = precision
		}
	}
}

// onnxRuntime is the library that imgvec fetched, or none.
func onnxRuntime() string {
	found, err := filepath.Glob(filepath.Join(os.Getenv("IMGVEC_HOME"), "lib", "*", "libonnxruntime.so.*"))
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[0]
}

// choose takes the contenders of the given names, with commas between; all for none.
func choose(all []*contender, only string) ([]*contender, error) {
	if only == "" {
		return all, nil
	}
	names := strings.Split(only, ",")
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c *contender) bool { return c.name == name }) {
			return nil, fmt.Errorf("no contender %q", name)
		}
	}
	return slices.DeleteFunc(all, func(c *contender) bool { return !slices.Contains(names, c.name) }), nil
}

// start starts the process and waits until it is warm.
func (c *contender) start(ctx context.Context) error {
	if c.oneShot {
		_, err := c.once(ctx) // warms the file cache, and finds mistakes early
		return err
	}
	if err := c.launch(ctx); err != nil {
		return err
	}
	return c.ready()
}

// ready waits until the process says that it is.
func (c *contender) ready() error {
	var ready struct {
		Versions map[string]string
		Skip     string
	}
	if err := c.read(&ready); errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ended before it was ready")
	} else if err != nil {
		return err
	}
	if ready.Skip != "" {
		return errors.New(ready.Skip)
	}
	c.versions = ready.Versions
	return nil
}

// launch starts the process, with its ends of the pipes.
func (c *contender) launch(ctx context.Context) error {
	c.cmd = exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	if err := c.openLog(); err != nil {
		return err
	}
	c.cmd.Env = append(os.Environ(), c.env...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: c.session}
	c.cmd.WaitDelay = 5 * time.Second
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.out = bufio.NewScanner(out)
	return c.cmd.Start()
}

// openLog gives standard error to the process.
func (c *contender) openLog() error {
	c.cmd.Stderr = os.Stderr
	if c.log == "" {
		return nil
	}
	f, err := os.Create(c.log)
	if err != nil {
		return err
	}
	c.cmd.Stderr, c.logFile = f, f
	return nil
}

// read takes the next line of JSON and passes over what libraries print beside it.
func (c *contender) read(into any) error {
	for c.out.Scan() {
		if line := c.out.Bytes(); len(line) > 0 && line[0] == '{' {
			return json.Unmarshal(line, into)
		}
	}
	if err := c.out.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

func (c *contender) round(ctx context.Context) (result, error) {
	var r result
	var err error
	if c.oneShot {
		r, err = c.once(ctx)
	} else {
		r, err = c.again()
	}
	if err == nil {
		c.rounds = append(c.rounds, r)
	}
	return r, err
}

func (c *contender) again() (result, error) {
	var r result
	before, err := treeCPU(c.cmd.Process.Pid)
	if err != nil {
		return r, err
	}
	if _, err := io.WriteString(c.in, "go\n"); err != nil {
		return r, err
	}
	if err := c.read(&r); err != nil {
		return r, err
	}
	after, err := treeCPU(c.cmd.Process.Pid)
	r.CPUSeconds = after - before
	return r, err
}

func (c *contender) once(ctx context.Context) (result, error) {
	list, err := os.ReadFile(strings.TrimPrefix(c.command[2], "@"))
	if err != nil {
		return result{}, err
	}
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	start := time.Now()
	text, err := cmd.CombinedOutput()
	r := result{Images: strings.Count(string(list), "\n"), Seconds: time.Since(start).Seconds()}
	if err != nil {
		return r, fmt.Errorf("%w: %s", err, text)
	}
	r.CPUSeconds = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return r, nil
}

// stop ends the process; it may be called at any time.
func (c *contender) stop() {
	if c.in != nil {
		c.in.Close()
	}
	if c.cmd != nil && c.cmd.Process != nil {
		_ = c.cmd.Wait() // its status does not matter any more
	}
	if c.logFile != nil {
		c.logFile.Close()
	}
}
