package fetch

import (
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/internal/testdata"
)

// system are the libraries that every Linux distribution of the last years has. libstdc++ and libgcc come with gcc,
// which building imgvec needs anyway.
var system = []string{"libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "ld-linux-x86-64.so.2",
	"libstdc++.so.6", "libgcc_s.so.1", "libz.so.1"}

// TestPinnedLibrariesAreComplete opens the installed libraries: what they need must be pinned too, or be the system's.
func TestPinnedLibrariesAreComplete(t *testing.T) {
	pieces := append(installed(t), installedGPU(t)...)
	inDir := map[string][]string{}
	for _, piece := range pieces {
		for _, member := range piece.Members {
			inDir[piece.Dir] = append(inDir[piece.Dir], member.Name)
		}
	}
	for _, piece := range pieces {
		for _, member := range piece.Members {
			if !strings.Contains(member.Name, ".so") {
				continue
			}
			f, err := elf.Open(filepath.Join(home.Dir(), piece.Dir, member.Name))
			if err != nil {
				t.Fatal(err)
			}
			needs, err := f.ImportedLibraries()
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			for _, need := range needs {
				if !slices.Contains(system, need) && !slices.Contains(inDir[piece.Dir], need) && !slices.Contains(elsewhere(piece, inDir), need) {
					t.Errorf("%s needs %s, which no piece brings", member.Name, need)
				}
			}
		}
	}
}

// TestSetupOfTheRealPieces installs this machine's real wheels, where they were downloaded before, into a new folder.
func TestSetupOfTheRealPieces(t *testing.T) {
	pieces := installed(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, DownloadsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		wheel := filepath.Join(home.Dir(), DownloadsDir, piece.File)
		if _, err := os.Stat(wheel); err != nil {
			t.Skipf("the wheel is not kept here: %v", err)
		}
		if err := os.Symlink(wheel, filepath.Join(dir, DownloadsDir, piece.File)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if err := Setup(t.Context(), Options{Home: dir}); err != nil {
		t.Fatal(err)
	}
	checkHome(t, dir, pieces)
}

func TestPinsAreWellFormed(t *testing.T) {
	for _, piece := range slices.Concat(linuxAMD64, gpuLinuxAMD64) {
		if len(piece.SHA256) != 64 || !strings.HasSuffix(piece.File, ".whl") || !strings.Contains(piece.File, "-"+piece.Version+"-") {
			t.Errorf("pin %+v is malformed", piece.Pin)
		}
		licence := false
		for _, member := range piece.Members {
			if len(member.SHA256) != 64 || member.Size <= 0 || filepath.Base(member.Name) != member.Name {
				t.Errorf("%s: member %+v is malformed", piece, member)
			}
			licence = licence || !strings.Contains(member.Name, ".so")
		}
		if !licence {
			t.Errorf("%s: no licence text goes with the libraries", piece)
		}
	}
}

// elsewhere are libraries that the program opens first, or that come with the driver or TensorRT.
func elsewhere(piece Piece, inDir map[string][]string) []string {
	if piece.Dir != GPURuntimeDir {
		return nil
	}
	return append([]string{"libcuda.so.1", "libnvinfer.so.10", "libnvonnxparser.so.10"}, inDir[CUDADir]...)
}

// installedGPU are the GPU's pieces where somebody installed them: they are too large for most machines.
func installedGPU(t *testing.T) []Piece {
	t.Helper()
	for _, piece := range gpuLinuxAMD64 {
		for _, member := range piece.Members {
			if _, err := os.Stat(filepath.Join(home.Dir(), piece.Dir, member.Name)); err != nil {
				t.Logf("the GPU's libraries are not looked at: %v", err)
				return nil
			}
		}
	}
	return gpuLinuxAMD64
}

func installed(t *testing.T) []Piece {
	t.Helper()
	testdata.Home(t)
	pieces, err := Pieces()
	if err != nil {
		t.Skip(err)
	}
	return pieces
}
