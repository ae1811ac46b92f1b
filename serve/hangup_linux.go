package serve

import (
	"context"
	"io"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hangupEvery is how often a client that has ended its side is looked at.
const hangupEvery = 250 * time.Millisecond

// hungUp waits until the other side of a socket is closed in both directions, or done (false). Reading tells of one
// direction alone, and a client that has sent all may well have ended that.
func hungUp(done context.Context, rw io.ReadWriteCloser) bool {
	socket, ok := rw.(syscall.Conn)
	if !ok {
		<-done.Done()
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	ticker := time.NewTicker(hangupEvery)
	defer ticker.Stop()
	for {
		var events int16
		if raw.Control(func(fd uintptr) { events = poll(int32(fd)) }) != nil {
			return false // closed on our side
		}
		if events&(unix.POLLHUP|unix.POLLERR) != 0 {
			return true
		}
		select {
		case <-done.Done():
			return false
		case <-ticker.C:
		}
	}
}

func poll(fd int32) int16 {
	fds := []unix.PollFd{{Fd: fd}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return 0
	}
	return fds[0].Revents
}
