package checkpoint

import "fmt"

// storageClass stands for torch.FloatStorage and its like.
type storageClass DType

var storageClasses = map[string]DType{
	"DoubleStorage": F64, "FloatStorage": F32, "HalfStorage": F16, "BFloat16Storage": BF16,
	"LongStorage": I64, "IntStorage": I32, "ShortStorage": I16, "CharStorage": I8, "ByteStorage": U8, "BoolStorage": Bool,
}

// global is the whole list of what a pickle may name, with that of inert.go. None of it runs anything: it makes tensors'
// descriptions, ordered maps, and objects that are only kept.
func (m *machine) global(module, name string) (any, error) {
	switch module + "." + name {
	case "collections.OrderedDict":
		return builder(m.orderedDict), nil
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		return builder(rebuildTensor), nil
	case "torch._utils._rebuild_parameter":
		return builder(rebuildParameter), nil
	}
	if dtype, ok := storageClasses[name]; ok && module == "torch" {
		return storageClass(dtype), nil
	}
	if c, ok := inertGlobal(module+"."+name, m.script); ok {
		return c, nil
	}
	return nil, fmt.Errorf("pickle: it asks for %s.%s, which is no part of a plain state dict, and is refused (nothing was executed); "+
		"save the weights alone with torch.save(model.state_dict(), ...) or as .safetensors", module, name)
}

func (m *machine) object(op byte) error {
	switch op {
	case 'c':
		return m.globalLine()
	case 0x93:
		return m.globalStack()
	case 'R':
		return m.reduce()
	case 0x81:
		return m.newObject()
	case 'b':
		return m.build()
	}
	return m.persistent()
}

func (m *machine) globalLine() error {
	module, err := m.src.line()
	if err != nil {
		return err
	}
	name, err := m.src.line()
	if err != nil {
		return err
	}
	v, err := m.global(module, name)
	m.push(v)
	return err
}

func (m *machine) globalStack() error {
	pair, err := m.popN(2)
	if err != nil {
		return err
	}
	module, ok1 := pair[0].(string)
	name, ok2 := pair[1].(string)
	if !ok1 || !ok2 {
		return fmt.Errorf("pickle: a global's name is a %T", pair[0])
	}
	v, err := m.global(module, name)
	m.push(v)
	return err
}

func (m *machine) reduce() error {
	pair, err := m.popN(2)
	if err != nil {
		return err
	}
	args, ok2 := pair[1].(tuple)
	if c, ok := pair[0].(class); ok && ok2 {
		m.push(&object{class: c})
		return nil
	}
	call, ok1 := pair[0].(builder)
	if !ok1 || !ok2 {
		return fmt.Errorf("pickle: can't call a %T with a %T", pair[0], pair[1])
	}
	v, err := call(args)
	m.push(v)
	return err
}

// build sets an object's attributes. A state dict carries _metadata that way, which is dropped.
func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	target, err := m.top()
	if err != nil {
		return err
	}
	switch t := target.(type) {
	case *dict:
	case *object:
		t.attrs, _ = state.(*dict)
	default:
		return fmt.Errorf("pickle: can't set attributes of a %T", target)
	}
	return nil
}

func (m *machine) persistent() error {
	v, err := m.pop()
	if err != nil {
		return err
	}
	id, ok := v.(tuple)
	if !ok || m.persist == nil {
		return fmt.Errorf("pickle: a persistent id that is a %T", v)
	}
	v, err = m.persist(id)
	m.push(v)
	return err
}

// orderedDict is OrderedDict() or OrderedDict([[key, value], ...]).
func (m *machine) orderedDict(args tuple) (any, error) {
	d := &dict{}
	if len(args) == 0 {
		return d, nil
	}
	pairs, ok := args[0].(*list)
	if !ok || len(args) > 1 {
		return nil, fmt.Errorf("pickle: OrderedDict of a %T", args[0])
	}
	if err := m.spend(2 * len(pairs.items)); err != nil {
		return nil, err
	}
	for _, item := range pairs.items {
		pair, ok := item.(tuple)
		if l, isList := item.(*list); isList {
			pair, ok = l.items, true
		}
		if !ok || len(pair) != 2 {
			return nil, fmt.Errorf("pickle: OrderedDict of a list of %T", item)
		}
		d.keys, d.values = append(d.keys, pair[0]), append(d.values, pair[1])
	}
	return d, nil
}

// rebuildTensor is torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks, ...).
func rebuildTensor(args tuple) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("pickle: a tensor of %d arguments", len(args))
	}
	s, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int64)
	shape, ok3 := ints(args[2])
	stride, ok4 := ints(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || len(shape) != len(stride) {
		return nil, fmt.Errorf("pickle: a tensor of (%T, %T, %T, %T)", args[0], args[1], args[2], args[3])
	}
	return &Tensor{Shape: shape, DType: s.dtype, storage: s, offset: offset, stride: stride}, nil
}

// rebuildParameter is torch._utils._rebuild_parameter(data, requires_grad, backward_hooks).
func rebuildParameter(args tuple) (any, error) {
	if len(args) > 0 {
		if t, ok := args[0].(*Tensor); ok {
			return t, nil
		}
	}
	return nil, fmt.Errorf("pickle: a parameter without a tensor")
}

func ints(v any) ([]int64, bool) {
	items, ok := v.(tuple)
	if l, isList := v.(*list); isList {
		items, ok = l.items, true
	}
	if !ok || len(items) > 16 {
		return nil, false
	}
	out := make([]int64, len(items))
	for i, item := range items {
		if out[i], ok = item.(int64); !ok {
			return nil, false
		}
	}
	return out, true
}
