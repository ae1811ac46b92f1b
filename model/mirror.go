package model

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/imgvec/imgvec/model/internal/hub"
)

// Variables that say where weights are looked for. The hash decides whether a file is the wanted one, so that a mirror
// need not be trusted.
const (
	mirrorEnv   = "IMGVEC_MIRROR"  // addresses and folders, separated by commas, tried before the hubs
	offlineEnv  = "IMGVEC_OFFLINE" // anything but "" and "0": nothing is asked over the network
	endpointEnv = "HF_ENDPOINT"    // in place of https://huggingface.co
	tokenEnv    = "HF_TOKEN"       // for repositories that ask for one; goes to the hub only
)

// Offline tells whether the environment forbids downloads.
func Offline() bool {
	v := os.Getenv(offlineEnv)
	return v != "" && v != "0"
}

// mirrors are the bases of IMGVEC_MIRROR.
func mirrors() []string {
	var list []string
	for _, base := range strings.Split(os.Getenv(mirrorEnv), ",") {
		if base = strings.TrimPrefix(strings.TrimSpace(base), "file://"); base != "" {
			list = append(list, base)
		}
	}
	return list
}

// places lists where a file may be, best first: the mirrors, other programs' caches on this machine, the address itself.
// Caches are looked at only where a hash can tell whether it is the file.
func places(address, sum string) []string {
	var list []string
	a, isHub, err := parseHub(address)
	isHub = isHub && err == nil
	for _, base := range mirrors() {
		list = append(list, at(base, address, a, isHub))
	}
	if len(sum) >= 8 {
		if path := inCaches(address, a, isHub); path != "" {
			list = append(list, path)
		}
	}
	if isHub {
		return append(list, a.at(endpoint()))
	}
	return append(list, address)
}

// at is where a mirror has the file: for the hub's files as on the hub, for others by their names.
func at(base, address string, a hubAddress, isHub bool) string {
	switch folder := !strings.Contains(base, "://"); {
	case folder && isHub:
		return filepath.Join(base, filepath.FromSlash(a.repo), filepath.FromSlash(a.file))
	case folder:
		return filepath.Join(base, hub.FileName(address))
	case isHub:
		return a.at(base)
	default:
		return strings.TrimRight(base, "/") + "/" + url.PathEscape(hub.FileName(address))
	}
}

// inCaches finds the file where PyTorch or huggingface_hub have put it; empty where they have not.
func inCaches(address string, a hubAddress, isHub bool) string {
	var path string
	if isHub {
		dir := os.Getenv("HF_HUB_CACHE")
		if dir == "" {
			dir = filepath.Join(cacheOf("HF_HOME", "huggingface"), "hub")
		}
		path = filepath.Join(dir, "models--"+strings.ReplaceAll(a.repo, "/", "--"), "snapshots", a.revision, filepath.FromSlash(a.file))
	} else {
		path = filepath.Join(cacheOf("TORCH_HOME", "torch"), "hub", "checkpoints", hub.FileName(address))
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// cacheOf is another program's cache folder, as it looks for it itself.
func cacheOf(env, name string) string {
	if dir := os.Getenv(env); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, name)
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return name
	}
	return filepath.Join(dir, ".cache", name)
}

func endpoint() string {
	if e := os.Getenv(endpointEnv); e != "" {
		return e
	}
	return hubEndpoint
}

// token is Hugging Face's token, for addresses of its hub.
func token(address string) string {
	if strings.HasPrefix(address, strings.TrimRight(endpoint(), "/")+"/") {
		return os.Getenv(tokenEnv)
	}
	return ""
}
