package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	photos, python, imgvec, results string
	images, rounds, slowImages      int
	model, int8                     string
	only                            string

	began   time.Time
	command string // as it was given
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the program: `bench` compares on the CPU, `bench gpu` on a GPU, `bench spark` in Spark, `bench render` writes the results into the
// documents; the others are imgvec's own contenders, which the first two start.
func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0][0] == '-' {
		return compare(ctx, parse())
	}
	switch name, args := args[0], args[1:]; name {
	case "peer":
		if len(args) == 3 {
			return serve(ctx, args[0], args[1], args[2])
		}
	case "gpu":
		return compareGPU(ctx, args)
	case "gpu-peer":
		return serveGPU(ctx, args)
	case "gpu-limits":
		return serveLimits(args)
	case "spark":
		return compareSpark(ctx, args)
	case "spark-peer":
		if len(args) == 3 {
			return serveSpark(ctx, args[0], args[1], args[2])
		}
	case "spark-photos":
		return printPhotos(args)
	case "render":
		return render(args)
	}
	return fmt.Errorf("bench %s: usage: bench [FLAGS], bench gpu [FLAGS], bench spark [FLAGS], bench render [FLAGS]", strings.Join(args, " "))
}

func parse() options {
	var o options
	flag.StringVar(&o.photos, "photos", defaultPhotos(), "folder of JPEG photos")
	flag.IntVar(&o.images, "images", 1000, "images a round; the photos are repeated to that number")
	flag.IntVar(&o.slowImages, "slow-images", 1, "images a round for a contender that takes many seconds an image")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds")
	flag.StringVar(&o.model, "model", "resnet50-random", "imgvec's model (random weights are as fast as trained ones)")
	flag.StringVar(&o.int8, "int8", "", "the same model quantised (imgvec model quantize); default MODEL-int8 where it is installed")
	flag.StringVar(&o.python, "python", ".venv/bin/python", "Python with the packages of requirements.txt")
	flag.StringVar(&o.imgvec, "imgvec", "../imgvec", "the built command")
	flag.StringVar(&o.results, "results", "results", "folder for the results; empty writes none")
	flag.StringVar(&o.only, "only", "", "names of the contenders to run, with commas; empty runs all")
	flag.Parse() // exits where it can't
	o.began, o.command = time.Now().UTC(), strings.Join(append([]string{"bench"}, os.Args[1:]...), " ")
	return o
}

func defaultPhotos() string {
	if dir := os.Getenv("IMGVEC_TESTDATA"); dir != "" {
		return filepath.Join(dir, "photos")
	}
	return filepath.Join("..", "..", "shared", "testdata", "photos")
}

// useProjectHome lets the contenders find libraries and models where ../imgvec does.
func useProjectHome() error {
	home, err := filepath.Abs(filepath.Join("..", "third_party"))
	if err != nil || os.Getenv("IMGVEC_HOME") != "" {
		return err
	}
	return os.Setenv("IMGVEC_HOME", home)
}

// compare starts every contender, runs the rounds and reports.
func compare(ctx context.Context, o options) error {
	if err := useProjectHome(); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "imgvec-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	list := filepath.Join(work, "list.txt")
	if err := writeList(list, o.photos, o.images); err != nil {
		return err
	}
	all, err := contenders(o, list, work)
	if err != nil {
		return err
	}
	for _, c := range all {
		defer c.stop()
		if err := c.begin(ctx, all); err != nil {
			return err
		}
	}
	for round := range o.rounds {
		for _, c := range all {
			if c.skipped != "" {
				continue
			}
			r, err := c.round(ctx)
			if err != nil {
				return fmt.Errorf("%s: round %d: %w", c.name, round+1, err)
			}
			fmt.Fprintf(os.Stderr, "round %d  %-20s %8.1f img/s  %6.2f ms CPU an image\n", round+1, c.name, r.rate(), r.cpuMillis())
		}
	}
	return report(os.Stdout, o, all)
}

// begin starts the contender. A peer that can't start is left out, and the report says why.
func (c *contender) begin(ctx context.Context, others []*contender) error {
	fmt.Fprintf(os.Stderr, "starting %s\n", c.name)
	c.settle(others)
	err := c.start(ctx)
	if err == nil {
		return nil
	}
	if !c.peer || ctx.Err() != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	c.skipped = err.Error()
	fmt.Fprintf(os.Stderr, "%s is left out: %v\n", c.name, err)
	return nil
}

// writeList writes the paths of n photos, the folder's repeated, one a line; 0 is each of the folder once.
func writeList(list, dir string, n int) error {
	var photos []string
	for _, pattern := range []string{"*.jpg", "*.jpeg", "*.JPG", "*.JPEG"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		photos = append(photos, found...)
	}
	if len(photos) == 0 {
		return errors.New("no JPEG photos in " + dir + " (-photos names the folder)")
	}
	if n == 0 {
		n = len(photos)
	}
	var text strings.Builder
	for i := range n {
		path, err := filepath.Abs(photos[i%len(photos)])
		if err != nil {
			return err
		}
		text.WriteString(path + "\n")
	}
	return os.WriteFile(list, []byte(text.String()), 0o644)
}
