package imgvec_test

import (
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// goFile is one parsed Go file of this module.
type goFile struct {
	path, pkg string // from the module's root, with slashes
	test      bool
	text      []byte
	ast       *ast.File
	set       *token.FileSet
}

func (f *goFile) line(p token.Pos) int { return f.set.Position(p).Line }

func (f *goFile) imports() []string {
	var list []string
	for _, spec := range f.ast.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			list = append(list, name)
		}
	}
	return list
}

// builds tells whether the file belongs to a build with those settings, by its name, its tags and its use of cgo.
func (f *goFile) builds(c *build.Context) bool {
	c.OpenFile = nil
	c.ReleaseTags = build.Default.ReleaseTags
	ok, err := c.MatchFile(filepath.FromSlash(path.Dir(f.path)), path.Base(f.path))
	return err == nil && ok && (c.CgoEnabled || !slices.Contains(f.imports(), "C"))
}

var parsed []*goFile // what goFiles found; the tests of this file run one after the other

// goFiles parses every Go file of this module: not of other modules inside it, and nothing that git ignores.
func goFiles(t *testing.T) []*goFile {
	t.Helper()
	if parsed != nil {
		return parsed
	}
	var files []*goFile
	set := token.NewFileSet()
	for _, name := range repoFiles(t) {
		if path.Ext(name) != ".go" || strings.HasPrefix(name, "bench/") {
			continue
		}
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatal(err)
		}
		tree, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if ignored(tree) {
			continue
		}
		files = append(files, &goFile{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), text, tree, set})
	}
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	parsed = files
	return files
}

// ignored tells whether the file is a tool of `go generate` that no build takes in.
func ignored(tree *ast.File) bool {
	for _, group := range tree.Comments {
		for _, comment := range group.List {
			if expr, err := constraint.Parse(comment.Text); err == nil && expr.String() == "ignore" {
				return true
			}
		}
	}
	return false
}

// packages groups the files that are no tests.
func packages(t *testing.T) map[string][]*goFile {
	t.Helper()
	all := map[string][]*goFile{}
	for _, file := range goFiles(t) {
		if !file.test {
			all[file.pkg] = append(all[file.pkg], file)
		}
	}
	return all
}

// repoFiles lists the files that belong to the project, from its root, with slashes.
func repoFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && skipped(filepath.ToSlash(name)) {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			files = append(files, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func skipped(dir string) bool {
	switch dir {
	case ".git", ".cache", "third_party", "bench/.venv", "bench/data":
		return true
	}
	return false
}
