package dataset

import (
	"archive/tar"
	"path"
	"slices"
	"strings"
)

// sample is the members of an archive that stand together and have the same name up to the first dot, WebDataset's key.
type sample struct {
	key    string
	images []member
	rank   int
	values [][]byte // of the columns that are kept, nil where the sample has none; nil where nothing is kept
}

// member is a file in an archive.
type member struct {
	name   string
	suffix string // what comes behind the key and its dot, lower case
	data   []byte
	err    error // why data is missing
}

// splitMember parts a member's name into key and suffix, as WebDataset does: at the first dot of the last part. Folders,
// links, devices, hidden files and names without an extension are no members of a sample.
func splitMember(h *tar.Header) (key, suffix string, ok bool) {
	if !isFileMember(h) || hidden(h.Name) {
		return "", "", false
	}
	dir, base := path.Split(h.Name)
	stem, suffix, found := strings.Cut(base, ".")
	return dir + stem, strings.ToLower(suffix), found && suffix != ""
}

func isFileMember(h *tar.Header) bool {
	return h.Typeflag == tar.TypeReg || h.Typeflag == '\x00' || h.Typeflag == tar.TypeGNUSparse || h.Typeflag == tar.TypeCont
}

// hidden tells of names that folders pass by too; macOS puts a ._x.jpg beside each x.jpg.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != "." && part != ".." {
			return true
		}
	}
	return false
}

// countsAsIgnored tells whether a person who counts the files of an archive would miss this one.
func countsAsIgnored(h *tar.Header) bool {
	return h.Typeflag != tar.TypeDir && h.Typeflag != tar.TypeXGlobalHeader && !hidden(h.Name)
}

// add takes an image into the sample. Where the caller has ranked the suffixes only the best one stays.
func (s *sample) add(m member, rank int, ranked bool) {
	switch {
	case !ranked || len(s.images) == 0:
		s.images, s.rank = append(s.images, m), rank
	case rank < s.rank:
		s.images[0], s.rank = m, rank
	}
}

// keep takes the value of a kept column into the sample.
func (s *sample) keep(column int, columns []string, m member) {
	if s.values == nil {
		s.values = make([][]byte, len(columns))
	}
	s.values[column] = m.data
}

// memberChoice says what becomes of the members of a sample.
type memberChoice struct {
	text   string   // of the choice, for a run's digest
	images []string // suffixes of the image, the best first; empty: every extension of an image's
	keep   []string // suffixes that are columns of the output
}

// chooseMembers reads --image-column as WebDataset's users write it, "jpg;png".
func chooseMembers(imageColumn string, keep []string) memberChoice {
	c := memberChoice{text: imageColumn + "\x00" + strings.Join(keep, "\x00"), keep: keep}
	for name := range strings.FieldsFuncSeq(imageColumn, func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
		c.images = append(c.images, strings.ToLower(strings.TrimPrefix(name, ".")))
	}
	return c
}

func (c *memberChoice) ranked() bool { return len(c.images) > 0 }

// image tells whether a member is the image, and how good a choice among others of its sample.
func (c *memberChoice) image(suffix string) (rank int, ok bool) {
	if !c.ranked() {
		return 0, isImage("." + suffix)
	}
	rank = slices.Index(c.images, suffix)
	return rank, rank >= 0
}

// kept is the number of the column that a member is the value of, -1 for none.
func (c *memberChoice) kept(suffix string) int { return slices.Index(c.keep, suffix) }
