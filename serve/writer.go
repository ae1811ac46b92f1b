package serve

import "bufio"

// write sends the answers as they get ready, in the order of the batches, then the end and the trailer, which it
// returns. An error is the end of the connection.
func (c *conn) write() (*Trailer, error) {
	q := c.server.queue
	// A client may let its answers wait: Spark takes rows when it has a use for them. One that died is noticed at once.
	c.wire.toWrite = c.server.cfg.IdleConnection
	out := bufio.NewWriterSize(c.wire, writeBuffer)
	answers, err := newAnswers(out)
	for err == nil {
		if err = out.Flush(); err != nil {
			break
		}
		b, trailer, gone := q.answer(c)
		if gone != nil {
			return nil, gone
		}
		if trailer != nil {
			return trailer, c.end(answers, out, trailer)
		}
		if err = answers.write(b); err == nil {
			c.server.counts.batches.Inc()
			q.written(b)
		}
	}
	err = lost(err)
	q.drop(c, err)
	return nil, err
}

// end ends the Arrow stream and says how it ended.
func (c *conn) end(a *answers, out *bufio.Writer, t *Trailer) error {
	err := a.end()
	if err == nil {
		_, err = out.Write(line(t))
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return lost(err)
	}
	return nil
}
