package scene

// field is value noise: random heights on a lattice, smoothly interpolated, summed over octaves. Heights are 0..65535.
type field struct {
	seed    uint32
	octaves int
	shift   int32 // log2 of the coarsest octave's period in pixels; at least 1
	stretch int32 // how much finer it is across than along, for bark, water and cloth: 1 for none
}

// hash mixes a lattice point into 16 random bits.
func hash(seed uint32, x, y int32) int64 {
	h := seed ^ uint32(x)*0x9e3779b1 ^ uint32(y)*0x85ebca77
	h = (h ^ h>>15) * 0x2c1b3c6d
	h = (h ^ h>>12) * 0x297a2d39
	return int64((h ^ h>>15) & 0xffff)
}

// smooth is 3t²-2t³ on 0..65536.
func smooth(t int64) int64 {
	squared := t * t >> 16
	return squared * (3<<16 - 2*t) >> 16
}

// octave is one lattice of 1<<shift pixels at (x, y), 0..65535.
func octave(seed uint32, shift, x, y int32) int64 {
	xi, yi := x>>shift, y>>shift
	inside := int32(1)<<shift - 1
	tx := smooth(int64(x&inside) << 16 >> shift)
	ty := smooth(int64(y&inside) << 16 >> shift)
	top := mix(hash(seed, xi, yi), hash(seed, xi+1, yi), tx)
	bottom := mix(hash(seed, xi, yi+1), hash(seed, xi+1, yi+1), tx)
	return mix(top, bottom, ty)
}

// at sums the octaves, each of half the height of the one before.
func (f field) at(x, y int32) int64 {
	if f.stretch > 1 {
		x *= f.stretch
	}
	sum, total, weight := int64(0), int64(0), int64(1<<12)
	for o := range min(f.octaves, int(f.shift)) {
		sum += weight * octave(f.seed+uint32(o)*0x632be5ab, f.shift-int32(o), x, y)
		total += weight
		weight /= 2
	}
	return sum / total
}

func floorDiv(a, b int32) int32 {
	q := a / b
	if a%b != 0 && a < 0 {
		q--
	}
	return q
}

// mix goes from a to b as t goes from 0 to 65536.
func mix(a, b, t int64) int64 { return a + (b-a)*t>>16 }
