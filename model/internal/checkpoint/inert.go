package checkpoint

import (
	"errors"
	"fmt"
	"strings"
)

// class stands for a type whose objects are no weights, and are kept as the data that they are: nothing of it is called.
type class string

// object is one of them. What a TorchScript module holds is in attrs.
type object struct {
	class class
	attrs *dict // nil: none were set
}

// inert are the types that training scripts and torch.save put beside weights: the arguments of the command, numbers of
// numpy, sizes, devices, element types.
var inert = map[string]bool{
	"argparse.Namespace": true, "types.SimpleNamespace": true, "collections.Counter": true,
	"numpy.core.multiarray.scalar": true, "numpy._core.multiarray.scalar": true, "numpy.dtype": true, "_codecs.encode": true,
	"torch.Size": true, "torch.device": true, "torch.float32": true, "torch.float16": true, "torch.bfloat16": true, "torch.float64": true,
	"torch.int64": true, "pathlib.PosixPath": true, "pathlib._local.PosixPath": true, "datetime.datetime": true,
}

// scriptPrefix begins the types of a TorchScript archive: modules, which hold their tensors as attributes.
const scriptPrefix = "__torch__"

// scriptHelpers are functions that TorchScript marks lists and types with.
var scriptHelpers = map[string]bool{
	"torch.jit._pickle.build_intlist": true, "torch.jit._pickle.build_doublelist": true, "torch.jit._pickle.build_boollist": true,
	"torch.jit._pickle.build_tensorlist": true, "torch.jit._pickle.restore_type_tag": true,
}

// inertGlobal finds a type of this file; script says that the pickle is of a TorchScript archive.
func inertGlobal(name string, script bool) (class, bool) {
	ok := inert[name] || script && (scriptHelpers[name] || strings.HasPrefix(name, scriptPrefix+"."))
	return class(name), ok
}

// newObject is NEWOBJ: an object of a class, and no call.
func (m *machine) newObject() error {
	pair, err := m.popN(2)
	if err != nil {
		return err
	}
	c, ok1 := pair[0].(class)
	_, ok2 := pair[1].(tuple)
	if !ok1 || !ok2 {
		return fmt.Errorf("pickle: can't make an object of a %T", pair[0])
	}
	m.push(&object{class: c})
	return nil
}

// Limits of the modules in a TorchScript archive.
const (
	maxModuleDepth = 64
	maxAttributes  = 1 << 20
)

// flatten gives the tensors of a TorchScript module the names that its state dict has.
func (o *object) flatten() (*dict, error) {
	flat, left := &dict{}, maxAttributes
	err := o.walk("", 0, &left, func(name string, t *Tensor) {
		flat.keys, flat.values = append(flat.keys, any(name)), append(flat.values, any(t))
	})
	return flat, err
}

func (o *object) walk(prefix string, depth int, left *int, found func(string, *Tensor)) error {
	if o.attrs == nil {
		return nil
	}
	if *left -= len(o.attrs.keys) + 1; *left < 0 || depth > maxModuleDepth {
		return errors.New("TorchScript: more modules than a model has")
	}
	for i, key := range o.attrs.keys {
		name, ok := key.(string)
		if !ok {
			continue
		}
		switch v := o.attrs.values[i].(type) {
		case *Tensor:
			found(prefix+name, v)
		case *object:
			if err := v.walk(prefix+name+".", depth+1, left, found); err != nil {
				return err
			}
		}
	}
	return nil
}
