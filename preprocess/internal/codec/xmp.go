package codec

import "regexp"

// xmpPattern is Pillow's: the attribute's and the element's spelling.
var xmpPattern = regexp.MustCompile(`tiff:Orientation(="|>)([0-9])`)

// xmpOrientation finds tiff:Orientation in an XMP packet; 0 where there is none.
func xmpOrientation(xmp []byte) int {
	m := xmpPattern.FindSubmatch(xmp)
	if m == nil {
		return 0
	}
	return int(m[2][0] - '0')
}
