package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// PartsOptions are the options of OpenShards and OpenParts.
type PartsOptions struct {
	WriterOptions
	Format Format        // of shards; "" goes by the folder's name, else Parquet
	Rows   int64         // rows a part
	Every  time.Duration // OpenParts: a part also ends when it is older; 0: it does not
	Resume bool          // go on with what an earlier run has left

	// Run is all that the rows depend on beside the inputs. A run that is gone on with must have the same.
	Run []Setting
	// Given are the inputs in the caller's words, for errors, and Inputs is their Source.Digest; "" are inputs that can't
	// be read twice. It is called once: at once to compare, else when the first part is finished.
	Given  []string
	Inputs func(context.Context) (string, error)
	// State is what the caller wants to have back by Before of each part, as JSON. It is called after the part's last row.
	State func() any
}

// Parts is an output that is written part by part. Each part is whole or absent, and what is finished outlives the
// process: another run with Resume goes on behind it. Beside the output lies the folder OUT.parts with the manifest
// until all is done; a lock on the manifest keeps other processes off.
//
// The two kinds are OpenShards, whose parts are the output, and OpenParts, whose parts are joined in the end.
//
// It is a Writer. One goroutine writes; Discard may come from another.
type Parts struct {
	opts   PartsOptions
	output string // as given
	final  string // the folder of shards, or the file that parts are joined to
	dir    string // where parts are written
	meta   Meta
	format Format
	joins  bool
	man    *manifest
	before Before
	began  time.Time // of the part that is being written

	part   part // its counts so far
	broken bool // it can't be finished

	mu        sync.Mutex // of what follows
	done      done
	cur       Writer // the part; nil between parts
	whole     bool   // the output is, and stands under its name
	discarded bool
	closed    bool
}

// Before is what earlier runs have done.
type Before struct {
	Parts       int
	Items, Rows int64
	States      []json.RawMessage // of all parts, in order
	Redone      string            // the first part that was finished and is not as it was; "": none
}

// Before tells what earlier runs have done; the caller begins with item Before().Items.
func (p *Parts) Before() Before { return p.before }

// Done is how many parts are finished, and how many items they took, earlier runs' too. Any goroutine may ask.
func (p *Parts) Done() (parts int, items, rows int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done.parts, p.done.items, p.done.rows
}

// Files is how many files of rows are finished.
func (p *Parts) Files() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done.files
}

// done is what is finished.
type done struct {
	parts, files int
	items, rows  int64
}

func (p *Parts) count(part *part) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done.parts++
	p.done.files += min(len(part.Files), 1)
	p.done.items += part.Items
	p.done.rows += part.Rows
}

// partName is the name of a part without its extension. Readers take the files of a folder in the order of their
// names, so the numbers have five digits; behind part-99999 comes part-a00000.
func partName(number int) string {
	const block = 100_000
	if number < block {
		return fmt.Sprintf("part-%05d", number)
	}
	return fmt.Sprintf("part-%c%05d", 'a'+rune(number/block)-1, number%block)
}

func (p *Parts) partFiles(number int) []string {
	name := partName(number) + "." + string(p.format)
	if p.format == NPY {
		return []string{name, idsOf(name)}
	}
	return []string{name}
}

func (p *Parts) path(number int) string { return filepath.Join(p.dir, p.partFiles(number)[0]) }

// Write adds the row of the next item.
func (p *Parts) Write(r Row) error {
	if p.cur == nil {
		if err := p.next(); err != nil {
			return err
		}
	}
	if err := p.cur.Write(r); err != nil {
		p.broken = true
		return err
	}
	p.part.Items++
	p.part.Rows++
	if p.part.Rows >= p.opts.Rows || p.joins && p.opts.Every > 0 && time.Since(p.began) >= p.opts.Every {
		return p.cut()
	}
	return nil
}

// Skip tells of an item that gets no row.
func (p *Parts) Skip() { p.part.Items++ }

// next begins a part. A file that stands under its name already is that of a run which died before it could note it.
func (p *Parts) next() error {
	opts := p.opts.WriterOptions
	opts.Force = true
	w, err := Create(p.path(len(p.man.parts)), p.meta, opts)
	if err != nil {
		return err
	}
	p.began = time.Now()
	return p.set(w)
}

func (p *Parts) set(w Writer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.discarded {
		return errors.Join(os.ErrClosed, w.Abort())
	}
	p.cur = w
	return nil
}

// cut finishes the part that is being written, and notes it.
func (p *Parts) cut() error {
	number := len(p.man.parts)
	if p.cur != nil {
		p.broken = true // unless all of this goes well
		if err := p.cur.Finish(); err != nil {
			return err
		}
		if err := p.set(nil); err != nil {
			return err
		}
		var err error
		if p.part.Files, err = sums(p.dir, p.partFiles(number)); err != nil {
			return err
		}
	}
	if p.man.head == nil {
		if err := p.begin(); err != nil {
			return err
		}
	}
	p.part.Number = number
	if p.opts.State != nil {
		state, err := json.Marshal(p.opts.State())
		if err != nil {
			panic("imgvec: BUG: " + err.Error())
		}
		p.part.State = state
	}
	if err := p.man.add(p.part); err != nil {
		return err
	}
	p.count(&p.part)
	p.man.parts[number].State = nil // as goOn
	p.part, p.broken = part{}, false
	return nil
}

// begin writes the first line of the manifest.
func (p *Parts) begin() error {
	inputs, err := p.opts.Inputs(context.Background())
	if err != nil {
		return err
	}
	head := runHead{Format: manifestFormat, Run: p.opts.Run, Given: p.opts.Given, Inputs: inputs, Started: time.Now().UTC().Truncate(time.Second)}
	return p.man.begin(head)
}

// Keep finishes the part that is being written, however short, so that a run which ends early loses nothing. Shards
// have a fixed number of rows: there it does nothing.
func (p *Parts) Keep() error {
	if !p.joins || p.part.Items == 0 || p.broken {
		return nil
	}
	return p.cut()
}

// Finish finishes the last part and the output: it joins the parts, or writes _SUCCESS beside them.
func (p *Parts) Finish() error {
	if p.part.Items > 0 || len(p.man.parts) == 0 {
		if p.cur == nil && len(p.man.parts) == 0 {
			if err := p.next(); err != nil { // an output without a row still has its columns
				return err
			}
		}
		if err := p.cut(); err != nil {
			return err
		}
	}
	finish := p.succeed
	if p.joins {
		finish = p.join
	}
	if err := finish(); err != nil {
		return err
	}
	return p.clear()
}

// clear removes what is no part of the output.
func (p *Parts) clear() error {
	p.mu.Lock()
	p.whole, p.closed = true, true
	p.mu.Unlock()
	if p.joins {
		if err := removeParts(p.dir); err != nil {
			return err
		}
	}
	return p.man.remove()
}

// Abort drops the part that is being written; the finished ones stay.
func (p *Parts) Abort() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	var err error
	if p.cur != nil {
		err = p.cur.Abort()
	}
	if len(p.man.parts) == 0 { // then there is nothing to go on with
		err = errors.Join(err, p.man.remove())
		if !p.joins {
			_ = os.Remove(p.dir) // where it is empty
		}
		return err
	}
	return errors.Join(err, p.man.close())
}

// Discard drops the part that is being written. It tells whether the output is whole.
func (p *Parts) Discard() (whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discarded = true
	if p.cur != nil && !p.whole {
		p.cur.Discard()
	}
	return p.whole
}

// PartsFolder is where a run in parts keeps what it knows, beside its output.
func PartsFolder(output string) string {
	return strings.TrimSuffix(filepath.Clean(output), "/") + ".parts"
}
