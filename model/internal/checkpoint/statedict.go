package checkpoint

import (
	"fmt"
	"strings"
)

// stateDictKeys are where training scripts keep the state dict beside an optimizer and an epoch number. Averaged weights
// come first, as in timm: they are what such a script evaluates and publishes.
var stateDictKeys = []string{"state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model_state_dict", "model", "module", "net", "network"}

// stateDict finds the tensors in what a pickle made: a dict of tensors, or a dict that holds one.
func (f *File) stateDict(root any) error {
	d, ok := root.(*dict)
	if !ok {
		return fmt.Errorf("it holds a %T, not a state dict", root)
	}
	if !d.hasTensors() {
		inner, part, err := d.inner()
		if err != nil {
			return err
		}
		d, f.Part = inner, part
	}
	for i, key := range d.keys {
		t, ok := d.values[i].(*Tensor)
		name, named := key.(string)
		if !ok || !named || name == "n_averaged" {
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

// inner finds the state dict in a training checkpoint. part names it where there was a choice.
func (d *dict) inner() (found *dict, part string, err error) {
	for _, want := range stateDictKeys {
		for i, key := range d.keys {
			inner, ok := d.values[i].(*dict)
			switch {
			case key != any(want) || !ok || !inner.hasTensors():
			case found == nil:
				found, part = inner, want
			case inner != found:
				return found, part, nil
			}
		}
	}
	if found != nil {
		return found, "", nil
	}
	var keys []string
	for _, key := range d.keys[:min(len(d.keys), 20)] {
		keys = append(keys, short(key))
	}
	return nil, "", fmt.Errorf("no state dict found; at the top are: %s", strings.Join(keys, ", "))
}

// short shows a value of a pickle. What holds other values is shown by its type alone: it may hold itself, or be a
// million deep.
func short(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%.40s", v)
	case int64, float64, bool, nil:
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("a %T", v)
}
