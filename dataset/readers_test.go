package dataset

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/testdata"
)

// TestPythonReaders opens every format with pyarrow, pandas, polars, DuckDB and NumPy: the real packages of the
// interpreter that IMGVEC_PYTHON names.
func TestPythonReaders(t *testing.T) {
	python := os.Getenv("IMGVEC_PYTHON")
	if python == "" {
		testdata.Require(t, "pyarrow", "IMGVEC_PYTHON must name a Python that has pyarrow, pandas, polars, duckdb and numpy")
	}
	for _, dtype := range []DType{Float32, Float16} {
		dir := t.TempDir()
		for _, format := range formats {
			writeRows(t, filepath.Join(dir, "x."+string(format)), 700, 300, WriterOptions{DType: dtype})
		}
		out, err := exec.CommandContext(t.Context(), python, "testdata/readers.py", dir, string(dtype)).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", dtype, err, out)
		}
		if n := strings.Count(string(out), "ok "); n != 9 {
			t.Errorf("%s: %d readers, want 9:\n%s", dtype, n, out)
		}
	}
}
