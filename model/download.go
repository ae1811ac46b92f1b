package model

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec/internal/fetch"
	"github.com/imgvec/imgvec/model/internal/hub"
)

// spare is the room that a model takes beside its weights, as a multiple of the download.
const spare = 1.1

// downloads is the folder that weights are downloaded into.
func (o PullOptions) downloads() string {
	return filepath.Join(o.home(), filepath.FromSlash(fetch.DownloadsDir))
}

// fileIn is where a download lies in that folder. Files of PyTorch's hub have names of their own; those of others are
// called alike, and have a folder for each address.
func fileIn(downloads, address string) string {
	a, isHub, err := parseHub(address)
	switch {
	case isHub && err == nil:
		return filepath.Join(downloads, fmt.Sprintf("%s--%.12s", strings.ReplaceAll(a.repo, "/", "--"), a.revision), filepath.Base(filepath.FromSlash(a.file)))
	case strings.HasPrefix(address, torchHub):
		return filepath.Join(downloads, hub.FileName(address))
	}
	return filepath.Join(downloads, "from-"+hashText(address)[:12], hub.FileName(address))
}

// download gets the weights at an address into the home folder's downloads and returns the file and its SHA-256. One
// process downloads, the others wait.
func download(ctx context.Context, address, sum string, opts PullOptions) (path, whole string, err error) {
	dir := opts.downloads()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", "", err
	}
	unlock, err := fetch.Lock(ctx, dir, opts.Log)
	if err != nil {
		return "", "", err
	}
	defer unlock()
	path = fileIn(dir, address)
	from := places(address, sum)
	if opts.URL != "" {
		from = []string{opts.URL}
	}
	whole, err = hub.Get(ctx, hub.Request{
		Places: from, Path: path, SHA256: sum, Offline: opts.offline(), Spare: spare, Token: token, Progress: opts.Progress, Log: opts.Log,
	})
	if err != nil && ctx.Err() == nil {
		err = explain(err, address, path)
	}
	return path, whole, err
}

// explain adds the remedy to a failed download.
func explain(err error, address, path string) error {
	var said *hub.StatusError
	if _, isHub, _ := parseHub(address); isHub && errors.As(err, &said) && (said.Code == http.StatusUnauthorized || said.Code == http.StatusForbidden) {
		return fmt.Errorf("can't download: %w; its owner may ask you to accept terms on the hub's page first: do so, and set %s to a token of yours", err, tokenEnv)
	}
	if path == "" { // the hub answered: it has no such file
		return fmt.Errorf("can't download: %w", err)
	}
	from := address
	if a, isHub, _ := parseHub(address); isHub {
		from = a.at(hubEndpoint)
	}
	return fmt.Errorf("can't download: %w; on a machine that can reach it get %s, put it here as %s, and run the same command again, or name a mirror in %s",
		err, from, path, mirrorEnv)
}
