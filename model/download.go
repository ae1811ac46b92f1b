package model

import (
	"context"
	"errors"

	"github.com/imgvec/imgvec/model/internal/checkpoint"
)

func openDownload(ctx context.Context, e Entry, opts PullOptions) (*checkpoint.File, error) {
	return nil, errors.New("TODO")
}
