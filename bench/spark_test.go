package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeSpark is a contender that does 10 rows in the given seconds a round, and burns some CPU time in a grandchild that
// outlives its parent.
func fakeSpark(t *testing.T, name, seconds string) *sparkContender {
	t.Helper()
	script := `echo '{"ready": true, "versions": {"fake": "1"}}'
(sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 60' >/dev/null 2>&1 &)
while read -r line; do
if [ "$line" = warm ]; then echo '{"ok": true}'; else sleep 0.3; echo '{"images": 10, "seconds": ` + seconds + `, "server_read_bytes": 100}'; fi
done; kill 0`
	c := &contender{name: name, what: "fake", command: []string{"/bin/sh", "-c", script}, session: true, log: filepath.Join(t.TempDir(), "log")}
	return &sparkContender{contender: c}
}

func TestSparkRoundsReportAndRender(t *testing.T) {
	all := []*sparkContender{fakeSpark(t, sparkExtract, "0.5"), fakeSpark(t, sparkFeaturize, "1"), fakeSpark(t, sparkArticle, "5")}
	for _, c := range all {
		defer c.stop()
		if err := c.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := c.round(); err != nil {
				t.Fatal(err)
			}
		}
	}
	dir := t.TempDir()
	o := sparkOptions{options: options{images: 10, rounds: 2, results: dir, model: "m", began: time.Now().UTC(), command: "bench spark"}}
	var out strings.Builder
	if err := reportSpark(&out, o, all); err != nil {
		t.Fatal(err)
	}
	text, err := renderDir(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0.50x (0.50 - 0.50)", "5.00x (5.00 - 5.00)", "10 bytes", sparkArticle} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if !strings.Contains(text, "### m in Spark") || strings.Contains(text, "Nothing has been measured in Spark") {
		t.Errorf("the page:\n%s", text)
	}
}

// TestSessionCPUCountsOrphans: Spark's workers and servers are often nobody's children any more.
func TestSessionCPUCountsOrphans(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", `(sh -c 'while :; do :; done' &) ; sleep 60`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	for end := time.Now().Add(time.Minute); ; {
		m, err := readMeter(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if m.parts["python"] > 0.05 { // everything that is neither Java nor imgvec
			return
		}
		if time.Now().After(end) {
			t.Fatalf("meter %+v", m)
		}
	}
}

func TestPhotoFolderRepeatsThePhotos(t *testing.T) {
	data, photos := t.TempDir(), t.TempDir()
	for _, name := range []string{"a.jpg", "b.jpg"} {
		if err := os.WriteFile(filepath.Join(photos, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second finds the first's
		dir, err := photoFolder(data, photos, 5)
		if err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 5 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, files[3].Name())); err != nil || string(text) != "b.jpg" {
			t.Errorf("the fourth holds %q, %v", text, err)
		}
	}
}

// TestTheCommandsStartIsNotCounted: its answer has CPU time, which is kept.
func TestTheCommandsStartIsNotCounted(t *testing.T) {
	r := sparkRound{result: result{Images: 10, CPUSeconds: 2}}
	r.count(meter{at: time.Unix(0, 0), busy: 1}, meter{at: time.Unix(10, 0), busy: 6, parts: map[string]float64{"imgvec": 4}})
	if r.CPUSeconds != 2 || r.Parts["imgvec"] != 2 || r.OthersShare <= 0 {
		t.Errorf("round %+v", r)
	}
}

// TestAnInterruptedRoundIsDropped: those before it count.
func TestAnInterruptedRoundIsDropped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stuck := filepath.Join(t.TempDir(), "stuck")
	script := `echo '{"ready": true}'
while read -r line; do
if [ "$line" = warm ]; then echo '{"ok": true}'
elif [ -e ` + stuck + ` ]; then exec sleep 600
else : > ` + stuck + `; echo '{"images": 10, "seconds": 1}'; fi
done`
	quick := fakeSpark(t, sparkExtract, "1")
	slow := &sparkContender{contender: &contender{name: sparkFeaturize, command: []string{"/bin/sh", "-c", script}, session: true}}
	all := []*sparkContender{quick, slow}
	for _, c := range all {
		defer c.stop()
		if err := c.begin(ctx); err != nil {
			t.Fatal(err)
		}
	}
	time.AfterFunc(2*time.Second, cancel) // in the second round of slow, or in its first on a very slow machine
	o := sparkOptions{options: options{rounds: 3}}
	err := sparkRounds(ctx, &o, all)
	if len(slow.rounds) == 0 {
		t.Skip("the machine is too slow")
	}
	if err != nil || o.rounds != 1 || len(quick.rounds) != 1 || len(slow.rounds) != 1 {
		t.Errorf("%v, %d rounds, %d and %d", err, o.rounds, len(quick.rounds), len(slow.rounds))
	}
}
