package home

import (
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/imgvec/imgvec"
)

// Check tells whether the library at path is whole. It must come before dlopen: opening a truncated library kills the
// process with SIGBUS, which no caller can catch.
//
// A file of a manifest is sound where size and time stamp are those of its entry, else where its SHA-256 is. A file of
// no manifest (a system's library, one named by an option) is sound where its ELF segments and sections lie inside it.
// The error wraps imgvec.ErrNoRuntime.
func Check(path string) error {
	path = absolute(path)
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("imgvec: check library: %w: %w", imgvec.ErrNoRuntime, err)
	}
	entry, ok, err := entryOf(path)
	if err != nil {
		return damaged(path, err.Error())
	}
	if !ok {
		return checkELF(path, info.Size())
	}
	if info.Size() != entry.Size {
		return damaged(path, fmt.Sprintf("has %d bytes, %d were installed", info.Size(), entry.Size))
	}
	if sameStamp(info.ModTime(), entry.MTimeNS) {
		return nil
	}
	sum, err := HashFile(path)
	if err != nil {
		return damaged(path, err.Error())
	}
	if sum != entry.SHA256 {
		return damaged(path, "its SHA-256 is not that of the file that was installed")
	}
	return nil
}

// sameStamp also takes a stamp that was cut to whole seconds, as archives and container layers do.
func sameStamp(have time.Time, wantNS int64) bool {
	if have.UnixNano() == wantNS {
		return true
	}
	return have.Nanosecond() == 0 && have.Unix() == wantNS/int64(time.Second)
}

// kinds are the folders below HOME/lib.
var kinds = []string{"onnxruntime", "codecs", "onnxruntime-gpu", "cuda"}

// entryOf finds path in the manifest of the HOME it lies in: HOME/lib/kind/file. A library that was named may lie
// anywhere, also in somebody else's lib/onnxruntime beside a manifest.json of another shape, which says nothing of it.
func entryOf(path string) (Entry, bool, error) {
	kind := filepath.Dir(path)
	lib := filepath.Dir(kind)
	if !slices.Contains(kinds, filepath.Base(kind)) || filepath.Base(lib) != "lib" {
		return Entry{}, false, nil
	}
	root := filepath.Dir(lib)
	entries, err := ReadManifest(root)
	ours := slices.ContainsFunc(candidates(), func(c candidate) bool { return c.dir == root })
	if err != nil {
		if ours {
			return Entry{}, false, err
		}
		return Entry{}, false, nil
	}
	entry, ok := entries["lib/"+filepath.Base(kind)+"/"+filepath.Base(path)]
	return entry, ok && (ours || len(entry.SHA256) == 2*sha256.Size), nil
}

func checkELF(path string, size int64) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	if size == 0 {
		return damaged(path, "is empty")
	}
	file, err := elf.Open(path)
	if err != nil {
		return damaged(path, "is no whole ELF library: "+err.Error())
	}
	defer file.Close()
	for _, prog := range file.Progs {
		if prog.Off+prog.Filesz > uint64(size) {
			return damaged(path, "is cut off inside a segment")
		}
	}
	for _, section := range file.Sections {
		if section.Type != elf.SHT_NOBITS && section.Offset+section.FileSize > uint64(size) {
			return damaged(path, "is cut off inside a section")
		}
	}
	if want, ok := machines[runtime.GOARCH]; ok && file.Machine != want {
		return damaged(path, fmt.Sprintf("is made for %v, this machine needs %v", file.Machine, want))
	}
	return nil
}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

func damaged(path, why string) error {
	return fmt.Errorf("imgvec: check library %q: %w: damaged: %s; run \"imgvec setup\"", path, imgvec.ErrNoRuntime, why)
}
