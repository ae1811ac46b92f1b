package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/imgvec/imgvec"
)

// columnChoice says which columns of a table hold the images and the ids; "" is found by name and type.
type columnChoice struct {
	image, id string
	objects   ObjectStore // what reads URLs in a column of paths
}

func (c columnChoice) text() string { return c.image + "\x00" + c.id }

// Names of columns that are looked for, the best first.
var (
	imageNames = []string{"content", "image", "bytes", "img", "jpg", "jpeg", "png", "webp", "image_bytes", "image_data", "data"}
	pathNames  = []string{"path", "image", "file", "filename", "file_name", "filepath", "file_path", "image_path", "url", "image_url", "uri"}
)

// tablePlan is what of a table is read.
type tablePlan struct {
	file      blob
	objects   ObjectStore // what reads URLs in a column of paths; nil: they fail
	schema    *arrow.Schema
	names     []string // of all columns
	image, id int      // numbers of columns; id is -1 where rows are numbered
	bytes     int      // child of a struct with the bytes; -1: the column itself
	path      int      // child of a struct with the path; -1: none
	isPath    bool     // the column holds paths
}

// plan finds the columns of a table by its schema. Errors are the caller's to mend.
func (c columnChoice) plan(file blob, schema *arrow.Schema) (*tablePlan, error) {
	p := &tablePlan{file: file, objects: c.objects, schema: schema, id: -1, bytes: -1, path: -1}
	for _, f := range schema.Fields() {
		p.names = append(p.names, f.Name)
	}
	var err error
	if p.image, err = c.findImage(file, schema); err != nil {
		return nil, err
	}
	if err := p.look(schema.Field(p.image)); err != nil {
		return nil, usagef("imgvec: %s: %v", file.name, err)
	}
	if c.id == "" {
		if p.isPath {
			p.id = p.image
		}
		return p, nil
	}
	if p.id = slices.Index(p.names, c.id); p.id < 0 {
		return nil, usagef("imgvec: %s: there is no column %q for the ids: it has %s", file.name, c.id, describeSchema(schema))
	}
	if t := schema.Field(p.id).Type; !canBeID(t) {
		return nil, usagef("imgvec: %s: column %q is of type %v: ids are strings, numbers without a fraction, or times", file.name, c.id, t)
	}
	return p, nil
}

// findImage is the number of the column of images.
func (c columnChoice) findImage(file blob, schema *arrow.Schema) (int, error) {
	if c.image != "" {
		if found := schema.FieldIndices(c.image); len(found) > 0 {
			return found[0], nil
		}
		return 0, usagef("imgvec: %s: there is no column %q for the images: it has %s", file.name, c.image, describeSchema(schema))
	}
	var binary, named, paths []int
	for i, f := range schema.Fields() {
		switch {
		case holdsBytes(f.Type):
			binary = append(binary, i)
			if slices.Contains(imageNames, strings.ToLower(f.Name)) {
				named = append(named, i)
			}
		case holdsText(f.Type) && slices.Contains(pathNames, strings.ToLower(f.Name)):
			paths = append(paths, i)
		}
	}
	for _, found := range [][]int{named, binary, paths} {
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return 0, usagef("imgvec: %s: several columns could hold the images (%s): choose one with --image-column; it has %s",
				file.name, strings.Join(namesOf(schema, found), ", "), describeSchema(schema))
		}
	}
	return 0, usagef("imgvec: %s: no column looks like images or their paths: name it with --image-column; it has %s", file.name, describeSchema(schema))
}

func namesOf(schema *arrow.Schema, columns []int) (names []string) {
	for _, i := range columns {
		names = append(names, schema.Field(i).Name)
	}
	return names
}

// describeSchema lists columns with their types, for a person.
func describeSchema(schema *arrow.Schema) string {
	const most = 30
	var parts []string
	for i, f := range schema.Fields() {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", schema.NumFields()-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%s (%v)", f.Name, f.Type))
	}
	if len(parts) == 0 {
		return "no columns"
	}
	return strings.Join(parts, ", ")
}

// look finds where in the column the images are.
func (p *tablePlan) look(f arrow.Field) error {
	st, ok := storage(f.Type).(*arrow.StructType)
	switch {
	case ok:
		p.bytes, p.path = childOf(st, "bytes", holdsBytes), childOf(st, "path", holdsText)
		if p.bytes < 0 && p.path < 0 {
			return fmt.Errorf("column %q is of type %v: a struct of images has a field bytes (binary) or path (string)", f.Name, f.Type)
		}
	case holdsText(f.Type):
		p.isPath = true
	case !holdsBytes(f.Type):
		return fmt.Errorf("column %q is of type %v: images are binary, or strings with their paths, or structs of bytes and path", f.Name, f.Type)
	}
	return nil
}

func childOf(st *arrow.StructType, name string, fits func(arrow.DataType) bool) int {
	i, ok := st.FieldIdx(name)
	if !ok || !fits(st.Field(i).Type) {
		return -1
	}
	return i
}

// storage is a type without the names that others have given it.
func storage(t arrow.DataType) arrow.DataType {
	for {
		ext, ok := t.(arrow.ExtensionType)
		if !ok {
			return t
		}
		t = ext.StorageType()
	}
}

func holdsBytes(t arrow.DataType) bool {
	switch t := storage(t).(type) {
	case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BinaryViewType:
		return true
	case *arrow.DictionaryType:
		return holdsBytes(t.ValueType)
	case *arrow.StructType:
		i, ok := t.FieldIdx("bytes")
		return ok && holdsBytes(t.Field(i).Type)
	}
	return false
}

func holdsText(t arrow.DataType) bool {
	switch t := storage(t).(type) {
	case *arrow.StringType, *arrow.LargeStringType, *arrow.StringViewType:
		return true
	case *arrow.DictionaryType:
		return holdsText(t.ValueType)
	}
	return false
}

func canBeID(t arrow.DataType) bool {
	t = storage(t)
	if d, ok := t.(*arrow.DictionaryType); ok {
		t = d.ValueType
	}
	return !arrow.IsNested(t.ID()) && !arrow.IsFloating(t.ID()) && t.ID() != arrow.NULL
}

// own are the numbers of the columns that "all columns" leaves out: the output has them in another shape.
func (p *tablePlan) own() []int { return []int{p.image, p.id} }

// keptColumns are the numbers of the kept columns in this table; -1 where it has none of that name.
func (p *tablePlan) keptColumns(kept *Kept) []int {
	var out []int
	for _, f := range kept.columns() {
		out = append(out, slices.Index(p.names, f.Name))
	}
	return out
}

// columns are the numbers of all columns that are read, in their order.
func (p *tablePlan) columns(kept []int) []int {
	var out []int
	for _, c := range append([]int{p.image, p.id}, kept...) {
		if c >= 0 {
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// getter gives the rows of a part. The data of its items lies in the part's memory.
type getter struct {
	ctx                context.Context
	plan               *tablePlan
	image, bytes, path arrow.Array
	ids                arrow.Array // nil: none
	kept               []arrow.Array
}

// getter takes the columns as they were read, in the order of tablePlan.columns.
func (p *tablePlan) getter(ctx context.Context, cols []arrow.Array, kept []int) getter {
	read := p.columns(kept)
	column := func(c int) arrow.Array {
		if c < 0 {
			return nil
		}
		return cols[slices.Index(read, c)]
	}
	g := getter{ctx: ctx, plan: p, image: plain(column(p.image)), ids: column(p.id)}
	for _, c := range kept {
		g.kept = append(g.kept, column(c))
	}
	switch st, ok := g.image.(*array.Struct); {
	case ok:
		g.bytes, g.path = child(st, "bytes", p.bytes), child(st, "path", p.path)
	case p.isPath:
		g.path = g.image
	default:
		g.bytes = g.image
	}
	return g
}

// plain is an array without the name of an extension type.
func plain(a arrow.Array) arrow.Array {
	for {
		ext, ok := a.(array.ExtensionArray)
		if !ok {
			return a
		}
		a = ext.Storage()
	}
}

// child is the field of a struct by its name: a reader may have left out others.
func child(st *array.Struct, name string, number int) arrow.Array {
	i, ok := st.DataType().(*arrow.StructType).FieldIdx(name)
	if number < 0 || !ok {
		return nil
	}
	return plain(st.Field(i))
}

// errNoImage is the error of a row without one.
var errNoImage = errors.New("no image: the column is null here")

// item is row i, without its number and tag.
func (g *getter) item(i int) imgvec.Item {
	item := imgvec.Item{}
	if g.ids != nil && g.ids.IsValid(i) {
		item.ID = idText(g.ids, i)
	}
	if g.image.IsValid(i) {
		if data, ok := bytesAt(g.bytes, i); ok {
			item.Data = data
			return item
		}
		if name, ok := bytesAt(g.path, i); ok && len(name) > 0 {
			item.Open = g.beside(string(name)).Open
			return item
		}
	}
	item.Open = func() (io.ReadCloser, error) { return nil, errNoImage }
	return item
}

// bytesAt is the value of row i; it is not nil where ok.
func bytesAt(a arrow.Array, i int) (v []byte, ok bool) {
	if a == nil || a.IsNull(i) {
		return nil, false
	}
	switch a := a.(type) {
	case *array.Binary:
		v = a.Value(i)
	case *array.LargeBinary:
		v = a.Value(i)
	case *array.BinaryView:
		v = a.Value(i)
	case *array.String:
		v = []byte(a.Value(i))
	case *array.LargeString:
		v = []byte(a.Value(i))
	case *array.StringView:
		v = []byte(a.Value(i))
	case *array.Dictionary:
		return bytesAt(a.Dictionary(), a.GetValueIndex(i))
	default:
		return nil, false
	}
	if v == nil {
		v = []byte{}
	}
	return v, true
}

// idText is an id in the words of its type.
func idText(a arrow.Array, i int) string {
	if v, ok := bytesAt(a, i); ok {
		return EscapeName(string(v))
	}
	return EscapeName(a.ValueStr(i))
}

// beside is the item of a path that stands in the file: absolute, a URL, or from the file's folder.
func (g *getter) beside(name string) imgvec.Item {
	file := g.plan.file
	switch {
	case IsURL(name):
		if g.plan.objects == nil {
			return brokenItem(name, fmt.Errorf("a URL, and no store was given that could read it: %s", EscapeName(name)))
		}
		return objectItem(g.ctx, g.plan.objects, name)
	case file.objects != nil:
		base, query := splitURL(file.name)
		return objectItem(g.ctx, file.objects, base[:strings.LastIndexByte(base, '/')+1]+path.Clean(name)+query)
	case filepath.IsAbs(name):
		return fileItem(name)
	}
	return fileItem(filepath.Join(filepath.Dir(file.name), name))
}
