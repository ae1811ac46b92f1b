package report

import (
	"bufio"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/dataset"
)

// Page is what a report shows. Its texts are ready to be shown; Write escapes them for HTML.
type Page struct {
	Title    string
	Lead     string // the output in a sentence
	Random   bool   // weights: the page says that nothing here means anything
	Facts    []Fact
	Counts   []Fact // the few numbers on top
	Map      *Map   // nil: there are no vectors
	Variance string // how much of the vectors the map shows

	Neighbours []Set
	Near       Near
	Failures   []Failure
	OtherKinds int // of failures that are not listed
	Sizes      *Histogram
	Norms      *Histogram
	Thumbs     Thumbs

	meta   dataset.Meta
	images map[int64]*Image
	order  []*Image // as they came
}

// Fact is a name and a value.
type Fact struct{ Name, Value string }

// Image is one image on the page.
type Image struct {
	Row    int64
	ID     string // as it is shown
	Name   string // what of it there is room for below a picture: what stands behind the last slash
	Detail string // size
	Broken string // why there is no thumbnail; "" where there is one

	id    string // as it stands in the output
	thumb string // JPEG, base64
}

// Shown is an image in a place where it may have a score.
type Shown struct {
	*Image
	Score string
}

// Set is some images that belong together.
type Set struct {
	Head   Shown
	Images []Shown
	Count  int64 // of all, shown or not
}

// Near is what was found of near-duplicates.
type Near struct {
	Threshold      float64
	Groups, Images int64
	Of             int64 // vectors that were compared
	All            bool  // these are all
	Cut            bool  // there were too many to look at them all
	Sets           []Set
}

// Failure is a reason, and some images that it befell.
type Failure struct {
	Reason string
	Count  int64
	Images []Shown
}

// Map is the points of the map, for the page's script.
type Map struct {
	X      []int    `json:"x"` // 0 to 4095
	Y      []int    `json:"y"`
	Rows   []int64  `json:"rows"`
	Prefix string   `json:"prefix"` // of all ids
	IDs    []string `json:"ids"`    // without it
	All    int64    `json:"all"`    // vectors in the output

	thumbs []*Image
}

// Thumbs says how many thumbnails there are, and why there are no more.
type Thumbs struct {
	Made, Missing int
	Full          bool // there would be more, but the page would grow too large
}

func (p *Page) image(row int64) Shown {
	if p.images == nil {
		p.images = map[int64]*Image{}
	}
	i := p.images[row]
	if i == nil {
		i = &Image{Row: row}
		p.images[row] = i
		p.order = append(p.order, i)
	}
	return Shown{Image: i}
}

func (p *Page) scored(row int64, score float32) Shown {
	s := p.image(row)
	s.Score = strconv.FormatFloat(float64(score), 'f', 3, 32)
	return s
}

// describe fills in what the output is.
func (p *Page) describe(v *dataset.Vectors, s *scan) {
	m := p.meta
	vectors := s.usable()
	p.Random = m.RandomWeights
	p.Counts = []Fact{{"rows", number(s.rows)}, {"vectors", number(vectors)}, {"failed", number(s.failed)}, {"features each", number(int64(m.Dim))}}
	p.Lead = fmt.Sprintf("%s on disk", size(v.Size()))
	if m.Precision != "" {
		p.Lead = display(string(m.Precision)) + ", " + p.Lead
	}
	if m.Model != "" {
		p.Lead = "Features of " + display(m.Model) + ", " + p.Lead
	}
	add := func(name, value string) {
		if value != "" {
			p.Facts = append(p.Facts, Fact{name, display(value)})
		}
	}
	add("File", v.Path())
	add("Model", m.Model)
	add("SHA-256 of the model", m.ModelSHA256)
	if m.Preset != (imgvec.Preset{}) {
		add("Input", fmt.Sprintf("%d x %d pixels, crop %s, %s", m.Preset.InputSize.Width, m.Preset.InputSize.Height, m.Preset.CropMode, m.Preset.Interpolation))
	}
	add("Output of the model", m.Feature)
	add("Precision", string(m.Precision))
	add("Execution provider", m.Provider)
	add("Device", m.Device)
	add("Decoder", m.Decoder)
	if m.Normalized {
		add("Length", "each vector was scaled to 1")
	}
	if s.unusable > 0 {
		add("Left out", fmt.Sprintf("%s vectors that are zero or no numbers", number(s.unusable)))
	}
	add("Made by", strings.TrimSpace("imgvec "+m.Version))
	p.Norms = lengths(s.norms)
	p.Sizes = sizes(s.megapixels)
}

// call gives an image its id.
func (i *Image) call(id string) {
	i.id, i.ID = id, display(id)
	if strings.TrimSpace(i.ID) == "" {
		i.ID = fmt.Sprintf("%q", id)
	}
	i.Name = i.ID
	if at := strings.LastIndexByte(id, '/'); at >= 0 && at+1 < len(id) {
		i.Name = display(id[at+1:])
	}
}

// display makes a stranger's text fit to be shown: what can't be seen, or turns other text round, stands there as its
// number, and what is very long is cut in the middle.
func display(s string) string { return cut(visible(s), 200) }

func visible(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == ' ', unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}

func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	runes := []rune(s)
	head := (most - 1) / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(most-1-head):])
}

func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func size(n int64) string {
	v, unit := float64(n)/1000, 0
	units := []string{"kB", "MB", "GB", "TB"}
	for v >= 999.95 && unit < len(units)-1 {
		v, unit = v/1000, unit+1
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"number": number,
	"minus":  func(a, b int64) int64 { return a - b },
	"len64":  func(rows []int64) int64 { return int64(len(rows)) },
	"last":   func(bars []Bar) Bar { return bars[len(bars)-1] },
	"len64s": func(list any) (int64, error) {
		switch l := list.(type) {
		case []Set:
			return int64(len(l)), nil
		case []Shown:
			return int64(len(l)), nil
		}
		return 0, fmt.Errorf("length of %T", list)
	},
	"style":  func() template.CSS { return template.CSS(pageCSS) }, //nolint:gosec // ours
	"script": func() template.JS { return template.JS(pageJS) },    //nolint:gosec // ours
}).Parse(pageHTML))

// Data is what the page's script reads.
type Data struct {
	Map    *Map             `json:"map"`
	Thumbs map[int64]string `json:"thumbs"` // JPEG as base64, by row
}

// Data is the page's own.
func (p *Page) Data() Data {
	d := Data{Map: p.Map, Thumbs: map[int64]string{}}
	for _, i := range p.order {
		if i.thumb != "" {
			d.Thumbs[i.Row] = i.thumb
		}
	}
	return d
}

// Write writes the page as HTML.
func (p *Page) Write(w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	if err := pageTemplate.Execute(out, p); err != nil {
		return fmt.Errorf("imgvec: write report: %w", err)
	}
	return out.Flush()
}
