package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/executor"
	"github.com/imgvec/imgvec/internal/measure"
	"github.com/imgvec/imgvec/model"
)

// server is a contender's side of the protocol.
type server interface {
	prepare(request) (answer, error)
	measure(request) (answer, error)
}

// serveCases answers requests until there are no more. What goes wrong with one is told, and the next is answered.
func serveCases(in io.Reader, out io.Writer, s server, hello answer) error {
	enc := json.NewEncoder(out)
	hello.Ready = true
	if err := enc.Encode(hello); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var r request
		err := json.Unmarshal(lines.Bytes(), &r)
		var a answer
		if err == nil {
			a, err = respond(s, r)
		}
		if err != nil {
			a = answer{Skip: err.Error()}
		}
		if err := enc.Encode(a); err != nil {
			return err
		}
	}
	return nil
}

func respond(s server, r request) (answer, error) {
	switch r.Do {
	case "prepare":
		return s.prepare(r)
	case "go":
		return s.measure(r)
	}
	return answer{}, fmt.Errorf("request %q is unknown", r.Do)
}

// rigServer is imgvec as a contender: package measure runs it.
type rigServer struct {
	ctx    context.Context
	rig    *measure.Rig
	stages map[string]*measure.Stage // by scenario and batch
	counts map[string]int            // images a second's worth of turn
}

// serveGPU is `bench gpu-peer`.
func serveGPU(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("bench gpu-peer", flag.ContinueOnError)
	device, name, photos, provider := f.String("device", "", ""), f.String("model", "", ""), f.String("photos", "", ""), f.String("provider", "", "")
	batch := f.Int("batch", 0, "")
	options := map[string]string{}
	f.Func("option", "", func(text string) error {
		key, value, _ := strings.Cut(text, "=")
		options[key] = value
		return nil
	})
	if err := f.Parse(args); err != nil {
		return err
	}
	m, err := model.Open(*name, model.OpenOptions{})
	if err != nil {
		return err
	}
	images, err := readImages(*photos)
	if err != nil {
		return err
	}
	rig, err := measure.NewRig(measure.Options{
		Model: m, Images: images, Executor: executor.Options{Device: *device, Provider: *provider, Session: options, Precision: imgvec.FP16, Batch: *batch},
		Log: func(line string) { fmt.Fprintln(os.Stderr, line) },
	})
	if err != nil {
		return err
	}
	s := &rigServer{ctx, rig, map[string]*measure.Stage{}, map[string]int{}}
	if err := serveCases(os.Stdin, os.Stdout, s, answer{}); err != nil {
		return err
	}
	return rig.Close()
}

func readImages(list string) ([][]byte, error) {
	text, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	var images [][]byte
	for path := range strings.Lines(string(text)) {
		data, err := os.ReadFile(strings.TrimSuffix(path, "\n"))
		if err != nil {
			return nil, err
		}
		images = append(images, data)
	}
	return images, nil
}

// stageOf are package measure's stages, by scenario.
var stageOf = map[string]string{
	offlineDevice: measure.StageDevice, offlineU8: measure.StageInfer, stepsAlone: measure.StageSteps,
	decodeAlone: measure.StageDecode, offlineJPEG: measure.StageWhole,
}

func key(r request) string { return fmt.Sprintf("%s %d", r.Scenario, r.Batch) }

func (s *rigServer) prepare(r request) (answer, error) {
	if r.Scenario == single {
		l, err := s.rig.Latency(s.ctx, 1, 0)
		return answer{Ready: true, Once: map[string]float64{"first_s": l.P99.Seconds()}}, err
	}
	stage, err := s.rig.Stage(s.ctx, stageOf[r.Scenario], r.Batch)
	if err != nil {
		return answer{}, err
	}
	batch := r.Batch
	if batch == 0 {
		if batch, err = strconv.Atoi(stage.About["batch"]); err != nil {
			batch = 64
		}
	}
	start := time.Now()
	if err := stage.Do(s.ctx, batch); err != nil {
		return answer{}, err
	}
	first := time.Since(start)
	if s.counts[key(r)], err = stage.Calibrate(s.ctx, duration(r.Seconds), batch); err != nil {
		return answer{}, err
	}
	s.stages[key(r)] = stage
	a := answer{Ready: true, About: stage.About, Once: map[string]float64{"first_s": first.Seconds()}}
	if stage.Load > 0 {
		a.Once["load_s"] = stage.Load.Seconds()
	}
	return a, nil
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func (s *rigServer) measure(r request) (answer, error) {
	if r.Scenario == single {
		l, err := s.rig.Latency(s.ctx, 1, duration(r.Seconds))
		milli := func(d time.Duration) float64 { return d.Seconds() * 1000 }
		return answer{Images: l.Calls, Seconds: float64(l.Calls) / l.PerSecond, P50: milli(l.P50), P99: milli(l.P99)}, err
	}
	stage := s.stages[key(r)]
	if stage == nil {
		return answer{}, fmt.Errorf("%s was not prepared", key(r))
	}
	took, err := stage.Time(s.ctx, s.counts[key(r)])
	if err != nil {
		return answer{}, err
	}
	a := answer{Images: took.Images, Seconds: took.Wall.Seconds(), Steps: map[string]float64{}}
	for name, d := range took.Steps {
		a.Steps[name] = d.Seconds()
	}
	return a, nil
}
