package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strconv"

	"github.com/imgvec/imgvec"
)

// Digest is the SHA-256 of what the inputs are: the names of all images in their order, and for a file with many images
// its name, size and time. Two runs with the same digest have the same items. No image is opened. Standard input and
// pipes, which can't be read twice, are ErrUsage.
func (s *Source) Digest(ctx context.Context) (string, error) {
	h := sha256.New()
	for _, in := range s.inputs {
		if err := in.sign(ctx, h); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// signItem writes one name; its length before it keeps two names from looking like one.
func signItem(w io.Writer, id string) {
	_, _ = io.WriteString(w, strconv.Itoa(len(id))+":"+id) // a hash takes everything
}

// signItems signs an input by the names of its items.
func signItems(ctx context.Context, in input, w io.Writer) error {
	_, err := in.each(ctx, func(item imgvec.Item) bool {
		signItem(w, item.ID)
		return true
	})
	return err
}

func (f file) sign(ctx context.Context, w io.Writer) error { return signItems(ctx, f, w) }

func (l *list) sign(ctx context.Context, w io.Writer) error {
	if _, known, err := l.count(ctx); err != nil || !known {
		return usagef("imgvec: %q can be read once only: write the list to a file and give @FILE", l.path)
	}
	return signItems(ctx, l, w)
}
