package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// begin begins an NPY output of n rows, as another process would: under a temporary name of its own.
func begin(t *testing.T, output string, rows int, opts WriterOptions) *npyWriter {
	t.Helper()
	w, err := Create(output, testMeta(3), opts)
	must(t, err)
	for i := range rows {
		must(t, w.Write(testRow(i, 3)))
	}
	npy := w.(*npyWriter)
	for i, f := range []*atomicFile{npy.files.array, npy.files.ids} {
		temp := tempName(f.final, os.Getpid()+1000+rows*2+i)
		must(t, os.Rename(f.temp, temp))
		f.temp = temp
	}
	return npy
}

// checkPair checks that an array of so many rows stands beside its ids and beside nothing else.
func checkPair(t *testing.T, output string, rows int) {
	t.Helper()
	array, err := os.ReadFile(output)
	must(t, err)
	if len(array) != 128+rows*3*4 {
		t.Errorf("the array has %d bytes, want those of %d rows", len(array), rows)
	}
	checkJSONRows(t, idsOf(output), rows, 0)
	if left := names(t); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

func names(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	must(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestLosingRunLeavesTheWinnersFiles(t *testing.T) {
	plant(t)
	winner, loser := begin(t, "x.npy", 5, WriterOptions{}), begin(t, "x.npy", 9, WriterOptions{})
	must(t, winner.Finish())
	if err := loser.Finish(); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "has appeared") {
		t.Errorf("Finish: %v", err)
	}
	must(t, loser.Abort())
	checkPair(t, "x.npy", 5)
}

// TestArrayThatAppearsLast: another run's array comes between our look and our renaming.
func TestArrayThatAppearsLast(t *testing.T) {
	plant(t)
	w := begin(t, "x.npy", 9, WriterOptions{})
	must(t, w.files.ids.place(w.files.ids.link))
	must(t, os.WriteFile("x.npy", []byte("mine"), 0o644))
	if err := w.files.array.place(w.files.array.rename); !errors.Is(err, ErrUsage) {
		t.Errorf("rename: %v", err)
	}
	must(t, w.files.ids.unlink())
	must(t, w.Abort())
	if left := names(t); len(left) != 1 {
		t.Errorf("left: %v, want the other's array alone", left)
	}
}

// TestArrayThatGetsNoName: the ids do not stay alone.
func TestArrayThatGetsNoName(t *testing.T) {
	for _, force := range []bool{false, true} {
		plant(t)
		w := begin(t, "x.npy", 9, WriterOptions{Force: force})
		must(t, os.Remove(w.files.array.temp))
		if err := w.Finish(); err == nil {
			t.Error("Finish worked without the array's file")
		}
		must(t, w.Abort())
		if left := names(t); len(left) > 0 {
			t.Errorf("force %v: left %v", force, left)
		}
	}
}

func TestUnlinkLeavesAnothersFile(t *testing.T) {
	plant(t)
	w := begin(t, "x.npy", 9, WriterOptions{})
	must(t, w.files.ids.place(w.files.ids.link))
	must(t, os.Remove(idsOf("x.npy")))
	must(t, os.WriteFile(idsOf("x.npy"), []byte("another's"), 0o644))
	must(t, w.files.ids.unlink())
	must(t, w.Abort())
	if left := names(t); len(left) != 1 {
		t.Errorf("left: %v, want the other's ids alone", left)
	}
}

// TestForcedRunsTakeTurns: whoever comes last wins, with both files.
func TestForcedRunsTakeTurns(t *testing.T) {
	plant(t)
	force := WriterOptions{Force: true}
	for range 20 {
		a, b := begin(t, "x.npy", 5, force), begin(t, "x.npy", 9, force)
		done := make(chan error)
		go func() { done <- a.Finish() }()
		must(t, b.Finish())
		must(t, <-done)
		info, err := os.Stat("x.npy")
		must(t, err)
		checkPair(t, "x.npy", int(info.Size()-128)/12)
	}
}

func TestIDsOfSomebodyElseAreRefused(t *testing.T) {
	plant(t)
	must(t, os.WriteFile(idsOf("x.npy"), []byte("mine"), 0o644))
	_, created := Create("x.npy", testMeta(3), WriterOptions{})
	for _, err := range []error{CheckOutput("x.npy", false), created} {
		if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "--force") {
			t.Errorf("%v", err)
		}
	}
	if data, _ := os.ReadFile(idsOf("x.npy")); string(data) != "mine" || len(names(t)) != 1 {
		t.Errorf("now it holds %q beside %v", data, names(t))
	}
	must(t, CheckOutput("x.npy", true))
	writeRows(t, "x.npy", 5, 3, WriterOptions{Force: true})
	checkPair(t, "x.npy", 5)
}

// TestIDsOfAKilledRunAreReplaced: a run that died between its two files stands in nobody's way.
func TestIDsOfAKilledRunAreReplaced(t *testing.T) {
	plant(t)
	w := begin(t, "x.npy", 9, WriterOptions{})
	must(t, w.files.ids.place(w.files.ids.link))
	if err := CheckOutput("x.npy", false); err == nil {
		t.Error("the ids of a living run are taken for left over")
	}
	for _, f := range []*atomicFile{w.files.array, w.files.ids} {
		must(t, f.file.Sync())
		must(t, os.Rename(f.temp, tempName(f.final, 999999999)))
		must(t, f.file.Close()) // the lock goes, as in a process that dies
	}
	must(t, CheckOutput("x.npy", false))
	writeRows(t, "x.npy", 5, 3, WriterOptions{})
	checkPair(t, "x.npy", 5)
}

// TestSyncOfTheFolderFails: both files have their names by then.
func TestSyncOfTheFolderFails(t *testing.T) {
	plant(t)
	w := begin(t, "x.npy", 5, WriterOptions{})
	broken := errors.New("broken disk")
	w.files.array.disk.folder = func(string) error { return broken }
	if err := w.Finish(); !errors.Is(err, broken) {
		t.Errorf("Finish: %v", err)
	}
	must(t, w.Abort())
	if !w.Discard() {
		t.Error("Discard does not know that the output is whole")
	}
	checkPair(t, "x.npy", 5)
}

// TestDiscardDuringFinish: a person who waits for a slow disk gives up.
func TestDiscardDuringFinish(t *testing.T) {
	for _, format := range formats {
		for _, whole := range []bool{false, true} {
			plant(t)
			output := "x." + string(format)
			w, err := Create(output, testMeta(3), WriterOptions{})
			must(t, err)
			must(t, w.Write(testRow(0, 3)))
			waiting, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error)
			wait := func() { close(waiting); <-goOn }
			f := fileOf(w)
			if whole {
				f.disk.folder = func(string) error { wait(); return nil }
			} else {
				f.disk.sync = func(*os.File) error { wait(); return nil }
			}
			go func() { done <- w.Finish() }()
			<-waiting
			if got := w.Discard(); got != whole {
				t.Errorf("%s: Discard: whole %v, want %v", format, got, whole)
			}
			left := names(t)
			close(goOn)
			if err := <-done; (err == nil) != whole {
				t.Errorf("%s: whole %v: Finish: %v", format, whole, err)
			}
			must(t, w.Abort())
			if after := names(t); !whole && len(left)+len(after) > 0 || whole && (len(after) == 0 || after[len(after)-1][0] == '.') {
				t.Errorf("%s: whole %v: %v after Discard, %v in the end", format, whole, left, after)
			}
		}
	}
}

func fileOf(w Writer) *atomicFile {
	switch w := w.(type) {
	case *npyWriter:
		return w.files.array
	case *jsonWriter:
		return w.dst.(*atomicFile)
	case *parquetWriter:
		return w.dst.(*atomicFile)
	}
	return w.(*arrowWriter).dst.(*atomicFile)
}

// TestDiscardBetweenTheFiles: the ids have their name already.
func TestDiscardBetweenTheFiles(t *testing.T) {
	plant(t)
	w := begin(t, "x.npy", 9, WriterOptions{})
	must(t, w.files.ids.place(w.files.ids.link))
	if w.Discard() {
		t.Error("an array without a name is whole")
	}
	must(t, os.WriteFile(w.files.array.temp, nil, 0o644)) // as if it could not be removed
	if err := w.files.array.place(w.files.array.rename); err == nil {
		t.Error("the array got its name after Discard")
	}
	must(t, os.Remove(w.files.array.temp))
	must(t, w.Abort())
	if left := names(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestRandomWeightsAreMarked(t *testing.T) {
	for _, random := range []bool{false, true} {
		plant(t)
		meta := testMeta(3)
		meta.RandomWeights = random
		for _, output := range []string{"x.npy", "y.jsonl"} {
			w, err := Create(output, meta, WriterOptions{})
			must(t, err)
			for i := range 5 { // one of them failed
				must(t, w.Write(testRow(i, 3)))
			}
			must(t, w.Finish())
		}
		for _, path := range []string{idsOf("x.npy"), "y.jsonl"} {
			data, err := os.ReadFile(filepath.Clean(path))
			must(t, err)
			for line := range strings.Lines(string(data)) {
				if got := strings.HasSuffix(line, `,"random_weights":true}`+"\n"); got != random {
					t.Errorf("random %v: %s: %s", random, path, line)
				}
			}
			checkJSONRows(t, path, 5, map[string]int{"y.jsonl": 3}[path])
		}
	}
}
