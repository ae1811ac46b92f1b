//go:build cgo && linux

package sigtest

/*
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t imgvec_sigtest_calls, imgvec_sigtest_on_stack;

static void imgvec_sigtest_handler(int sig) {
	(void)sig;
	stack_t now;
	if (sigaltstack(NULL, &now) == 0) imgvec_sigtest_on_stack = (now.ss_flags & SS_ONSTACK) != 0;
	imgvec_sigtest_calls++;
}

static int imgvec_sigtest_install(int sig, int flags) {
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_handler = imgvec_sigtest_handler;
	action.sa_flags = flags | SA_RESTART;
	return sigaction(sig, &action, NULL);
}

static int imgvec_sigtest_default(int sig) {
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_handler = SIG_DFL;
	return sigaction(sig, &action, NULL);
}

static int imgvec_sigtest_n(void) { return imgvec_sigtest_calls; }
static int imgvec_sigtest_on(void) { return imgvec_sigtest_on_stack; }

static int imgvec_sigtest_flags(int sig) {
	struct sigaction action;
	return sigaction(sig, NULL, &action) == 0 ? action.sa_flags : -1;
}
*/
import "C"

import "syscall"

// Install gives the process a C handler of the signal without SA_ONSTACK.
func Install(sig syscall.Signal) bool { return C.imgvec_sigtest_install(C.int(sig), 0) == 0 }

// Remove gives the signal its default action.
func Remove(sig syscall.Signal) { C.imgvec_sigtest_default(C.int(sig)) }

// OnStack tells whether the signal's action has SA_ONSTACK.
func OnStack(sig syscall.Signal) bool { return C.imgvec_sigtest_flags(C.int(sig))&C.SA_ONSTACK != 0 }

// Calls tells how often the handler ran, and whether it ran on the signal stack the last time.
func Calls() (n int, onStack bool) {
	return int(C.imgvec_sigtest_n()), C.imgvec_sigtest_on() != 0
}
