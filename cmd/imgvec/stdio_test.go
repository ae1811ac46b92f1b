package main

import (
	"io"
	"os/exec"
	"testing"

	"github.com/imgvec/imgvec/model"
)

// talk starts stdio and greets it.
func talk(t *testing.T) (*exec.Cmd, *client, io.WriteCloser) {
	t.Helper()
	needModel(t)
	cmd := call{args: []string{"stdio", "--model", tinyModel(t), "--device", "cpu"}}.start(t)
	cmd.Stdin = nil
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	c, reply := greet(t, out, in)
	if !reply.OK || reply.About.PID != cmd.Process.Pid {
		t.Fatalf("refused: %+v", reply)
	}
	return cmd, c, in
}

func TestStdioAnswers(t *testing.T) {
	cmd, c, _ := talk(t)
	c.send(model.ReferencePictures()[0], nil)
	c.end()
	rows, trailer := c.answers()
	if len(rows) != 2 || rows[0] != tinyDim || rows[1] != 0 || !trailer.OK {
		t.Errorf("%v, %+v", rows, trailer)
	}
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		t.Errorf("more on standard output: %q, %v", rest, err)
	}
	must(t, cmd.Wait())
}

// TestStdioEndsWithItsInput: who started it is gone.
func TestStdioEndsWithItsInput(t *testing.T) {
	cmd, c, in := talk(t)
	c.send(model.ReferencePictures()[0])
	must(t, in.Close())
	_ = c.gone()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit status %d", code)
	}
}
