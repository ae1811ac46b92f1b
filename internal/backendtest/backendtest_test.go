package backendtest_test

import (
	"testing"
	"time"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/backendtest"
	"github.com/imgvec/imgvec/internal/backendtest/fake"
)

func TestFake(t *testing.T) {
	for name, opts := range map[string]fake.Options{
		"plain":    {},
		"streams":  {Streams: 3, Delay: time.Millisecond},
		"no limit": {Spec: fake.Spec(5, 3, 0), Streams: 2},
	} {
		t.Run(name, func(t *testing.T) {
			backendtest.Run(t, func(*testing.T) imgvec.Backend { return fake.New(opts) }, backendtest.Exact)
		})
	}
}
