package dataset

import (
	"errors"
	"sync"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// Arrow's Snappy and Zstandard codecs take the memory that a page's own bytes claim, whatever its header says of its
// size: a page of some bytes could end the process. These take what the header says, which has been compared with the
// size of the file.
func init() {
	for codec, bounded := range map[compress.Compression]func(dst, src []byte) ([]byte, error){
		compress.Codecs.Snappy: decodeSnappy,
		compress.Codecs.Zstd:   decodeZstd,
	} {
		if whole, err := compress.GetCodec(codec); err == nil {
			stream, _ := whole.(compress.StreamingCodec)
			compress.RegisterCodec(codec, boundedCodec{whole, stream, bounded})
		}
	}
}

// boundedCodec is a codec whose blocks don't unpack to more than is asked for.
type boundedCodec struct {
	compress.Codec
	compress.StreamingCodec
	decode func(dst, src []byte) ([]byte, error)
}

// DecodeWithError is the way that pages are unpacked.
func (c boundedCodec) DecodeWithError(dst, src []byte) ([]byte, error) {
	if dst == nil {
		return c.Codec.(compress.ErrorCodec).DecodeWithError(dst, src)
	}
	return c.decode(dst, src)
}

var errUnpacksToMore = errors.New("a page unpacks to more than its header says")

func decodeSnappy(dst, src []byte) ([]byte, error) {
	n, err := snappy.DecodedLen(src)
	if err == nil && n > len(dst) {
		err = errUnpacksToMore
	}
	if err != nil {
		return nil, err
	}
	return snappy.Decode(dst, src)
}

// zstdDecoders are decoders that stop where the destination is full.
var zstdDecoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(maxPage))
	if err != nil {
		panic("imgvec: BUG: " + err.Error())
	}
	return d
}}

func decodeZstd(dst, src []byte) ([]byte, error) {
	d := zstdDecoders.Get().(*zstd.Decoder)
	defer zstdDecoders.Put(d)
	return d.DecodeAll(src, dst[:0:len(dst)])
}
