//go:build imgvec_faults

package serve

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Faults tells whether this build has the faults that tests ask for by marks in images. A released one never has.
const Faults = true

// withFaults looks for marks in what open reads, and does in the worker what they ask for.
func withFaults(open func() (io.ReadCloser, error)) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		rc, err := open()
		if err != nil {
			return nil, err
		}
		defer rc.Close()
		data, err := io.ReadAll(rc)
		if err != nil {
			return nil, err
		}
		inject(data)
		return io.NopCloser(bytes.NewReader(data)), nil
	}
}

func inject(data []byte) {
	_, mark, found := bytes.Cut(data, []byte("IMGVEC-FAULT-"))
	switch {
	case !found:
	case bytes.HasPrefix(mark, []byte("CRASH")):
		crash()
	case bytes.HasPrefix(mark, []byte("HANG")):
		select {}
	case bytes.HasPrefix(mark, []byte("EXIT:")):
		os.Exit(number(mark))
	case bytes.HasPrefix(mark, []byte("SLEEP:")):
		time.Sleep(time.Duration(number(mark)) * time.Millisecond)
	}
}

// number is the one after the colon, 0 where there is none.
func number(mark []byte) int {
	_, rest, _ := bytes.Cut(mark, []byte(":"))
	end := 0
	for end < len(rest) && end < 9 && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(string(rest[:end])) // none: 0
	return n
}

// crash ends the process by a segmentation fault, as a damaged native library would: no recover catches it.
func crash() {
	page, err := unix.Mmap(-1, 0, 1, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		page[0] = 1
	}
	os.Exit(2)
}
