package codec

import (
	"errors"
	"io"
)

var errUnexpectedEOF = io.ErrUnexpectedEOF

// errTruncated: the data ends before the picture does.
var errTruncated = errors.New("the file is truncated")
