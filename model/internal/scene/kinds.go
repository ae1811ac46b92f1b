package scene

// landscape is a sky with clouds over ranges of hills, each darker and rougher than the one behind.
func landscape(d *dice, w, h int32) func(x, y int32) rgb {
	sky, haze := rgb{20000, 32000, 56000}, d.colour(45000, 62000)
	clouds := field{seed: d.seed, octaves: 6, shift: 7}
	ground := field{seed: d.seed + 1, octaves: 7, shift: 6}
	const ranges = 4
	var colours [ranges]rgb
	ridges := make([]field, ranges)
	for i := range ranges {
		colours[i] = d.colour(9000, 42000)
		ridges[i] = field{seed: d.seed + 10 + uint32(i), octaves: 6, shift: 8 - int32(i)}
	}
	lines := make([][ranges]int64, w)
	for x := range lines {
		for i := range ranges {
			lines[x][i] = int64(h)*int64(25+14*i)/100 + (ridges[i].at(int32(x), 0)-32768)*int64(h)/200000
		}
	}
	return func(x, y int32) rgb {
		front := ranges - 1 // the range that hides what is behind
		for front >= 0 && int64(y) < lines[x][front] {
			front--
		}
		if front >= 0 {
			texture := ground.at(x<<front/2, y<<front/2)
			return blend(haze, colours[front], int64(front+2)<<16/(ranges+1)).scale(30000 + texture*14/10)
		}
		c := blend(sky, haze, int64(y)<<16/int64(h))
		return blend(c, rgb{64000, 64000, 65000}, ramp(clouds.at(x, 2*y), 32000, 50000))
	}
}

// objects are shaded balls and boxes on a textured ground, with shadows.
func objects(d *dice, w, h int32) func(x, y int32) rgb {
	type thing struct {
		x, y, r int64
		box     bool
		colour  rgb
		skin    field
	}
	things := make([]thing, 5)
	for i := range things {
		r := d.between(int64(min(w, h))/9, int64(min(w, h))/4)
		things[i] = thing{d.between(0, int64(w)), d.between(int64(h)/4, int64(h)), r, d.next()&1 == 0, d.colour(8000, 62000),
			field{seed: d.seed + 20 + uint32(i), octaves: 5, shift: 5 - int32(i%3)}}
	}
	base, far := d.colour(22000, 50000), d.colour(30000, 60000)
	ground := field{seed: d.seed, octaves: 7, shift: 6, stretch: 2}
	return func(x, y int32) rgb {
		c := blend(far, base, int64(y)<<16/int64(h)).scale(36000 + ground.at(x, y)*9/10)
		for _, t := range things {
			dx, dy := int64(x)-t.x, int64(y)-t.y
			if sx, sy := dx-t.r/3, 3*(dy-t.r*4/5); sx*sx+sy*sy < t.r*t.r {
				c = c.scale(34000)
			}
			inside := dx*dx+dy*dy < t.r*t.r
			if t.box {
				inside = max(dx, -dx) < t.r*3/4 && max(dy, -dy) < t.r*3/4
			}
			if inside {
				light := 52000 - (dx+dy)*22000/t.r - (dx*dx+dy*dy)*12000/(t.r*t.r)
				c = t.colour.scale(light).scale(44000 + t.skin.at(x, y)*6/10)
			}
		}
		return c
	}
}

// weave is cloth: crossing stripes, folded by noise.
func weave(d *dice, _, _ int32) func(x, y int32) rgb {
	a, b, c := d.colour(5000, 60000), d.colour(5000, 60000), d.colour(5000, 60000)
	fold := field{seed: d.seed, octaves: 3, shift: 7}
	thread := field{seed: d.seed + 1, octaves: 3, shift: 2, stretch: 3}
	wide, narrow := d.between(17, 40), d.between(5, 11)
	return func(x, y int32) rgb {
		bend := fold.at(x, y)
		u, v := int64(x)+bend*wide>>16, int64(y)+bend*wide>>15
		colour := a
		if u%wide < wide/2 {
			colour = blend(colour, b, 40000)
		}
		if v%wide < wide/3 {
			colour = blend(colour, c, 44000)
		}
		if (u+v)%narrow < narrow/3 {
			colour = colour.scale(48000)
		}
		return colour.scale(26000 + bend/2 + thread.at(x, y)/3)
	}
}

// cells are stones: the nearest of a jittered lattice of points, with mortar between.
func cells(d *dice, _, _ int32) func(x, y int32) rgb {
	side := int32(d.between(22, 60))
	low, high, mortar := d.colour(8000, 30000), d.colour(34000, 62000), d.colour(10000, 30000)
	rough := field{seed: d.seed, octaves: 6, shift: 5}
	return func(x, y int32) rgb {
		first, second, id := nearestTwo(d.seed, side, x, y)
		if second-first < int64(side)*int64(side)/9 {
			return mortar.scale(30000 + rough.at(x, y)/2)
		}
		stone := blend(low, high, hash(d.seed+3, int32(id), 0))
		return stone.scale(62000 - first*30000/int64(side*side)).scale(34000 + rough.at(x, y))
	}
}

// nearestTwo gives the squared distances to the two nearest points and the nearest one's number.
func nearestTwo(seed uint32, side, x, y int32) (first, second, id int64) {
	first, second = 1<<40, 1<<40
	cx, cy := floorDiv(x, side), floorDiv(y, side)
	for j := cy - 1; j <= cy+1; j++ {
		for i := cx - 1; i <= cx+1; i++ {
			px := int64(i)*int64(side) + hash(seed, i, j)*int64(side)>>16
			py := int64(j)*int64(side) + hash(seed+1, i, j)*int64(side)>>16
			dx, dy := int64(x)-px, int64(y)-py
			switch distance := dx*dx + dy*dy; {
			case distance < first:
				first, second, id = distance, first, hash(seed+2, i, j)
			case distance < second:
				second = distance
			}
		}
	}
	return first, second, id
}

// facade is a house: rows of bricks, windows with reflections, weather.
func facade(d *dice, w, h int32) func(x, y int32) rgb {
	brick, joint, glass := d.colour(16000, 48000), d.colour(34000, 56000), rgb{12000, 16000, 24000}
	columns, rows := int32(d.between(2, 5)), int32(d.between(2, 4))
	dirt := field{seed: d.seed, octaves: 6, shift: 7}
	grain := field{seed: d.seed + 1, octaves: 4, shift: 3}
	sky := field{seed: d.seed + 2, octaves: 5, shift: 6}
	return func(x, y int32) rgb {
		stepX, stepY := w/columns, h/rows
		wx, wy := x%stepX, y%stepY
		if wx > stepX/4 && wx < stepX*3/4 && wy > stepY/5 && wy < stepY*4/5 {
			if frame := stepX / 40; wx < stepX/4+frame || wx > stepX*3/4-frame || (wx-stepX/2 < frame && stepX/2-wx < frame) {
				return joint
			}
			return blend(glass, rgb{44000, 52000, 60000}, sky.at(x+wx, y+wy))
		}
		row := y / 9
		c := brick.scale(48000 + hash(d.seed+4, (x+row%2*10)/20, row)/3)
		if y%9 == 0 || (x+row%2*10)%20 == 0 {
			c = joint
		}
		return c.scale(30000 + dirt.at(x, y)/2 + grain.at(x, y)/4)
	}
}

// foliage is leaves over leaves, lit from above, with dark gaps.
func foliage(d *dice, _, _ int32) func(x, y int32) rgb {
	dark, light := rgb{3000, 9000, 3000}, rgb{d.between(20000, 52000), d.between(36000, 60000), d.between(6000, 20000)}
	side := int32(d.between(9, 20))
	shade := field{seed: d.seed, octaves: 4, shift: 7}
	vein := field{seed: d.seed + 1, octaves: 4, shift: 3, stretch: 2}
	return func(x, y int32) rgb {
		first, _, id := nearestTwo(d.seed, side, x, y+int32(shade.at(x, 0)>>12))
		depth := hash(d.seed+5, int32(id), 1)
		c := blend(dark, light, (depth+shade.at(x, y))/2)
		return c.scale(65000 - first*40000/int64(side*side)).scale(40000 + vein.at(x, y)*7/10)
	}
}

// water is a surface with waves that grow towards the front, and a bright path on it.
func water(d *dice, w, h int32) func(x, y int32) rgb {
	deep, bright := rgb{d.between(3000, 12000), d.between(14000, 26000), d.between(24000, 40000)}, d.colour(48000, 65000)
	sun := int64(w) * d.between(25, 75) / 100
	swell := field{seed: d.seed, octaves: 6, shift: 6}
	ripple := field{seed: d.seed + 1, octaves: 4, shift: 3}
	return func(x, y int32) rgb {
		depth := 60 + int64(y)*200/int64(h)
		u, v := int32(int64(x)*100/depth), int32(20000/depth)
		height := (3*swell.at(u*2, v*16+y) + ripple.at(x, y*3)) / 4
		c := blend(deep, bright, ramp(height, 24000, 56000))
		away := (int64(x) - sun) * 400 / int64(w)
		return blend(c, rgb{65535, 62000, 54000}, ramp(height-away*away, 30000, 48000))
	}
}

// portrait is one large rounded shape with soft shading and patches before a blurred background, as of an animal or a
// face.
func portrait(d *dice, w, h int32) func(x, y int32) rgb {
	back, front, patch := d.colour(10000, 56000), d.colour(24000, 60000), d.colour(4000, 40000)
	cx, cy := int64(w)*d.between(40, 60)/100, int64(h)*d.between(45, 60)/100
	rx, ry := int64(w)*d.between(20, 34)/100, int64(h)*d.between(28, 42)/100
	blur := field{seed: d.seed, octaves: 2, shift: 7}
	fur := field{seed: d.seed + 1, octaves: 6, shift: 5, stretch: 3}
	outline := field{seed: d.seed + 2, octaves: 4, shift: 6}
	patches := field{seed: d.seed + 3, octaves: 3, shift: 6}
	return func(x, y int32) rgb {
		dx, dy := (int64(x)-cx)<<10/rx, (int64(y)-cy)<<10/ry
		away := dx*dx + dy*dy + (outline.at(x, y)-32768)*6 // 1<<20 on the outline
		if away > 1<<20 {
			return back.scale(24000 + blur.at(x, y)*3/4)
		}
		c := blend(front, patch, ramp(patches.at(x, y), 36000, 40000))
		for _, side := range []int64{-1, 1} { // eyes
			ex, ey := dx-side*340, dy+220
			if near := ex*ex + ey*ey; near < 90*90 {
				c = rgb{3000, 2500, 2000}
				if gx, gy := ex+30, ey+30; gx*gx+gy*gy < 24*24 {
					c = rgb{64000, 64000, 64000}
				}
			}
		}
		return c.scale(64000 - away/48 - dy*10).scale(36000 + fur.at(x, y)*8/10)
	}
}

// ramp goes from 0 to 65536 as v goes from low to high.
func ramp(v, low, high int64) int64 {
	return smooth(min(max((v-low)<<16/(high-low), 0), 1<<16))
}
