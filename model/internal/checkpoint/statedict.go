package checkpoint

import (
	"fmt"
	"strings"
)

// stateDictKeys are where training scripts keep the state dict beside an optimizer and an epoch number.
var stateDictKeys = []string{"state_dict", "model_state_dict", "model", "module"}

// stateDict finds the tensors in what a pickle made: a dict of tensors, or a dict that holds one.
func (f *File) stateDict(root any) error {
	d, ok := root.(*dict)
	if !ok {
		return fmt.Errorf("it holds a %T, not a state dict", root)
	}
	if !d.hasTensors() {
		inner, err := d.inner()
		if err != nil {
			return err
		}
		d = inner
	}
	for i, key := range d.keys {
		t, ok := d.values[i].(*Tensor)
		name, named := key.(string)
		if !ok || !named {
			continue // a step counter or a list of layer names: not a weight
		}
		named1 := *t // a tensor that is tied to two names is described twice
		named1.Name = name
		if err := named1.place(); err != nil {
			return err
		}
		if err := f.add(&named1); err != nil {
			return err
		}
	}
	f.stripModule()
	return nil
}

func (d *dict) hasTensors() bool {
	for _, v := range d.values {
		if _, ok := v.(*Tensor); ok {
			return true
		}
	}
	return false
}

func (d *dict) inner() (*dict, error) {
	for _, want := range stateDictKeys {
		for i, key := range d.keys {
			if key != any(want) {
				continue
			}
			if inner, ok := d.values[i].(*dict); ok && inner.hasTensors() {
				return inner, nil
			}
		}
	}
	var keys []string
	for _, key := range d.keys[:min(len(d.keys), 20)] {
		keys = append(keys, fmt.Sprintf("%.40v", key))
	}
	return nil, fmt.Errorf("no state dict found; at the top are: %s", strings.Join(keys, ", "))
}
