package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imgvec/imgvec/gpu"
	"github.com/imgvec/imgvec/model"
)

// gpuOptions are the flags of `bench gpu`.
type gpuOptions struct {
	device, model, photos, python, results, out string
	scenarios, only                             []string
	batches, compiled                           []int
	whole                                       int
	rounds                                      int
	turn, patience                              time.Duration
	simulated                                   string
	check                                       bool
}

func parseGPU(args []string) (gpuOptions, error) {
	var o gpuOptions
	f := flag.NewFlagSet("bench gpu", flag.ContinueOnError)
	f.StringVar(&o.device, "device", "cuda:0", "the GPU")
	f.StringVar(&o.model, "model", "resnet50-random", "imgvec's model (random weights are as fast as trained ones); the PyTorch peers are always ResNet-50")
	f.StringVar(&o.photos, "photos", defaultPhotos(), "folder of JPEG photos")
	f.StringVar(&o.python, "python", ".venv/bin/python", "Python with the packages of requirements.txt")
	f.StringVar(&o.results, "results", "results", "folder for the results; empty writes none")
	f.StringVar(&o.out, "out", "", "another file that the results are appended to")
	f.IntVar(&o.rounds, "rounds", 5, "rounds")
	f.DurationVar(&o.turn, "turn", 800*time.Millisecond, "how long a case runs in a round, about")
	f.DurationVar(&o.patience, "patience", 8*time.Minute, "how long a contender may take for one answer; compiling takes minutes")
	f.StringVar(&o.simulated, "simulated", "", "simulated `driver` to try the bench on, without a GPU; nothing is kept as a result")
	f.IntVar(&o.whole, "executor-batch", 0, "images a batch for offline-jpeg and single; 0 is what imgvec takes by itself")
	f.BoolVar(&o.check, "check", false, "only look whether a GPU can be used")
	scenarios := f.String("scenarios", "", "offline-device, offline-u8, offline-jpeg, single, with commas; empty runs all")
	only := f.String("only", "", "names of the contenders to run, with commas; empty runs all")
	batches := f.String("batches", "1,8,32,64,128,256,512", "sizes of batch")
	compiled := f.String("compile-batches", "64,256", "sizes of batch for what is compiled for each of them, which takes minutes")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.scenarios, o.only = list(*scenarios), list(*only)
	var err error
	if o.batches, err = sizes(*batches); err != nil {
		return o, err
	}
	o.compiled, err = sizes(*compiled)
	return o, errors.Join(err, o.valid())
}

func (o gpuOptions) valid() error {
	for _, s := range o.scenarios {
		if !slices.Contains([]string{offlineDevice, offlineU8, offlineJPEG, single}, s) {
			return fmt.Errorf("scenario %q is unknown (%s, %s, %s, %s)", s, offlineDevice, offlineU8, offlineJPEG, single)
		}
	}
	if o.rounds < 1 || o.turn <= 0 {
		return fmt.Errorf("%d rounds of %v", o.rounds, o.turn)
	}
	return nil
}

// wants tells whether the scenario is to be run. What others need goes with them.
func (o gpuOptions) wants(scenario string) bool {
	switch scenario {
	case stepsAlone:
		scenario = offlineU8
	case decodeAlone:
		scenario = offlineJPEG
	}
	return limit(scenario) || len(o.scenarios) == 0 || slices.Contains(o.scenarios, scenario)
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// sizes reads sizes of batch; the largest come first, so that what is opened for them serves smaller ones too.
func sizes(s string) ([]int, error) {
	var all []int
	for _, text := range list(s) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1<<16 {
			return nil, fmt.Errorf("%q is no size of batch", text)
		}
		all = append(all, n)
	}
	slices.Sort(all)
	slices.Reverse(all)
	return slices.Compact(all), nil
}

// compareGPU is `bench gpu`.
func compareGPU(ctx context.Context, args []string) error {
	o, err := parseGPU(args)
	if err != nil {
		return err
	}
	if err := useProjectHome(); err != nil {
		return err
	}
	machine, err := o.machine(gpu.Look)
	if err != nil || o.check {
		return err
	}
	m, err := model.Open(o.model, model.OpenOptions{})
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "imgvec-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	photos := filepath.Join(work, "photos.txt")
	if err := writeList(photos, o.photos, 0); err != nil {
		return err
	}
	peers, err := o.peers(photos, m, halfModel(m, work))
	if err != nil {
		return err
	}
	r := newGPURun(o, machine, m)
	r.measure(ctx, peers)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return r.finish(os.Stdout)
}

// machine finds out what there is, and refuses to take a simulated driver for a GPU and the other way around.
func (o gpuOptions) machine(look func(libraryDir string) gpu.Report) (gpu.Report, error) {
	if o.simulated != "" {
		if err := os.Setenv("IMGVEC_CUDA_DRIVER", o.simulated); err != nil {
			return gpu.Report{}, err
		}
	}
	r := look("")
	switch {
	case !r.Usable:
		return r, fmt.Errorf("no GPU can be used here: %s", r.Error)
	case r.Simulated && o.simulated == "":
		return r, errors.New("IMGVEC_CUDA_DRIVER names the simulated driver: its figures are none (-simulated FILE tries the bench on it)")
	case !r.Simulated && o.simulated != "":
		return r, fmt.Errorf("%s is not the simulated driver", o.simulated)
	}
	return r, nil
}

// gpuNames are the contenders on a GPU.
const (
	limitsOwn    = "limits-copies"
	limitsTorch  = "limits-torch"
	imgvecAuto   = "imgvec"
	imgvecCUDA   = "imgvec-cuda"
	imgvecNHWC   = "imgvec-cuda-nhwc"
	torchEager   = "torch-eager"
	torchCompile = "torch-compile"
	ortPython    = "ort-python"
)

func (o gpuOptions) peers(photos string, m *model.Model, half string) ([]*gpuPeer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	device, dry := o.device, []string(nil)
	if o.simulated != "" {
		device, dry = "cpu", []string{"--dry-run"}
	}
	python := func(script string, args ...string) []string {
		return slices.Concat([]string{o.python, filepath.Join("peers", script), "--device", device}, dry, args)
	}
	own := func(provider string) []string {
		return []string{self, "gpu-peer", "-device", o.device, "-model", o.model, "-photos", photos, "-provider", provider, "-batch", strconv.Itoa(o.whole)}
	}
	alone := []string{offlineDevice, offlineU8, stepsAlone}
	all := []*gpuPeer{
		{contender: &contender{name: limitsOwn, what: "copies of page-locked memory, by imgvec's own calls", command: []string{self, "gpu-limits", "-device", o.device}},
			scenarios: []string{limitH2D, limitD2H}},
		{contender: &contender{name: limitsTorch, what: "matrix products and copies on the device, by PyTorch", peer: true, command: python("torch_limits.py")},
			scenarios: []string{limitGEMM, limitHBM}},
		{contender: &contender{name: imgvecAuto, what: "imgvec, fp16, the provider that it chooses", command: own("")},
			scenarios: append(slices.Clone(alone), decodeAlone, offlineJPEG, single)},
		{contender: &contender{name: imgvecCUDA, what: "imgvec, fp16, ONNX Runtime's CUDA provider", command: own(gpu.CUDA)}, scenarios: alone},
		{contender: &contender{name: imgvecNHWC, what: "the same with prefer_nhwc=1", command: append(own(gpu.CUDA), "-option", "prefer_nhwc=1")}, scenarios: alone[:2]},
		{contender: &contender{name: torchEager, what: "PyTorch eager, fp16, channels_last", peer: true, command: python("torch_gpu.py", "--mode", "eager")},
			scenarios: alone[:2]},
		{contender: &contender{name: torchCompile, what: "PyTorch, torch.compile max-autotune, fp16, channels_last", peer: true, command: python("torch_gpu.py", "--mode", "compile")},
			scenarios: alone[:2], batches: o.compiled},
		{contender: &contender{name: ortPython, what: "ONNX Runtime from Python, CUDA provider, IoBinding", peer: true, command: python("ort_gpu.py", "--model", half)},
			scenarios: alone[:2]},
	}
	for _, p := range all {
		p.patience = o.patience
	}
	return o.choose(all)
}

func (o gpuOptions) choose(all []*gpuPeer) ([]*gpuPeer, error) {
	if len(o.only) == 0 {
		return all, nil
	}
	var chosen []*gpuPeer
	for _, name := range o.only {
		i := slices.IndexFunc(all, func(p *gpuPeer) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no contender %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
