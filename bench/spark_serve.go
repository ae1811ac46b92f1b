package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// commandPeer speaks the protocol of peers/spark_rounds.py for `imgvec extract`.
type commandPeer struct {
	imgvec, folder, model string
	work                  string // folder for what the command writes
	some                  string // one of the photos
	versions              map[string]string
}

// serveSpark is the peer: it runs the command on a folder for each "go", and on one photo for each "warm".
func serveSpark(ctx context.Context, imgvec, folder, model string) error {
	work, err := os.MkdirTemp("", "imgvec-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	photos, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return err
	}
	if len(photos) == 0 {
		return errors.New("no photos in " + folder)
	}
	p := &commandPeer{imgvec: imgvec, folder: folder, model: model, work: work, some: photos[0]}
	if _, err := p.extract(ctx, p.some); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(map[string]any{"ready": true, "versions": p.versions}); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		answer := any(map[string]bool{"ok": true})
		if in.Text() == "go" {
			if answer, err = p.round(ctx); err != nil {
				return err
			}
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return nil
}

// commandRun is one run of the command.
type commandRun struct {
	images       int
	seconds      float64 // without loading
	wholeSeconds float64
	cpuSeconds   float64
}

func (p *commandPeer) extract(ctx context.Context, input string) (commandRun, error) {
	stats := filepath.Join(p.work, "stats.json")
	cmd := exec.CommandContext(ctx, p.imgvec, "extract", input, "--output", filepath.Join(p.work, "features.parquet"), "--force",
		"--model", p.model, "--device", "cpu", "--progress", "none", "--stats", stats)
	start := time.Now()
	text, err := cmd.CombinedOutput()
	r := commandRun{wholeSeconds: time.Since(start).Seconds()}
	if err != nil {
		return r, fmt.Errorf("%s: %w: %s", p.imgvec, err, text)
	}
	r.cpuSeconds = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	report, err := os.ReadFile(stats)
	if err != nil {
		return r, err
	}
	var s struct {
		Images, Failed                       int
		Seconds                              float64
		Device, Provider, Precision, Decoder string
	}
	if err := json.Unmarshal(report, &s); err != nil {
		return r, err
	}
	if s.Failed > 0 {
		return r, fmt.Errorf("%d of %d photos failed", s.Failed, s.Images)
	}
	r.images, r.seconds = s.Images, s.Seconds
	p.versions = map[string]string{"device": s.Device, "provider": s.Provider, "precision": s.Precision, "decoder": s.Decoder}
	return r, nil
}

// round leaves the start out of the CPU time, too: a run on one photo is taken off, which is one of the images.
func (p *commandPeer) round(ctx context.Context) (sparkRound, error) {
	one, err := p.extract(ctx, p.some)
	if err != nil {
		return sparkRound{}, err
	}
	all, err := p.extract(ctx, p.folder)
	if err != nil {
		return sparkRound{}, err
	}
	cpu := (all.cpuSeconds - one.cpuSeconds) * float64(all.images) / float64(all.images-1)
	return sparkRound{result: result{Images: all.images, Seconds: all.seconds, CPUSeconds: cpu}, WholeSeconds: all.wholeSeconds}, nil
}
