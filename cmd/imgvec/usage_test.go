package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/imgvec/imgvec/internal/measure"
	"github.com/imgvec/imgvec/model"
)

// TestWrongUsage: status 2, words that say what to do, nothing loaded (the home folder is empty), nothing written.
func TestWrongUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"extract", "-o OUT is missing"},
		{"extract p", "-o OUT is missing"},
		{"extract -o x.npy", "no INPUT given"},
		{"extract p -o x.csv", `unknown format ".csv"`},
		{"extract p -o x", "unknown format"},
		{"extract p -o there.npy", "use --force"},
		{"extract p -o nosuch/x.npy", `no folder "nosuch"`},
		{"extract nosuch -o x.npy", `"nosuch": no such file or folder`},
		{"extract p.tar -o x.npy", `"p.tar": no such file`},
		{"extract p.parquet -o x.npy", `"p.parquet": no such file`},
		{"extract p/*.tar -o x.npy", "no file has such a name"},
		{"extract s-{0..3}.tar -o x.npy", `"s-0.tar": no such file`},
		{"extract p -o x.npy --keep-columns label", `"label" is to be kept, and no input has it`},
		{"extract p -o x.npy --keep-columns a,,b", "has no name"},
		{"extract p -o x.npy --keep-columns id", `"id" can't be kept`},
		{"extract p -o x.npy --read-ahead much", "is no size"},
		{"extract @nosuch -o x.npy", `no list "nosuch"`},
		{"extract p -o x.npy --precision fp8", `"fp8" is unknown`},
		{"extract p -o x.npy --device tpu", `"tpu" is unknown`},
		{"extract p -o x.npy --device cpu:1", "only cuda takes a list"},
		{"extract p -o x.npy --provider rocm", `"rocm" is unknown (tensorrt, cuda)`},
		{"bench --provider rocm", `"rocm" is unknown (tensorrt, cuda)`},
		{"extract p -o x.npy --provider-option use_tf32", `"use_tf32" is no KEY=VALUE`},
		{"extract p -o x.npy --provider-option =1", `"=1" is no KEY=VALUE`},
		{"extract p -o x.npy --provider-option a=1 --provider-option a=2", "a is given twice"},
		{"extract p -o x.npy --device cpu --provider cuda", "are for GPUs"},
		{"extract p -o x.npy --device cpu --provider-option a=1", "are for GPUs"},
		{"extract p -o x.npy --device-timeout -1s", "is negative"},
		{"extract p -o x.npy --device-timeout soon", `--device-timeout: "soon" is no time, such as 30s or 2m`},
		{"bench --device-timeout 5", `--device-timeout: "5" is no time, such as 30s or 2m`},
		{"extract p -o x.npy --device cuda:3b:xy.0", "PCI id"},
		{"extract p -o x.npy --batch -1", `"-1" is no whole number from 0 to 4096`},
		{"extract p -o x.npy --batch many", `"many" is no whole number`},
		{"extract p -o x.npy --workers 100000", "from 0 to 1024"},
		{"extract p -o x.npy --max-pixels 0", "no whole number from 1"},
		{"extract p -o x.npy --max-bytes 12parsecs", "is no size"},
		{"extract p -o x.npy --decode-memory -1", "is no size"},
		{"extract p -o x.npy --exif maybe", `"maybe" is unknown (apply, ignore)`},
		{"extract p -o x.npy --gray16 maybe", `"maybe" is unknown (pillow, scale)`},
		{"extract p -o x.npy --on-error explode", `"explode" is unknown (keep, skip, fail)`},
		{"extract p -o x.npy --progress loud", `"loud" is unknown (auto, json, none)`},
		{"extract p -o x.npy --features-dtype int8", `"int8" is unknown (float32, float16)`},
		{"extract p -o x.npy --max-failures -1", "no whole number"},
		{"extract p -o x.npy --stats nosuch/s.json", `no folder "nosuch"`},
		{"extract p -o x.npy --nosuch", "unknown flag: --nosuch"},
		{"extract p -o x.npy --model=", "--model is empty"},
		{"extract p -o x.npy --decode-memory 1MiB", "at least 16MiB, not 1MiB"},
		{"extract nosuch/*.{jpg,png} -o x.npy", `no folder "nosuch"`},
		{"extract p/[ab -o x.npy", `bracket of "[ab" is not closed`},
		{"extrct p -o x.npy", `no command "extrct"; did you mean extract?`},
		{"model pul x", `no command "pul"; did you mean pull?`},
		{"preprocess p", "-o OUT.npy is missing"},
		{"preprocess p -o x.parquet", ".npy only"},
		{"model info", "model info needs the NAME of a model (imgvec model list shows them)"},
		{"model pull", "model pull needs the NAME or URL of a model (imgvec model list shows the names)"},
		{"model verify", "model verify needs the NAME of a model (imgvec model list --installed shows them), or --all"},
		{"model info a b", "model info takes one NAME, not 2"},
		{"model import", "model import needs the FILE of a checkpoint (.pth, .safetensors)"},
		{"model import a b", "model import takes one FILE, not 2"},
		{"model list x", "unknown command"},
		{"bench --scenario none", `"none" is unknown (offline-jpeg, offline-u8, offline-device, single)`},
		{"bench --rounds 0", "no whole number"},
		{"doctor now", "unknown command"},
		{"serve", "give unix:PATH"},
		{"serve --listen tcp:1", "give unix:PATH"},
		{"serve --listen unix:" + strings.Repeat("x", 108), "has 108 bytes and Unix sockets take 107"},
		{"serve --listen unix:x --lock-fd 77", "--lock-fd 77"},
		{"serve --listen unix:x --owner-pid me", "give PID or PID:START"},
		{"serve --listen unix:x --stall-timeout 0s", "--stall-timeout 0s is no time to wait"},
		{"serve --listen unix:x --idle-exit -1s", "--idle-exit -1s is negative"},
		{"serve --listen unix:x --device=", "--device is empty"},
		{"serve --listen unix:x --precision fp8", `"fp8" is unknown`},
		{"stdio --listen unix:x", "unknown flag: --listen"},
		{"stdio --max-window-batches 0", "no whole number from 1"},
	} {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "p"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "p", "a.jpg"), nil, 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "there.npy"), []byte("mine"), 0o644))
		o := call{args: strings.Fields(c.args), dir: dir, env: []string{"IMGVEC_HOME=" + t.TempDir()}}.run(t)
		if o.code != exitUsage || !strings.Contains(o.stderr, c.want) || !strings.Contains(o.stderr, "--help") {
			t.Errorf("imgvec %s: status %d, want 2 with %q and a hint:\n%s", c.args, o.code, c.want, o.stderr)
		}
		if strings.Contains(o.stderr, "imgvec: imgvec:") || o.stdout != "" {
			t.Errorf("imgvec %s: standard output %q, standard error %q", c.args, o.stdout, o.stderr)
		}
		if names := left(t, dir); len(names) != 2 {
			t.Errorf("imgvec %s: left %v", c.args, names)
		}
		if data, _ := os.ReadFile(filepath.Join(dir, "there.npy")); string(data) != "mine" {
			t.Errorf("imgvec %s: there.npy is %q", c.args, data)
		}
	}
}

// TestStatsSpares: a report never takes the place of what is no report.
func TestStatsSpares(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--stats x.npy", "features are written to"},
		{"--stats ./p/../x.npy", "features are written to"},
		{"--stats x.npy.ids.jsonl", "features are written to"},
		{"--stats x.npy --force", "features are written to"},
		{"--stats p/a.jpg", "is no report of imgvec"},
		{"--stats notes.json", "is no report of imgvec"},
		{"--stats p", "is a folder"},
		{"--stats p/a.jpg/s.json", "not a directory"},
		{"--stats link", "does not exist"},
		{"--stats /dev/null", "no ordinary file"},
	} {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "p"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "p", "a.jpg"), []byte("a photo"), 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "notes.json"), []byte(`{"images": 3}`), 0o644))
		must(t, os.Symlink("nosuch", filepath.Join(dir, "link")))
		args := append([]string{"extract", "p", "-o", "x.npy"}, strings.Fields(c.args)...)
		call{args: args, dir: dir, env: []string{"IMGVEC_HOME=" + t.TempDir()}}.run(t).want(t, exitUsage, c.want)
		if data, _ := os.ReadFile(filepath.Join(dir, "p", "a.jpg")); string(data) != "a photo" || len(left(t, dir)) != 3 {
			t.Errorf("%s: the photo is %q, the folder has %v", c.args, data, left(t, dir))
		}
	}
}

// TestNoPathsOnStandardInput: an image, or names with NULs between them, where a list of names is expected.
func TestNoPathsOnStandardInput(t *testing.T) {
	run := func(stdin string) outcome {
		return call{args: []string{"extract", "-", "-o", "x.npy"}, stdin: stdin, env: []string{"IMGVEC_HOME=" + t.TempDir()}}.run(t)
	}
	for _, picture := range model.ReferencePictures()[:4] {
		run(string(picture)).want(t, exitUsage, "standard input holds image data; - expects paths, one a line")
	}
	run("a.jpg\x00b.jpg\x00").want(t, exitUsage, "names are separated by newlines, not NUL")
}

func TestNothingToDo(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644))
	call{args: []string{"extract", ".", "-o", "x.npy"}, dir: dir}.run(t).want(t, exitFailed, "nothing to do", `"."`, ".webp")
	call{args: []string{"extract", "-", "-o", "x.npy"}, stdin: "\n\n"}.run(t).want(t, exitFailed, "nothing to do", "list on standard input is empty")
	call{args: []string{"extract", "*.jpg", "-o", "x.npy"}, dir: dir}.run(t).want(t, exitFailed, "nothing to do", "*.jpg")
}

func TestUnknownAndMissingModels(t *testing.T) {
	dir, home := pictures(t, 1), t.TempDir()
	run := func(name string) outcome {
		return call{args: []string{"extract", dir, "-o", "x.npy", "--model", name}, env: []string{"IMGVEC_HOME=" + home}}.run(t)
	}
	run("resnet5").want(t, exitFailed, "resnet50", "did you mean")
	run("resnet50").want(t, exitFailed, "imgvec model pull resnet50")
	must(t, os.WriteFile(filepath.Join(home, "x.onnx"), []byte("<html>not found</html>"), 0o644))
	run(filepath.Join(home, "x.onnx")).want(t, exitFailed, "x.onnx")
}

// TestEveryCommandHelps: each command has an example, and --help works without libraries and models.
func TestEveryCommandHelps(t *testing.T) {
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		if cmd.Example == "" || cmd.Short == "" {
			t.Errorf("%s has no example or no short help", cmd.CommandPath())
		}
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		o := call{args: args, env: []string{"IMGVEC_HOME=" + t.TempDir()}}.run(t)
		if o.code != 0 || !strings.Contains(o.stdout, "Examples:") || o.stderr != "" {
			t.Errorf("imgvec %v: status %d\n%s%s", args, o.code, o.stdout, o.stderr)
		}
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check((&app{stop: &interrupt{}}).root())
	o := command(t, "completion", "bash")
	o.want(t, 0)
	if !strings.Contains(o.stdout, "__start_imgvec") {
		t.Error("no completion for bash")
	}
}

func TestVersion(t *testing.T) {
	o := command(t, "version")
	o.want(t, 0)
	if !strings.HasPrefix(o.stdout, "imgvec v0.0.0-test\n") || !strings.Contains(o.stdout, "onnxruntime_go v1.") {
		t.Errorf("%s", o.stdout)
	}
	o = command(t, "version", "--json")
	o.want(t, 0)
	var b build
	must(t, json.Unmarshal([]byte(o.stdout), &b))
	if b.Version != "v0.0.0-test" || b.GPU != measure.GPUBuilt || b.Faults || !strings.Contains(b.System, "/") || len(b.Modules) == 0 {
		t.Errorf("%s", o.stdout)
	}
}

func TestVersionTellsHowItWasBuilt(t *testing.T) {
	for value, want := range map[string]string{"1": "cgo on\n", "0": "cgo off\n"} {
		b := buildOf(&debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "CGO_ENABLED", Value: value}}})
		if text := b.text(); !strings.Contains(text, want) || b.CGO != (value == "1") {
			t.Errorf("CGO_ENABLED=%s: %s", value, text)
		}
		for gpu, want := range map[bool]string{true: "GPU support: yes\n", false: "GPU support: no (build with -tags cuda"} {
			if b.GPU = gpu; !strings.Contains(b.text(), want) {
				t.Errorf("GPU %v: %s", gpu, b.text())
			}
		}
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s", n, got)
		}
	}
	var s size
	for text, want := range map[string]int64{"1": 1, "64MiB": 64 << 20, "64m": 64 << 20, "1.5 GiB": 3 << 29, "2MB": 2e6, "10k": 10240} {
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("size %q is %d, %v; want %d", text, s, err, want)
		}
		again := s
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("size %q reads back as %d, %v", s.String(), again, err)
		}
	}
}
