//go:build cgo && linux

package ort

/*
#include <signal.h>
#include <string.h>

// imgvec_fix_signals gives every foreign handler SA_ONSTACK and tells how many lacked it. Go's own have it. The C library
// refuses to tell of the few signals that it keeps for itself; they are passed over.
static int imgvec_fix_signals(void) {
	int fixed = 0;
	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		struct sigaction action;
		memset(&action, 0, sizeof action);
		if (sigaction(sig, NULL, &action) != 0) continue;
		if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN || action.sa_flags & SA_ONSTACK) continue;
		action.sa_flags |= SA_ONSTACK;
		fixed += sigaction(sig, &action, NULL) == 0;
	}
	return fixed;
}
*/
import "C"

// FixSignals gives every signal handler that native libraries installed SA_ONSTACK. Go's threads run on small stacks: a
// handler that does not ask for the signal stack ends the program ("non-Go code set up signal handler without SA_ONSTACK
// flag"). Call it after a provider's libraries were opened, after a session was made, and after its first run: each may
// install some. It costs microseconds.
func FixSignals() { fixSignals() }

func fixSignals() int { return int(C.imgvec_fix_signals()) }
