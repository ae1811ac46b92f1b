package imgvec_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/format"
	"path"
	"slices"
	"strings"
	"testing"
)

// This file holds the house rules as tests. A rule that fails says why it is one; a rule that has become wrong is
// changed here, in the open, and not worked around.

const module = "github.com/imgvec/imgvec"

// mayImport is the import graph: what a package's own code (its tests are free) may import of this module. A name
// with /... stands for the packages below it. Everybody may import the root, and internal/home, which is a leaf.
var mayImport = map[string][]string{
	".":                        {},
	"internal/home":            {"."},
	"internal/fetch":           {"internal/home"},
	"internal/testdata":        {},
	"internal/leaktest":        {},
	"internal/arrowstream":     {},
	"internal/flattable":       {},
	"internal/wait":            {},
	"internal/backendtest":     {"internal/testdata"},
	"internal/backendtest/...": {"internal/testdata", "csrc"},
	"internal/onnx":            {"internal/float16"},
	"internal/float16":         {},
	"internal/nvidia":          {},
	"internal/pool":            {},
	"internal/ort":             {"csrc", "internal/onnx", "internal/nvidia"}, // the one reader of ONNX files is shared with model
	"internal/ort/...":         {"internal/ort", "internal/testdata", "internal/nvidia"},
	"internal/cuda":            {"csrc", "internal/nvidia"},
	"internal/cudasim":         {"internal/testdata"},
	"internal/crops":           {"preprocess"},
	"internal/kernelrun":       {"internal/cuda", "internal/cudasim", "csrc"},
	"internal/measure":         {"executor", "preprocess", "dataset", "model", "cpu", "gpu"}, // it measures each stage alone too
	"csrc":                     {},
	"csrc/...":                 {"csrc", "internal/float16"},
	"preprocess":               {"csrc", "preprocess/internal/..."},
	"preprocess/...":           {"csrc", "preprocess/internal/..."},
	"cpu":                      {"internal/ort", "internal/pool", "internal/float16", "csrc"},
	"gpu":                      {"internal/cuda", "internal/pool", "internal/ort", "internal/onnx", "internal/fetch", "internal/float16", "csrc"},
	"model":                    {"internal/fetch", "internal/onnx", "model/..."},
	"model/...":                {"internal/onnx", "internal/float16", "internal/wait", "model/..."},
	"quantize":                 {"preprocess", "model", "cpu", "internal/onnx", "internal/ort", "csrc"}, // it runs models with inner values as outputs
	"executor":                 {"preprocess", "gpu", "cpu", "model"},
	"dataset":                  {"internal/arrowstream", "internal/flattable", "internal/float16", "internal/wait", "dataset/..."},
	"dataset/...":              {"dataset/..."},
	"store":                    {"dataset", "internal/wait"}, // whose interface it fills; apart, so that only those who want clouds link their SDKs
	"similar":                  {"dataset", "csrc"},
	"report":                   {"dataset", "similar", "preprocess", "csrc"},
	"serve":                    {"executor", "dataset", "internal/arrowstream", "internal/flattable"},
	"cmd/...":                  {"similar", "report", "executor", "quantize", "preprocess", "dataset", "model", "serve", "store", "internal/measure", "internal/crops", "internal/fetch", "cmd/..."},
}

func TestImportsPointOneWay(t *testing.T) {
	for _, file := range goFiles(t) {
		if file.test {
			continue
		}
		allowed, ok := mayImport[file.pkg]
		for dir := file.pkg; !ok && dir != "."; dir = path.Dir(dir) {
			allowed, ok = mayImport[path.Dir(dir)+"/..."]
		}
		if !ok {
			t.Errorf("%s: package %s is not in the import graph of repo_test.go: decide which way its imports point and add it", file.path, file.pkg)
			continue
		}
		for _, imported := range file.imports() {
			if reason := refuse(file.pkg, imported, allowed); reason != "" {
				t.Errorf("%s imports %s: %s", file.path, imported, reason)
			}
		}
	}
}

func refuse(pkg, imported string, allowed []string) string {
	rel, ours := strings.CutPrefix(imported+"/", module+"/")
	rel = strings.TrimSuffix(rel, "/")
	switch {
	case !ours && pkg == "." && strings.Contains(strings.Split(imported, "/")[0], "."):
		return "the root package is the vocabulary that everybody shares, so it imports the standard library only"
	case !ours || rel == "" && pkg != ".", rel == "internal/home" && pkg != ".":
		return ""
	case strings.HasPrefix(rel+"/", pkg+"/internal/"):
		return ""
	}
	for _, name := range allowed {
		below, all := strings.CutSuffix(name, "/...")
		if name == rel || all && strings.HasPrefix(rel, below+"/") {
			return ""
		}
	}
	return "imports point one way (cmd -> executor -> preprocess, gpu, cpu, model -> csrc, internal -> root), so that each " +
		"package can be read, tested and replaced without those above it"
}

func TestOnlyOpenComposesDevices(t *testing.T) {
	for _, file := range goFiles(t) {
		imports := file.imports()
		both := slices.Contains(imports, module+"/cpu") && slices.Contains(imports, module+"/gpu")
		if both && !file.test && file.path != "executor/open.go" {
			t.Errorf("%s imports both cpu and gpu: only executor/open.go does, so that a new device is one line in one file", file.path)
		}
	}
}

func TestEveryPackageHasADocFile(t *testing.T) {
	for pkg, files := range packages(t) {
		i := slices.IndexFunc(files, func(f *goFile) bool { return path.Base(f.path) == "doc.go" })
		if i < 0 {
			t.Errorf("%s has no doc.go: a reader starts there", pkg)
			continue
		}
		name := files[i].ast.Name.Name
		want := "Package " + name + " "
		if name == "main" {
			want = "Command " + path.Base(pkg) + " "
		}
		if !strings.HasPrefix(files[i].ast.Doc.Text(), want) {
			t.Errorf("%s: the package comment does not begin with %q", files[i].path, want)
		}
	}
}

func TestFilesAndFunctionsAreShort(t *testing.T) {
	const maxFile, maxFunc, usual = 350, 60, 40
	long, all := 0, 0
	for _, file := range goFiles(t) {
		if file.test {
			continue
		}
		if lines := bytes.Count(file.text, []byte("\n")); lines > maxFile {
			t.Errorf("%s has %d lines: over %d a file holds more than one idea; split it by noun", file.path, lines, maxFile)
		}
		for _, decl := range file.ast.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			all++
			lines := file.line(f.End()) - file.line(f.Pos()) + 1
			if lines > usual {
				long++
			}
			if lines > maxFunc {
				t.Errorf("%s:%d: %s has %d lines: over %d a function does more than one thing", file.path, file.line(f.Pos()), f.Name.Name, lines, maxFunc)
			}
		}
	}
	if long*20 > all {
		t.Errorf("%d of %d functions have over %d lines: it should be an exception (one in twenty)", long, all, usual)
	}
}

// commandOnly are the calls that belong to a program and not to a package that somebody's program imports.
var commandOnly = map[string]string{
	"os.Exit": "a package must not end its host program", "log.Fatal": "a package must not end its host program",
	"log.Fatalf": "a package must not end its host program", "log.Fatalln": "a package must not end its host program",
	"fmt.Print": "a package must not write to its host's terminal", "fmt.Printf": "a package must not write to its host's terminal",
	"fmt.Println": "a package must not write to its host's terminal",
	"log.Print":   "a package logs to the slog.Logger that it was given", "log.Printf": "a package logs to the slog.Logger that it was given",
	"log.Println": "a package logs to the slog.Logger that it was given",
	"os.Stdout":   "a package must not write to its host's terminal", "os.Stderr": "a package must not write to its host's terminal",
}

// stdoutIsData are the files for which standard output is a file that the user named ("-o -").
var stdoutIsData = []string{"dataset/sink.go"}

func TestOnlyTheCommandExitsPrintsAndHandlesSignals(t *testing.T) {
	for _, file := range goFiles(t) {
		if file.test || strings.HasPrefix(file.pkg, "cmd/") || file.pkg == "serve" {
			continue
		}
		if slices.Contains(file.imports(), "os/signal") {
			t.Errorf("%s imports os/signal: signals belong to the host program, only cmd and serve touch them", file.path)
		}
		ast.Inspect(file.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Obj == nil {
				call := x.Name + "." + s.Sel.Name
				if reason := commandOnly[call]; reason != "" && (call != "os.Stdout" || !slices.Contains(stdoutIsData, file.path)) {
					t.Errorf("%s:%d: %s: %s", file.path, file.line(s.Pos()), call, reason)
				}
			}
			return true
		})
	}
}

// TestTwinsHaveTheSameNames compares a package's exported names across the platforms and settings that it is built
// for. A name that only one of them has breaks the build of whoever uses it, on a machine that the author lacks.
func TestTwinsHaveTheSameNames(t *testing.T) {
	settings := []build.Context{
		{GOOS: "linux", GOARCH: "amd64", CgoEnabled: true, Compiler: "gc"},
		{GOOS: "linux", GOARCH: "amd64", Compiler: "gc"},
		{GOOS: "linux", GOARCH: "amd64", CgoEnabled: true, Compiler: "gc", BuildTags: []string{"cuda"}},
		{GOOS: "linux", GOARCH: "arm64", CgoEnabled: true, Compiler: "gc"},
		{GOOS: "darwin", GOARCH: "arm64", Compiler: "gc"},
		{GOOS: "windows", GOARCH: "amd64", Compiler: "gc"},
	}
	for pkg, files := range packages(t) {
		if files[0].ast.Name.Name == "main" {
			continue
		}
		want := exported(&settings[0], files)
		for i := range settings[1:] {
			s := &settings[i+1]
			got := exported(s, files)
			for name := range want {
				if !got[name] {
					t.Errorf("%s: %s is missing on %s: its twin must have it, with an error that says what to do", pkg, name, describe(s))
				}
			}
			for name := range got {
				if !want[name] {
					t.Errorf("%s: %s is there on %s only: its twin must have it too", pkg, name, describe(s))
				}
			}
		}
	}
}

func describe(c *build.Context) string {
	return fmt.Sprintf("%s/%s cgo=%v tags=%v", c.GOOS, c.GOARCH, c.CgoEnabled, c.BuildTags)
}

// exported lists the exported names and methods that the package has under those settings.
func exported(c *build.Context, files []*goFile) map[string]bool {
	names := map[string]bool{}
	for _, file := range files {
		if !file.builds(c) {
			continue
		}
		for _, decl := range file.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if name := receiver(d) + d.Name.Name; d.Name.IsExported() && ast.IsExported(name) {
					names[name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					addSpec(names, spec)
				}
			}
		}
	}
	return names
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.Ident:
			return x.Name + "."
		default:
			return ""
		}
	}
}

func addSpec(names map[string]bool, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() {
			names[s.Name.Name] = true
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() {
				names[name.Name] = true
			}
		}
	}
}

func TestFilesAreFormatted(t *testing.T) {
	for _, file := range goFiles(t) {
		want, err := format.Source(file.text)
		if err != nil {
			t.Errorf("%s: %v", file.path, err)
		} else if !bytes.Equal(want, file.text) {
			t.Errorf("%s is not gofmt'ed", file.path)
		}
	}
}

// TestNothingIsLinked holds the promise that one binary starts everywhere: native libraries are opened at run time.
func TestNothingIsLinked(t *testing.T) {
	for _, file := range goFiles(t) {
		for line := range strings.SplitSeq(string(file.text), "\n") {
			flags, ok := strings.CutPrefix(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "//")), "#cgo")
			if !ok || !strings.Contains(flags, "LDFLAGS") {
				continue
			}
			for _, flag := range strings.Fields(flags) {
				if strings.HasPrefix(flag, "-l") && !slices.Contains([]string{"-lm", "-ldl", "-lc", "-lpthread"}, flag) {
					t.Errorf("%s: %s: link what we own, open what we do not: the binary must start without it", file.path, flag)
				}
			}
		}
	}
}
