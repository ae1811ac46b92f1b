package dataset

import (
	"cmp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Kept is the columns of tables and archives that go on to the output beside a row's features, with their types. It
// comes from Source.Kept and goes into WriterOptions; rows bring their values in Result.Tag. A nil Kept has no columns.
type Kept struct{ fields []arrow.Field }

// Names are the columns' names in their order.
func (k *Kept) Names() []string {
	var names []string
	for _, f := range k.columns() {
		names = append(names, f.Name)
	}
	return names
}

func (k *Kept) columns() []arrow.Field {
	if k == nil {
		return nil
	}
	return k.fields
}

// ownColumns are the names that an output's own columns have, in one format or another.
var ownColumns = []string{"id", "features", "error", "width", "height", "random_weights"}

// everyColumn is the --keep-columns that stands for all of a table.
const everyColumn = "*"

// checkKeep refuses names that can't be kept, whatever the tables hold.
func checkKeep(names []string) error {
	for i, name := range names {
		switch {
		case name == "":
			return usagef("imgvec: a column to keep has no name: write a,b without an empty one between")
		case slices.Contains(ownColumns, name):
			return clash(name)
		case slices.Contains(names[:i], name):
			return usagef("imgvec: column %q is to be kept twice", name)
		}
	}
	return nil
}

func clash(name string) error {
	return usagef("imgvec: column %q can't be kept: the output has a column of its own with this name (%s); name the columns to keep without it",
		name, strings.Join(ownColumns[:5], ", "))
}

// keeping collects the columns to keep from one table after the other.
type keeping struct {
	names  []string // as the caller gave them; everyColumn alone for all
	fields []arrow.Field
	from   []string // the file that each field was first seen in

	columns string // of a table, for a person who has named one that is not there
}

func (k *keeping) all() bool { return len(k.names) == 1 && k.names[0] == everyColumn }

// add takes in the columns of a table, without those that the output has anyway.
func (k *keeping) add(file string, schema *arrow.Schema, without []int) error {
	for i, f := range schema.Fields() {
		if k.all() && slices.Contains(without, i) || !k.all() && !slices.Contains(k.names, f.Name) {
			continue
		}
		if slices.Contains(ownColumns, f.Name) {
			return clash(f.Name)
		}
		if err := k.field(file, f); err != nil {
			return err
		}
	}
	return nil
}

// textMembers are the extensions of archive members that hold text; the others are kept as bytes.
var textMembers = []string{"txt", "text", "caption", "transcript", "cls", "cls2", "id", "inx", "index", "count", "url", "json", "jsn", "jsonl", "csv", "tsv", "xml", "html"}

// members takes in the columns that archives have: those that were named.
func (k *keeping) members(file string) error {
	if k.all() {
		return nil
	}
	for _, name := range k.names {
		f := arrow.Field{Name: name, Type: arrow.BinaryTypes.Binary}
		if slices.Contains(textMembers, name[strings.LastIndexByte(name, '.')+1:]) {
			f.Type = arrow.BinaryTypes.String
		}
		if i := slices.IndexFunc(k.fields, func(have arrow.Field) bool { return have.Name == name }); i >= 0 && !arrow.TypeEqual(k.fields[i].Type, f.Type) {
			continue // a table has it; archives have none of that name
		}
		if err := k.field(file, f); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeping) field(file string, f arrow.Field) error {
	i := slices.IndexFunc(k.fields, func(have arrow.Field) bool { return have.Name == f.Name })
	if i < 0 {
		if width := widest(f.Type); width > maxKeptWidth {
			return usagef("imgvec: column %q of %s can't be kept: each of its values takes %d bytes, also where it is null", f.Name, file, width)
		}
		k.fields = append(k.fields, arrow.Field{Name: f.Name, Type: f.Type, Nullable: true, Metadata: keptMetadata(f.Metadata)})
		k.from = append(k.from, file)
		return nil
	}
	if have := k.fields[i].Type; !arrow.TypeEqual(have, f.Type) {
		return usagef("imgvec: column %q is of type %v in %s and of type %v in %s: it can't be kept; make the types equal, or give the files to two runs",
			f.Name, have, k.from[i], f.Type, file)
	}
	return nil
}

// keptMetadata drops what describes the place of a column in its old file.
func keptMetadata(m arrow.Metadata) arrow.Metadata {
	var keys, values []string
	for i, key := range m.Keys() {
		if key != "PARQUET:field_id" {
			keys, values = append(keys, key), append(values, m.Values()[i])
		}
	}
	return arrow.NewMetadata(keys, values)
}

// finish orders the columns as the caller named them, and tells where one is in no table.
func (k *keeping) finish() (*Kept, error) {
	if k.all() {
		return &Kept{k.fields}, nil
	}
	kept := &Kept{}
	for _, name := range k.names {
		i := slices.IndexFunc(k.fields, func(f arrow.Field) bool { return f.Name == name })
		if i < 0 {
			return nil, usagef("imgvec: column %q is to be kept, and no input has it; there is %s", name, cmp.Or(k.columns, "no table"))
		}
		kept.fields = append(kept.fields, k.fields[i])
	}
	return kept, nil
}

// maxKeptWidth bounds values of fixed size, which take their place also where they are null.
const maxKeptWidth = 1 << 20

// widest is the number of bytes that a value takes whatever it is.
func widest(t arrow.DataType) int64 {
	switch t := storage(t).(type) {
	case *arrow.FixedSizeBinaryType:
		return int64(t.ByteWidth)
	case *arrow.FixedSizeListType:
		return int64(t.Len()) * max(1, widest(t.Elem()))
	case *arrow.StructType:
		total := int64(0)
		for _, f := range t.Fields() {
			total += widest(f.Type)
		}
		return total
	}
	return 8
}
