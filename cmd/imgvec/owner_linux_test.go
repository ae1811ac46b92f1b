package main

import (
	"fmt"
	"os/exec"
	"testing"
	"time"
)

func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// TestServeEndsWithItsOwner, who stays a zombie where nobody waits for it.
func TestServeEndsWithItsOwner(t *testing.T) {
	for name, reap := range map[string]bool{"gone": true, "zombie": false} {
		t.Run(name, func(t *testing.T) {
			owner := sleeper(t)
			s := running(t, "--owner-pid", fmt.Sprintf("%d:%d", owner.Process.Pid, startTime(owner.Process.Pid)))
			must(t, owner.Process.Kill())
			if reap {
				_ = owner.Wait()
			}
			s.ends(t, exitOK)
		})
	}
}

// TestAnOwnerLivesWithoutItsFirstThread: its state is then a zombie's.
func TestAnOwnerLivesWithoutItsFirstThread(t *testing.T) {
	const script = `import ctypes, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).syscall(60, 0)  # exit, of this thread alone`
	cmd := exec.CommandContext(t.Context(), "python3", "-c", script)
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	pid := cmd.Process.Pid
	for state := byte(0); state != 'Z'; time.Sleep(10 * time.Millisecond) {
		var err error
		state, _, err = processStat(pid)
		must(t, err)
	}
	if why := (owner{pid, startTime(pid)}).dead(); why != "" {
		t.Errorf("a process that lives is taken for dead: %s", why)
	}
}

// TestServeIsNotFooledByAnotherProcess that has the owner's id by now.
func TestServeIsNotFooledByAnotherProcess(t *testing.T) {
	s := launch(t, binary, nil, "--owner-pid", fmt.Sprintf("%d:1", sleeper(t).Process.Pid))
	must(t, s.Start())
	if err := s.Wait(); err != nil {
		t.Errorf("%v; standard error:\n%s", err, &s.stderr)
	}
	s.leaves(t)
}

func TestStatOfAProcessWithAnOddName(t *testing.T) {
	for _, name := range []string{"sleep", "a b", "x) R 1 (y", "(((", "", "\n"} {
		text := fmt.Sprintf("42 (%s) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 123456 20 21\n", name)
		state, start, err := parseStat([]byte(text))
		if err != nil || state != 'Z' || start != 123456 {
			t.Errorf("%q: %c, %d, %v", name, state, start, err)
		}
	}
	if _, _, err := parseStat([]byte("42 (x) Z 1 2")); err == nil {
		t.Error("half a line is taken")
	}
}

func TestOwnerFlag(t *testing.T) {
	for text, want := range map[string]string{"12": "12", "12:345": "12:345"} {
		var o owner
		if err := o.Set(text); err != nil || o.String() != want {
			t.Errorf("%q: %q, %v", text, o.String(), err)
		}
	}
	for _, text := range []string{"", "0", "-1", "x", "12:", "12:x", "12:0", "12:-3"} {
		var o owner
		if err := o.Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
