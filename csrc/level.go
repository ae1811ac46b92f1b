package csrc

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// Level is a variant of the pixel loops.
type Level string

// The levels. All give the same bytes.
const (
	Go     Level = "go"     // plain Go
	PlainC Level = "c"      // plain C
	AVX2   Level = "avx2"   // x86-64 of 2013 and later
	AVX512 Level = "avx512" // x86-64 with AVX-512 VNNI
)

// LevelVariable is the environment variable that forces a level.
const LevelVariable = "IMGVEC_SIMD"

// Levels are the variants that this build can run on this CPU, slowest first.
func Levels() []Level { return slices.Clone(levels()) }

var levels = sync.OnceValue(nativeLevels)

// Choose is the level that the environment asks for, else the fastest. It fails where the environment names one that
// is unknown or can't run here.
func Choose() (Level, error) {
	have := levels()
	asked := Level(os.Getenv(LevelVariable))
	if asked == "" {
		return have[len(have)-1], nil
	}
	if !slices.Contains(have, asked) {
		names := make([]string, len(have))
		for i, l := range have {
			names[i] = string(l)
		}
		return "", fmt.Errorf("imgvec: %s=%s: not one of the variants that run here (%s)", LevelVariable, asked, strings.Join(names, ", "))
	}
	return asked, nil
}

// forcedGo tells whether the environment forces plain Go.
var forcedGo = sync.OnceValue(func() bool { return os.Getenv(LevelVariable) == string(Go) })
