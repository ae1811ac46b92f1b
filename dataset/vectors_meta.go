package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/imgvec/imgvec"
)

// parseMeta reads what pairs wrote. What is missing or unreadable stays the zero value.
func parseMeta(keys, values []string) Meta {
	at := map[string]string{}
	for i, key := range keys {
		if name, ok := strings.CutPrefix(key, "imgvec."); ok {
			at[name] = values[i]
		}
	}
	m := Meta{
		Model: at["model"], ModelSHA256: at["model_sha256"], RandomWeights: at["random_weights"] == "true",
		Feature: at["feature"], Normalized: at["normalized"] == "true", Precision: imgvec.Precision(at["precision"]),
		Provider: at["provider"], Device: at["device"], Decoder: at["decoder"], Version: at["version"], Run: at["run"],
	}
	if dim, err := strconv.Atoi(at["dim"]); err == nil && dim > 0 {
		m.Dim = dim
	}
	if err := json.Unmarshal([]byte(at["preset"]), &m.Preset); err != nil {
		m.Preset = imgvec.Preset{}
	}
	return m
}

// findDim finds the number of features a row in the first row that has some, where the metadata does not say it.
func (m *Meta) findDim(f vectorsFile) error {
	if m.Dim > 0 {
		return nil
	}
	parts, err := f.parts(Columns{Features: true})
	if err != nil {
		return err
	}
	defer func() { _ = parts.close() }()
	var b Batch
	for m.Dim == 0 {
		part, err := parts.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		b.reset(0, part.rows(), 0)
		if err := part.decode(context.Background(), &b); err != nil {
			return err
		}
		m.Dim = b.Dim
	}
	return nil
}
