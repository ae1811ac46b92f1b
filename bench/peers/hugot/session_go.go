//go:build !ORT

package main

import (
	"context"

	"github.com/knights-analytics/hugot"
)

// What runs the model: hugot's Go backend computes a convolution on one core, image by image.
const (
	backend = "pure Go (GoMLX simplego)"
	batch   = 1
	workers = 1
)

func newSession(ctx context.Context) (*hugot.Session, error) { return hugot.NewGoSession(ctx) }
