package graph

import "strings"

// dense is a linear layer as PyTorch keeps it: weight [out, in], bias [out]. Both are nil where the checkpoint lacked
// something, which the loader reports at the end.
type dense struct {
	weight, bias []float32
	out, in      int64
}

// dense reads a linear layer that the checkpoint keeps under one name, or in equal parts under several joined by "+".
func (v *vit) dense(stems string, out, in int64, bias bool) dense {
	parts := strings.Split(stems, "+")
	rows := out / int64(len(parts))
	d := dense{out: out, in: in}
	for i, stem := range parts {
		weight, added := v.load(stem+"weight", rows, in), make([]float32, rows)
		if bias {
			added = v.load(stem+"bias", rows)
		}
		if i == 0 {
			d.weight, d.bias = weight, added
		} else {
			d.weight, d.bias = append(d.weight, weight...), append(d.bias, added...)
		}
	}
	return d
}

// rows is a part of a layer's outputs; it shares the memory.
func (d dense) rows(from, to int64) dense {
	part := dense{out: to - from, in: d.in}
	if int64(len(d.weight)) == d.out*d.in && int64(len(d.bias)) == d.out {
		part.weight, part.bias = d.weight[from*d.in:to*d.in], d.bias[from:to]
	}
	return part
}

// scale multiplies a layer's outputs in place, each by its own factor or all by one.
func (d dense) scale(factors ...float64) {
	for o := range d.bias {
		f := factors[min(o, len(factors)-1)]
		d.bias[o] = float32(float64(d.bias[o]) * f)
		if len(d.weight) == 0 {
			continue
		}
		row := d.weight[int64(o)*d.in : int64(o+1)*d.in]
		for i, w := range row {
			row[i] = float32(float64(w) * f)
		}
	}
}

// layerScale folds a layer scale into the layer before it.
func (v *vit) layerScale(d dense, name string) dense {
	if !v.s.scaled {
		return d
	}
	gamma := v.load(name, d.out)
	if v.failed() {
		return d
	}
	factors := make([]float64, len(gamma))
	for i, g := range gamma {
		factors[i] = float64(g)
	}
	d.scale(factors...)
	return d
}

// linear adds x [..., in] -> [..., out] + bias, as a MatMul with the weight transposed.
func (v *vit) linear(x, name string, d dense) string {
	weight := v.Weights(name+".weight", d.transposed(), d.in, d.out)
	x = v.Node("MatMul", name+".product", []string{x, weight})
	return v.Node("Add", name, []string{x, v.Weights(name+".bias", d.bias, d.out)})
}

func (d dense) transposed() []float32 {
	if len(d.weight) == 0 {
		return nil
	}
	t := make([]float32, len(d.weight))
	const tile = 32 // rows and columns at a time, for the caches
	for o := int64(0); o < d.out; o += tile {
		for i := int64(0); i < d.in; i += tile {
			for p := o; p < min(o+tile, d.out); p++ {
				for q := i; q < min(i+tile, d.in); q++ {
					t[q*d.out+p] = d.weight[p*d.in+q]
				}
			}
		}
	}
	return t
}
