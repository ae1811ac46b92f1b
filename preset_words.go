package imgvec

import (
	"fmt"
	"strings"
)

// String says in words what the preset does to a picture.
func (p Preset) String() string {
	words := []string{p.resizeWords()}
	if cut := p.cutWords(); cut != "" {
		words = append(words, cut)
	}
	return strings.Join(append(words, p.numberWords()), "; ")
}

func (s Size) String() string { return fmt.Sprintf("%dx%d", s.Height, s.Width) }

// resizeWords says what CropMode does.
func (p Preset) resizeWords() string {
	how := string(p.Interpolation)
	if p.Domain == DomainFloat {
		how += ", in floating point"
	}
	switch p.CropMode {
	case CropSquash:
		return fmt.Sprintf("both sides resized to %s (%s)", p.Box(), how)
	case CropBorder:
		return fmt.Sprintf("fitted into %s in its own shape (%s)", p.Box(), how)
	case CropOnly:
		return "not resized"
	}
	if p.ResizeSize == 0 {
		return fmt.Sprintf("resized in its own shape until it covers %s (%s)", p.Box(), how)
	}
	return fmt.Sprintf("short side resized to %d (%s)", p.ResizeSize, how)
}

// cutWords says what is cut out; empty where all of the picture is used.
func (p Preset) cutWords() string {
	if p.CropMode == CropSquash && p.Box() == p.InputSize {
		return ""
	}
	round := "half to even"
	if p.CropRound == CropFloor {
		round = "down"
	}
	if p.CropMode == CropBorder {
		return fmt.Sprintf("in the centre of %s filled with RGB %d, %d, %d", p.InputSize, p.Fill[0], p.Fill[1], p.Fill[2])
	}
	return fmt.Sprintf("centre of %s cut out, odd margins rounded %s", p.InputSize, round)
}

// numberWords says what Table does.
func (p Preset) numberWords() string {
	text := string(p.ChannelOrder)
	switch {
	case p.Factor != 0:
		text += fmt.Sprintf(" x %.6g", p.Factor)
	case p.Scale != 1:
		text += fmt.Sprintf(" / %v", p.Scale)
	}
	if p.Offset != 0 {
		text += fmt.Sprintf(" %+v", p.Offset)
	}
	if p.Mean != ([3]float32{}) || p.Std != ([3]float32{1, 1, 1}) {
		text += fmt.Sprintf(", mean %.4g, std %.4g", p.Mean, p.Std)
	}
	if p.StdAgain != ([3]float32{}) {
		text += fmt.Sprintf(", divided by %.4g again", p.StdAgain)
	}
	return text
}
