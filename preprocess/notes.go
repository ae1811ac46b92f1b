package preprocess

import "strings"

// Note says in one line that the Pillow wheel's library was wanted and what is used in its place, with the remedy. It is
// empty where all is as it should be.
func (d DecoderInfo) Note() string { return noteOf([]DecoderInfo{d}) }

// Notes say, a line each and without long paths, where pictures are not decoded by the Pillow wheel's libraries, which
// give the pixels that models were trained on: the wheel's library is missing or damaged, and the system's or Go code
// stands in. It is empty where they are in use, and where Options.Codecs asks for others.
func (p *Preprocessor) Notes() []string { return notesOf(decodersOf(p.jpeg, p.opts.Codecs)) }

// notesOf makes one line of all formats with the same fault: on a machine without the libraries it is the same for all.
func notesOf(decoders []DecoderInfo) []string {
	var notes []string
	done := map[string]bool{"": true}
	for _, d := range decoders {
		if done[d.Fault] {
			continue
		}
		done[d.Fault] = true
		var same []DecoderInfo
		for _, other := range decoders {
			if other.Fault == d.Fault {
				same = append(same, other)
			}
		}
		notes = append(notes, noteOf(same))
	}
	return notes
}

// noteOf is the note of formats that have one fault in common.
func noteOf(decoders []DecoderInfo) string {
	fault := decoders[0].Fault
	if fault == "" {
		return ""
	}
	var wanted, used []string
	for _, d := range decoders {
		wanted = append(wanted, "lib"+d.Format)
		if d.Path == "" {
			used = append(used, "Go code for "+d.Format)
		} else {
			used = append(used, "the system's "+d.Library+" "+d.Version)
		}
	}
	is := "is"
	if len(decoders) > 1 {
		is = "are"
	}
	return strings.Join([]string{enumerate(wanted), "of the Pillow wheel", is, fault + ":", enumerate(used), is, `used; run "imgvec setup"`}, " ")
}

func enumerate(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
