package executor

import (
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/model"
)

// commandName is what a person types for a model behind a command: the name of one that is installed, else its path.
func commandName(m *model.Model) string {
	switch {
	case m.Dir == filepath.Join(home.Models(), m.Name):
		return m.Name
	case filepath.Dir(m.Source) == m.Dir && filepath.Ext(m.Source) == ".onnx":
		return shellWord(m.Source) // the file as it was given; of a cut model Path is another
	case filepath.Dir(m.Path) != m.Dir:
		return shellWord(m.Dir)
	}
	return shellWord(m.Path)
}

// shellWord writes a path as one word of a shell, and none that reads like a flag.
func shellWord(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%=", r)
	}
	if path != "" && strings.TrimFunc(path, plain) == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
