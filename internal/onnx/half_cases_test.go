package onnx

import "math"

// HalfCases are graphs that each hold something special for a conversion to float16.
func HalfCases() []HalfCase {
	list := []HalfCase{
		{Name: "plain", File: newSketch(13).conv("c").node("Relu", "r", "").pooled(4), Casts: 1},
		{Name: "long name of the domain", File: newSketch(13).conv("c").node("ai.onnx:Relu", "r", "").pooled(4), Casts: 1},
		{Name: "IR 3, weights declared", File: oldFile(), Casts: 1},
		{Name: "If", File: branches("c"), Kept: "1 If", Casts: 3},
		{Name: "Loop", File: loop(), Kept: "1 Loop", Casts: 3},
		{Name: "transformer", File: transformer(), Dim: 8, Kept: "6 ReduceMean, 3 Sub, 3 Pow, 3 Add, 3 Sqrt, 3 Div", Casts: 8},
		{Name: "two outputs", File: twoOutputs(), Casts: 2},
		{Name: "stored int8", File: storedInt8(), Casts: 2},
		{Name: "float16 in the middle", File: newSketch(13).conv("c").node("Cast", "h", "", castTo(Float16)).node("Relu", "r", "").
			node("Cast", "f", "", castTo(Float)).node("Neg", "n", "").pooled(4), Casts: 3},
	}
	list = append(list, varianceCases()...)
	list = append(list, constantCases()...)
	list = append(list, operationCases()...)
	list = append(list, inputCases()...)
	for i := range list {
		if list[i].Dim == 0 {
			list[i].Dim = 4
		}
		if list[i].Elem == 0 {
			list[i].Elem = Float
		}
	}
	return list
}

func castTo(e Elem) []byte { return Int("to", int64(e)).proto() }

func varianceCases() []HalfCase {
	return []HalfCase{
		{Name: "variance", File: variance(""), Dim: 192, Casts: 3, Kept: "2 ReduceMean, 1 Sub, 1 Pow, 1 Add, 1 Sqrt, 1 Div"},
		{Name: "variance, product", File: variance("Mul"), Dim: 192, Casts: 3, Kept: "2 ReduceMean, 1 Sub, 1 Mul, 1 Add, 1 Sqrt, 1 Div"},
		{Name: "variance, two Subs", File: variance("two Subs"), Dim: 192, Casts: 3, Kept: "2 ReduceMean, 2 Sub, 1 Pow, 1 Add, 1 Sqrt, 1 Div"},
		{Name: "variance, Reciprocal", File: variance("Reciprocal"), Dim: 192, Casts: 3, Kept: "2 ReduceMean, 1 Sub, 1 Pow, 1 Add, 1 Sqrt, 1 Reciprocal, 1 Mul"},
		{Name: "variance, Pow as root", File: variance("Pow"), Dim: 192, Casts: 3, Kept: "2 ReduceMean, 1 Sub, 2 Pow, 1 Add, 1 Div"},
	}
}

func constantCases() []HalfCase {
	conv := func() *sketch { return newSketch(13).conv("c") }
	tensor := tensorAttr("value", rawTensor("", Float, floatBytes(0.1, 0.2, 0.3, 0.4), 1, 4, 1, 1))
	list := attribute("value_floats", 6, appendMessage(nil, attrFloats, floatBytes(0.7)))
	return []HalfCase{
		{Name: "Constant nodes", Casts: 1, File: conv().source("Constant", "t", tensor).source("Constant", "l", list).
			source("Constant", "f", floatAttr("value_float", 1.3)).node("Mul", "m", " t").node("Add", "a", " f").node("Sub", "s", " l").pooled(4)},
		{Name: "shared weights", Kept: "1 Pow", Casts: 3, File: conv().floats("k", scalar(), 1.5).
			node("Abs", "a", "").node("Pow", "p", "a k").node("Mul", "m", "a k").node("Add", "s", "p m").pooled(4)},
		{Name: "shared Constant", Kept: "1 Pow", Casts: 3, File: conv().source("Constant", "k", floatAttr("value_float", 1.5)).
			node("Abs", "a", "").node("Pow", "p", "a k").node("Mul", "m", "a k").node("Add", "s", "p m").pooled(4)},
		{Name: "large", Kept: "1 Div, 1 Mul", Casts: 3, File: conv().floats("k", scalar(), 70000).node("Div", "d", " k").node("Mul", "m", " k").pooled(4)},
		{Name: "small", Kept: "1 Mul", Casts: 3, File: conv().floats("k", scalar(), 6e-5).floats("k2", scalar(), 16000).node("Mul", "m", " k2").node("Mul", "m2", " k").pooled(4)},
		{Name: "small bias", Casts: 1, File: newSketch(13).floats("w", []int64{4, 3, 1, 1}).floats("b", []int64{4}, 1e-7, 1e-7, 1e-7, 1e-7).
			node("Conv", "c", " w b").pooled(4)},
		{Name: "Clip to float32's end", Casts: 1, File: conv().floats("zero", scalar(), 0).floats("end", scalar(), math.MaxFloat32).node("Clip", "r", " zero end").pooled(4)},
		{Name: "Clip of old operators", Kept: "1 Clip", Casts: 3, File: newSketch(10).conv("c").node("Clip", "r", "", floatAttr("min", 0), floatAttr("max", 6)).pooled(4)},
		{Name: "Where with a mask", Kept: "1 Greater", Casts: 2, File: conv().floats("zero", scalar(), 0).floats("low", scalar(), -math.MaxFloat32).floats("one", scalar(), 0).
			node("Greater", "g", " zero").node("Where", "x", "g c low").node("Max", "m", " one").pooled(4)},
		{Name: "made of constants", Casts: 2, File: conv().floats("u", []int64{4, 1}).int64s("shape", 1, 4, 1, 1).node("Exp", "e", "u").
			node("Reshape", "r", " shape").node("Mul", "m", "c r").pooled(4)},
		{Name: "ConstantOfShape", Casts: 2, File: conv().node("Shape", "s", "").
			node("ConstantOfShape", "k", "", tensorAttr("value", rawTensor("", Float, floatBytes(0.1), 1))).node("Add", "a", "c k").pooled(4)},
		{Name: "names that are taken", Casts: 1, File: newSketch(13).conv("c").node("Relu", "c_f16", "").node("Neg", "n_f16_3", "").node("Abs", "image_f32", "").pooled(4)},
	}
}

func operationCases() []HalfCase {
	conv := func(opset uint64, others ...string) *sketch { return newSketch(opset, others...).conv("c") }
	any4 := Batched(4, 8, 8)
	return []HalfCase{
		{Name: "Resize", Casts: 1, File: conv(13).floats("scales", []int64{4}, 1, 1, 2, 2).node("Resize", "r", " - scales", stringAttr("mode", "linear")).pooled(4)},
		{Name: "Resize, counted", Casts: 3, File: counting()},
		{Name: "Upsample", Casts: 1, File: conv(9).floats("scales", []int64{4}, 1, 1, 2, 2).node("Upsample", "r", " scales").pooled(4)},
		{Name: "MaxPool and Split", Casts: 1, File: conv(11).node("MaxPool", "p at", "", Ints("kernel_shape", 2, 2).proto()).
			node("Split", "a b", "", Int("axis", 1).proto()).node("Concat", "ab", "b a", Int("axis", 1).proto()).pooled(4)},
		{Name: "MaxPool's places", Casts: 3, File: conv(11).floats("k", scalar(), 0.01).node("MaxPool", "p at", "", Ints("kernel_shape", 2, 2).proto()).
			node("Cast", "at.f", "at", castTo(Float)).node("Mul", "m", " k").node("Add", "a", "p m").pooled(4)},
		{Name: "LayerNormalization", Casts: 1, File: conv(17).floats("g", []int64{8}).
			node("LayerNormalization", "ln mean inv", " g").pooled(4)},
		{Name: "BatchNormalization", Casts: 1, File: conv(15).floats("g", []int64{4}).floats("bb", []int64{4}).floats("var", []int64{4}, 1, 2, 3, 4).
			node("BatchNormalization", "bn", " g bb bb var").pooled(4)},
		{Name: "norm", Kept: "1 ReduceL2", Casts: 3, File: conv(13).node("ReduceL2", "l2", "", Ints("axes", 1).proto()).node("Div", "d", "c l2").pooled(4)},
		{Name: "softmax", Casts: 1, File: conv(13).node("Softmax", "s", "", Int("axis", 1).proto()).pooled(4)},
		{Name: "Pow in opset 7", Kept: "1 Pow", Casts: 3, File: conv(7).floats("two", scalar(), 2).node("Pow", "p", " two").pooled(4)},
		{Name: "Hardmax", Kept: "1 Hardmax", Casts: 3, File: conv(13).node("Hardmax", "h", "", Int("axis", 1).proto()).info("h", Float, any4).pooled(4)},
		{Name: "foreign", Kept: "1 Gelu", Casts: 3, File: conv(13, "com.microsoft").node("com.microsoft:Gelu", "g", "").info("g", Float, any4).pooled(4)},
		{Name: "foreign of unknown type", Kept: "1 Gelu, 1 Relu, 1 GlobalAveragePool, 1 Flatten", Casts: 1, File: conv(13, "com.microsoft").
			node("com.microsoft:Gelu", "g", "").node("Relu", "r", "").pooled(4)},
		{Name: "moved in between", Kept: "1 Gelu, 1 Transpose, 1 Exp", Casts: 3, File: conv(13, "com.microsoft").
			node("com.microsoft:Gelu", "g", "").info("g", Float, any4).node("Transpose", "t", "", Ints("perm", 0, 1, 3, 2).proto()).node("Exp", "p", "").pooled(4)},
		{Name: "declared inside", Casts: 1, File: conv(13).info("c", Float, any4).info("r", Float, []Dim{{Name: "N"}, {Size: 4}, {}, {}}).node("Relu", "r", "").pooled(4)},
	}
}

func inputCases() []HalfCase {
	bytes := newSketch(13).floats("k", scalar(), 1./255).node("Cast", "f", "", castTo(Float)).node("Mul", "m", " k")
	bytes.floats("w", []int64{4, 3, 1, 1}).node("Conv", "c", " w").node("GlobalAveragePool", "p", "").node("Flatten", "features", "")
	last := newSketch(13).node("Transpose", "t", "", Ints("perm", 0, 3, 1, 2).proto())
	last.floats("w", []int64{4, 3, 1, 1}).node("Conv", "c", " w").node("GlobalAveragePool", "p", "").node("Flatten", "features", "")
	return []HalfCase{
		{Name: "bytes", Elem: Uint8, Casts: 2, File: bytes.file(Uint8, Batched(3, 8, 8), 4)},
		{Name: "channels last", NHWC: true, Casts: 1, File: last.file(Float, Batched(8, 8, 3), 4)},
		{Name: "input used in both types", Kept: "1 Pow", Casts: 3, Dim: 3, File: newSketch(13).floats("two", scalar(), 2).
			node("Pow", "p", " two").node("Add", "a", "image p").pooled(3)},
	}
}

// loop adds 0.3 three times, with a weight from outside of its body.
func loop() []byte {
	body := &sketch{at: "v", ir: 8}
	body.graph.add(graphInput, valueInfo("i", Int64, []Dim{}))
	body.graph.add(graphInput, valueInfo("go", boolean, []Dim{}))
	body.graph.add(graphInput, valueInfo("v", Float, Batched(4, 8, 8)))
	body.node("Add", "v.out", "v k").node("Identity", "go.out", "go")
	body.graph.add(graphOutput, valueInfo("go.out", boolean, []Dim{}))
	body.graph.add(graphOutput, valueInfo("v.out", Float, Batched(4, 8, 8)))
	s := newSketch(13).conv("c").floats("k", scalar(), 0.3)
	s.graph.add(graphInitializer, rawTensor("times", Int64, []byte{3, 0, 0, 0, 0, 0, 0, 0}))
	s.graph.add(graphInitializer, rawTensor("yes", boolean, []byte{1}))
	s.node("Loop", "l", "times yes c", graphAttr("body", appendString(body.graph, graphName, "body")))
	return s.node("Mul", "m", " k").pooled(4)
}

// twoOutputs has one that another node takes.
func twoOutputs() []byte {
	s := newSketch(13).conv("c").node("GlobalAveragePool", "p", "").node("Flatten", "features", "").node("Neg", "minus", "")
	s.graph.add(graphOutput, valueInfo("minus", Float, Batched(4)))
	return s.file(Float, Batched(3, 8, 8), 4)
}

// storedInt8 has weights that are dequantised at every run.
func storedInt8() []byte {
	s := newSketch(13).floats("scale", scalar(), 0.01)
	s.graph.add(graphInitializer, rawTensor("q", Int8, []byte{1, 250, 30, 40, 50, 60, 200, 80, 90, 100, 110, 120}, 4, 3, 1, 1))
	return s.node("DequantizeLinear", "w", "q scale").node("Conv", "c", "image w").pooled(4)
}

// transformer is a small one as exporters write it: patches, a token of its own, one layer.
func transformer() []byte {
	s := newSketch(13).floats("p.w", []int64{8, 3, 4, 4}).floats("cls", []int64{1, 1, 8}).floats("pos", []int64{1, 5, 8})
	for _, name := range []string{"q", "k", "v"} {
		s.floats(name+".w", []int64{8, 8})
	}
	s.floats("up.w", []int64{8, 16}).floats("down.w", []int64{16, 8}).floats("eps", scalar(), 1e-6).floats("two", scalar(), 2)
	s.floats("one", scalar(), 1).floats("half", scalar(), 0.5).floats("root", scalar(), math.Sqrt2).floats("scale", scalar(), 0.35)
	s.int64s("patches", 0, 8, 4).int64s("zero", 0).int64s("1.8", 1, 8)
	s.node("Conv", "p", "image p.w", Ints("strides", 4, 4).proto()).node("Reshape", "p.r", " patches")
	s.node("Transpose", "p.t", "", Ints("perm", 0, 2, 1).proto())
	s.node("Shape", "n.s", "p.t").node("Gather", "n", " zero").node("Concat", "n.1.8", "n 1.8", Int("axis", 0).proto())
	s.node("Expand", "cls.n", "cls n.1.8").node("Concat", "tokens", "cls.n p.t", Int("axis", 1).proto()).node("Add", "x", " pos")
	s.layerNorm("a", "x").node("MatMul", "q", "a.n q.w").node("MatMul", "k", "a.n k.w").node("MatMul", "v", "a.n v.w")
	s.node("Transpose", "k.t", "k", Ints("perm", 0, 2, 1).proto()).node("MatMul", "qk", "q k.t").node("Mul", "qk.s", " scale")
	s.node("Softmax", "att", "", Int("axis", -1).proto()).node("MatMul", "av", " v").node("Add", "x2", "x av")
	s.layerNorm("b", "x2").node("MatMul", "up", "b.n up.w").node("Div", "g.1", " root").node("Erf", "g.2", "").node("Add", "g.3", " one")
	s.node("Mul", "g.4", " up").node("Mul", "g", " half").node("MatMul", "down", " down.w").node("Add", "x3", "x2 down")
	s.layerNorm("c", "x3").node("Gather", "first", "c.n zero", Int("axis", 1).proto()).node("Flatten", "features", "")
	return s.file(Float, Batched(3, 8, 8), 8)
}

func (s *sketch) layerNorm(name, of string) *sketch {
	last := Ints("axes", -1).proto()
	s.floats(name+".w", []int64{8}, 1, 1.1, 1.2, 1.3).floats(name+".b", []int64{8})
	s.node("ReduceMean", name+".m", of, last).node("Sub", name+".d", of+" "+name+".m").node("Pow", name+".2", " two")
	s.node("ReduceMean", name+".v", "", last).node("Add", name+".e", " eps").node("Sqrt", name+".s", "")
	return s.node("Div", name+".q", name+".d "+name+".s").node("Mul", name+".g", " "+name+".w").node("Add", name+".n", " "+name+".b")
}
