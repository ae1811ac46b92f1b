package model

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/imgvec/imgvec/model/internal/hub"
)

// noHash takes a file without a hash.
const noHash = "none"

var hexDigits = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

// pullAddress installs a model from an address.
func pullAddress(ctx context.Context, address string, opts PullOptions) (*Model, error) {
	if opts.SHA256 = strings.ToLower(opts.SHA256); opts.SHA256 != "" && opts.SHA256 != noHash && !hexDigits.MatchString(opts.SHA256) {
		return nil, fmt.Errorf("SHA-256 %q: 8 to 64 hex digits are expected, or %s", opts.SHA256, noHash)
	}
	a, isHub, err := parseHub(address)
	if err != nil {
		return nil, err
	}
	if isHub {
		return pullHub(ctx, a, opts)
	}
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	if opts.SHA256 == "" {
		if opts.SHA256 = hashIn(address); opts.SHA256 == "" {
			return nil, fmt.Errorf("nothing says what its SHA-256 must be: give it (--sha256 HEX), or --sha256 %s to take whatever comes", noHash)
		}
	}
	file, _, err := download(ctx, address, pinOf(opts.SHA256), opts)
	if err != nil {
		return nil, err
	}
	return importDownload(ctx, file, address, "", opts)
}

// hashIn is what an address says of its file's SHA-256: the whole of it as a part of the path, as OpenAI writes it, or the
// first digits in the file's name, as PyTorch's hub does. It is empty where there is none.
func hashIn(address string) string {
	for _, part := range strings.Split(address, "/") {
		if hub.IsSHA256(part) {
			return part
		}
	}
	return hubHash(hub.FileName(address))
}

// pinOf is what hub.Get is to check.
func pinOf(sum string) string {
	if sum == noHash {
		return ""
	}
	return sum
}

// pullHub installs a model of Hugging Face's hub: its weights, and the small files beside them that say what they are.
func pullHub(ctx context.Context, a hubAddress, opts PullOptions) (*Model, error) {
	if !opts.offline() && (!a.pinned() || opts.SHA256 == "") {
		if err := lookUp(ctx, &a, &opts); err != nil {
			return nil, unreachable(err, a)
		}
	}
	if opts.SHA256 == "" {
		return nil, fmt.Errorf("nothing says what its SHA-256 must be: give it (--sha256 HEX), or --sha256 %s to take whatever comes", noHash)
	}
	file, _, err := download(ctx, a.String(), pinOf(opts.SHA256), opts)
	if err != nil {
		return nil, err
	}
	if err := besideDownload(ctx, a, filepath.Dir(file), opts); err != nil {
		return nil, err
	}
	if opts.Import.License == "" {
		opts.Import.License = cardLicense(filepath.Join(filepath.Dir(file), "README.md"))
	}
	_, name, _ := strings.Cut(a.repo, "/")
	return importDownload(ctx, file, a.String(), name, opts)
}

// unreachable adds the remedy where the hub does not answer: nothing is known of the file then, so that a folder with it
// and what lies beside it is all that helps.
func unreachable(err error, a hubAddress) error {
	err = fmt.Errorf("%s: %w", a.at(endpoint()), err)
	var said *hub.StatusError
	if errors.As(err, &said) {
		return explain(err, a.String(), "")
	}
	return fmt.Errorf("can't ask the hub: %w; on a machine that can reach it get %s and the preprocessor_config.json and config.json beside it, "+
		"and run here: imgvec model import FOLDER; or name another hub in %s", err, a.at(hubEndpoint), endpointEnv)
}

// lookUp asks the hub which commit is meant, and which SHA-256 the file has.
func lookUp(ctx context.Context, a *hubAddress, opts *PullOptions) error {
	info, err := hub.Look(ctx, a.at(endpoint()), token)
	if err != nil {
		return err
	}
	if commitHash.MatchString(info.Commit) {
		a.revision = info.Commit
	}
	if opts.SHA256 == "" && info.SHA256 != "" {
		opts.SHA256 = info.SHA256
		opts.log("the hub says: %s, SHA-256 %s (give --sha256 to hold it to that)", a, info.SHA256)
	}
	return nil
}

// cards are the files beside weights that say what they are.
var cards = []string{"preprocessor_config.json", "config.json", "open_clip_config.json", "README.md"}

// besideDownload gets the small files beside the weights. A repository need not have each.
func besideDownload(ctx context.Context, a hubAddress, dir string, opts PullOptions) error {
	for _, name := range cards {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil && a.pinned() {
			continue
		}
		card := a.sibling(name)
		_, err := hub.Get(ctx, hub.Request{Places: places(card.String(), ""), Path: path, Offline: opts.offline(), Token: token, Max: maxManifest})
		var said *hub.StatusError
		switch {
		case err == nil, errors.As(err, &said), opts.offline():
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			return fmt.Errorf("get %s, which lies beside it: %w", name, err)
		}
	}
	return nil
}

var cardField = regexp.MustCompile(`(?m)^license:[ \t]*["']?([A-Za-z0-9.+-]+)["']?[ \t]*$`)

// cardLicense reads the licence that a model card's front matter states; empty where it states none.
func cardLicense(path string) string {
	text, err := readSmall(path, 1<<20)
	if err != nil || !strings.HasPrefix(string(text), "---\n") {
		return ""
	}
	front, _, _ := strings.Cut(string(text[4:]), "\n---")
	if m := cardField.FindStringSubmatch(front); m != nil {
		return m[1] + " (says its model card)"
	}
	return ""
}

// importDownload makes a model of a downloaded file.
func importDownload(ctx context.Context, file, address, name string, opts PullOptions) (*Model, error) {
	o := opts.Import
	o.Home = opts.home()
	if o.Source == "" {
		o.Source = address
	}
	if o.Name == "" && name != "" {
		o.Name = freeName(name)
	}
	return importFile(ctx, file, opts.Arch, o)
}

// freeName is the name of a repository, unless the registry has one like it, which must be asked for.
func freeName(name string) string {
	if isKnown(name) {
		return name + "-hub"
	}
	return name
}
