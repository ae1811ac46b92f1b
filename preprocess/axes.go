package preprocess

import (
	"sync"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/csrc"
)

// axisKey is all that a packed axis depends on.
type axisKey struct {
	side     side
	filter   imgvec.Interpolation
	reversed bool // the source is mirrored
	rows     bool // and the output is in the source's order
}

// axisCache keeps packed axes: photos come in few sizes. It is safe for concurrent use.
type axisCache struct {
	mu    sync.RWMutex
	axes  map[axisKey]*csrc.Axis
	bytes int64
}

// axisCacheBytes is when the cache is emptied; an axis of a common photo takes 10 to 50 KiB. One over axisKeepBytes is
// not kept: it belongs to a picture of an extreme shape, and would drive out hundreds of others.
const (
	axisCacheBytes = 32 << 20
	axisKeepBytes  = axisCacheBytes / 4
)

func (c *axisCache) get(key axisKey) *csrc.Axis {
	c.mu.RLock()
	axis := c.axes[key]
	c.mu.RUnlock()
	if axis != nil {
		return axis
	}
	axis = csrc.NewAxis(windowsOf(key.filter, key.side))
	if key.reversed {
		axis = axis.Mirrored(key.side.in, key.rows)
	}
	if axis.Bytes() > axisKeepBytes {
		return axis
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.axes == nil || c.bytes+axis.Bytes() > axisCacheBytes {
		c.axes, c.bytes = map[axisKey]*csrc.Axis{}, 0
	}
	if _, ok := c.axes[key]; !ok {
		c.bytes += axis.Bytes()
		c.axes[key] = axis
	}
	return axis
}
