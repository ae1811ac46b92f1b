package codec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/imgvec/imgvec/internal/home"
)

// Where a library may come from, by Limits.Codecs.
const (
	fromAuto   = "auto"
	fromPillow = "pillow"
	fromSystem = "system"
	fromGo     = "go"
)

// A library is one native codec library: where to look for it, and what came of it. It is opened at first use.
type library struct {
	name    string   // "libwebp"
	files   string   // pattern of its file among those of the Pillow wheel
	needs   []string // patterns of the files beside it that it pulls in
	sonames []string // what the system's loader knows it as
	bind    func(path string) (bound any, version, file string, err error)

	pillow, system source
}

// source is one place's library, opened once.
type source struct {
	once    sync.Once
	bound   any
	version string
	path    string
	fault   string // Info.Fault
	err     error
}

// use gives what bind made of the library that codecs allows, best first. The error lists every place tried.
func (l *library) use(codecs string) (any, error) {
	s, err := l.pick(codecs)
	if err != nil {
		return nil, err
	}
	return s.bound, nil
}

func (l *library) pick(codecs string) (*source, error) {
	var why []string
	if codecs == "" || codecs == fromAuto || codecs == fromPillow {
		l.pillow.once.Do(func() { l.openPillow(&l.pillow) })
		if l.pillow.err == nil {
			return &l.pillow, nil
		}
		why = append(why, l.pillow.err.Error())
	}
	if codecs == "" || codecs == fromAuto || codecs == fromSystem {
		l.system.once.Do(func() { l.openSystem(&l.system) })
		if l.system.err == nil {
			return &l.system, nil
		}
		why = append(why, l.system.err.Error())
	}
	if len(why) == 0 {
		why = append(why, fmt.Sprintf("codecs are set to %q", codecs))
	}
	return nil, fmt.Errorf("%s is not used: %s", l.name, strings.Join(why, "; "))
}

// openPillow opens the Pillow wheel's library, after it and what it pulls in are known to be whole: opening a truncated
// library kills the process.
func (l *library) openPillow(s *source) {
	found, err := home.Search{Kind: "codecs", Files: []string{l.files}, Want: l.name}.Find()
	if err != nil {
		s.fault, s.err = Missing, err
		return
	}
	dir := filepath.Dir(found.Path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.fault, s.err = Unusable, err
		return
	}
	for _, entry := range entries {
		if !l.isPart(entry.Name()) {
			continue
		}
		if err := home.Check(filepath.Join(dir, entry.Name())); err != nil {
			s.fault, s.err = Damaged, err
			if entry.Name() != filepath.Base(found.Path) {
				s.fault = Unusable + ": " + entry.Name() + " is " + Damaged
			}
			return
		}
	}
	if s.bound, s.version, s.path, s.err = l.bind(found.Path); s.err != nil {
		s.fault = Unusable
	}
}

func (l *library) isPart(name string) bool {
	for _, pattern := range append([]string{l.files}, l.needs...) {
		if ok, _ := filepath.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

func (l *library) openSystem(s *source) {
	if !home.SystemLibraries() {
		s.err = home.ErrSystemHidden
		return
	}
	var why []string
	for _, name := range l.sonames {
		s.bound, s.version, s.path, s.err = l.bind(name)
		if s.err == nil {
			return
		}
		why = append(why, s.err.Error())
	}
	s.err = fmt.Errorf("the system has none: %s", strings.Join(why, "; "))
}

// fault is what ails the Pillow wheel's library, where codecs wants it. pick must come before.
func (l *library) fault(codecs string) string {
	if codecs == fromSystem || codecs == fromGo {
		return ""
	}
	return l.pillow.fault
}

// info tells doctor about the library for one format, with the Go package that stands in for it.
func (l *library) info(format, codecs, fallback string) Info {
	s, err := l.pick(codecs)
	if err != nil {
		return Info{Format: format, Library: fallback, WhyNot: err.Error(), Fault: l.fault(codecs)}
	}
	return Info{Format: format, Library: l.name, Version: s.version, Path: s.path, Fault: l.fault(codecs)}
}
