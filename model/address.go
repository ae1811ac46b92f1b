package model

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// hubAddress is a file in a repository of Hugging Face's hub.
type hubAddress struct {
	repo     string // OWNER/NAME
	revision string // a commit, branch or tag
	file     string // path in the repository, with slashes
}

const (
	hubScheme   = "hf://"
	hubEndpoint = "https://huggingface.co"
)

// IsAddress tells an address that Pull takes from a name.
func IsAddress(s string) bool {
	return strings.HasPrefix(s, hubScheme) || strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// String writes the address as Pull takes it.
func (a hubAddress) String() string {
	at := ""
	if a.revision != "main" {
		at = "@" + a.revision
	}
	return hubScheme + a.repo + at + "/" + a.file
}

// at is the file's address on a server that is laid out as the hub is.
func (a hubAddress) at(endpoint string) string {
	return strings.TrimRight(endpoint, "/") + "/" + a.repo + "/resolve/" + url.PathEscape(a.revision) + "/" + (&url.URL{Path: a.file}).EscapedPath()
}

// sibling is another file of the same repository and commit, in the same folder.
func (a hubAddress) sibling(file string) hubAddress {
	if i := strings.LastIndex(a.file, "/"); i >= 0 {
		file = a.file[:i+1] + file
	}
	a.file = file
	return a
}

// pinned tells whether the revision is a commit, which can't come to mean something else.
func (a hubAddress) pinned() bool { return commitHash.MatchString(a.revision) }

var (
	commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)
	repoPart   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
)

// parseHub reads hf://OWNER/REPO[@REVISION]/FILE, and the addresses that a browser shows for a file of the hub. ok is
// false for an address of another kind.
func parseHub(s string) (a hubAddress, ok bool, err error) {
	rest, ok := strings.CutPrefix(s, hubScheme)
	if !ok {
		if rest, ok = strings.CutPrefix(s, hubEndpoint+"/"); !ok {
			return a, false, nil
		}
		parts := strings.SplitN(strings.TrimSuffix(rest, "?download=true"), "/", 5)
		if len(parts) < 5 || parts[2] != "resolve" && parts[2] != "blob" {
			return a, false, nil
		}
		rest = parts[0] + "/" + parts[1] + "@" + parts[3] + "/" + parts[4]
	}
	parts := strings.SplitN(rest, "/", 3)
	if len(parts) < 3 || parts[2] == "" {
		return a, true, fmt.Errorf("%s is not hf://OWNER/REPO[@REVISION]/FILE, as in hf://facebook/dinov2-small/model.safetensors", s)
	}
	name, revision, given := strings.Cut(parts[1], "@")
	if !given {
		revision = "main"
	}
	a = hubAddress{repo: parts[0] + "/" + name, revision: revision, file: parts[2]}
	if !repoPart.MatchString(parts[0]) || !repoPart.MatchString(name) || revision == "" || !filepath.IsLocal(filepath.FromSlash(a.file)) {
		return a, true, fmt.Errorf("%s is not hf://OWNER/REPO[@REVISION]/FILE", s)
	}
	return a, true, nil
}

// checkAddress refuses what is no address of a file.
func checkAddress(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return err
	}
	if u.Host == "" || strings.HasSuffix(u.Path, "/") || u.Path == "" {
		return errors.New("it is not the address of a file")
	}
	return nil
}
