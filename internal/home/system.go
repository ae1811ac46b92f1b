package home

import (
	"errors"
	"os"
)

// SystemEnv is the environment variable that hides the system's own copies of native libraries when it is "off": then
// only those of HOME, or named by an option or a variable, are opened. Tests use it to run everywhere as on a machine
// that has none.
const SystemEnv = "IMGVEC_SYSTEM_LIBRARIES"

// ErrSystemHidden is why a system's library was not looked for.
var ErrSystemHidden = errors.New("the system's libraries are hidden (" + SystemEnv + "=off)")

// SystemLibraries tells whether the loader may be asked for a library by its soname.
func SystemLibraries() bool { return os.Getenv(SystemEnv) != "off" }
