package dataset

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// jsonVectors is a file of JSON lines.
type jsonVectors struct {
	path string
	meta Meta
}

// jsonRow is one line. Features that are null in a list of numbers are NaN.
type jsonRow struct {
	ID            string      `json:"id"`
	Features      *[]*float32 `json:"features"`
	Error         *string     `json:"error"`
	Width         int32       `json:"width"`
	Height        int32       `json:"height"`
	RandomWeights bool        `json:"random_weights"`
}

func openJSONVectors(path string, opts VectorsOptions) (vectorsFile, error) {
	if opts != (VectorsOptions{}) {
		return nil, usagef("the columns of JSON lines are id and features: others can't be chosen")
	}
	j := &jsonVectors{path: path}
	lines, err := openLines(path)
	if err != nil || lines == nil {
		return nil, explainOpen(path, errors.Join(err, os.ErrNotExist))
	}
	defer func() { _ = lines.close() }()
	if row, err := lines.row(); err == nil {
		j.meta.RandomWeights = row.RandomWeights
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	return j, j.meta.findDim(j)
}

func (j *jsonVectors) name() string        { return j.path }
func (j *jsonVectors) info() (Meta, int64) { return j.meta, -1 }

func (j *jsonVectors) parts(want Columns) (vectorParts, error) {
	lines, err := openLines(j.path)
	if err != nil || lines == nil {
		return nil, explainOpen(j.path, errors.Join(err, os.ErrNotExist))
	}
	return &jsonParts{lines: lines, want: want}, nil
}

// jsonLines reads lines one after the other.
type jsonLines struct {
	disk *os.File
	in   *bufio.Reader
}

func (l *jsonLines) close() error { return l.disk.Close() }

// line is the next line that is not blank.
func (l *jsonLines) line() ([]byte, error) {
	for {
		line, err := l.in.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (l *jsonLines) row() (jsonRow, error) {
	line, err := l.line()
	if err != nil {
		return jsonRow{}, err
	}
	return parseLine(line)
}

func parseLine(line []byte) (r jsonRow, err error) {
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("not a line of JSON as imgvec writes it (%w): %.60q", err, line)
	}
	return r, nil
}

type jsonParts struct {
	lines *jsonLines
	want  Columns
}

// jsonBytes is about what the lines of a part take.
const jsonBytes = 1 << 20

func (p *jsonParts) next() (vectorPart, error) {
	part := &jsonPart{want: p.want}
	for size := 0; size < jsonBytes; {
		line, err := p.lines.line()
		if errors.Is(err, io.EOF) && len(part.lines) > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		part.lines = append(part.lines, line)
		size += len(line)
	}
	return part, nil
}

func (p *jsonParts) close() error { return p.lines.close() }

type jsonPart struct {
	want  Columns
	lines [][]byte
}

func (p *jsonPart) rows() int { return len(p.lines) }

func (p *jsonPart) decode(_ context.Context, b *Batch) error {
	rows := make([]jsonRow, len(p.lines))
	var vector []float32
	for i, line := range p.lines {
		row, err := parseLine(line)
		if err != nil {
			return err
		}
		rows[i] = row
		if row.Features == nil || !p.want.Features {
			continue
		}
		vector = vector[:0]
		for _, v := range *row.Features {
			if v == nil {
				vector = append(vector, float32(math.NaN()))
			} else {
				vector = append(vector, *v)
			}
		}
		if err := b.add(i, vector); err != nil {
			return err
		}
	}
	b.addOutcomes(rows, p.want)
	return nil
}
