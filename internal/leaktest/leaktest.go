package leaktest

import (
	"fmt"
	"io"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a goroutine may take for its last step on a loaded machine: more than goleak waits by itself.
const patience = 10 * time.Second

// Run runs the tests and returns the status to exit with, which is not 0 where goroutines still run that should not.
// They are named on stderr. m is the *testing.M of TestMain.
func Run(m interface{ Run() int }, stderr io.Writer) int {
	code := m.Run()
	if err := Find(); code == 0 && err != nil {
		fmt.Fprintln(stderr, err)
		code = 1
	}
	return code
}

// Find names goroutines that should not run any more, when they have had their time; nil where there are none.
func Find() (err error) {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err = goleak.Find(); err == nil {
			return nil
		}
	}
	return err
}
