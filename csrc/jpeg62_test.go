package csrc

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// layoutCheck compares jpeg62.h with the system's jpeglib.h: sizes, and the offset of every field that is used.
const layoutCheck = `
#include <stdio.h>
#include <jpeglib.h>
#include "jpeg62.h"
#if JPEG_LIB_VERSION != 62
#error "another ABI"
#endif
#define SAME(ours, theirs, field) _Static_assert(offsetof(ours, field) == offsetof(struct theirs, field) && \
    sizeof(((ours *)0)->field) == sizeof(((struct theirs *)0)->field), #field)
_Static_assert(sizeof(jpeg62) == sizeof(struct jpeg_decompress_struct), "decompressor");
_Static_assert(sizeof(jpeg62_error) == sizeof(struct jpeg_error_mgr), "error manager");
_Static_assert(sizeof(jpeg62_source) == sizeof(struct jpeg_source_mgr), "source manager");
_Static_assert(sizeof(jpeg62_progress) == sizeof(struct jpeg_progress_mgr), "progress monitor");
#define D(field) SAME(jpeg62, jpeg_decompress_struct, field)
D(err); D(mem); D(progress); D(client_data); D(is_decompressor); D(global_state); D(src); D(image_width); D(image_height);
D(num_components); D(jpeg_color_space); D(out_color_space); D(output_width); D(output_height); D(out_color_components);
D(output_components); D(rec_outbuf_height); D(output_scanline); D(input_scan_number); D(coef_bits); D(progressive_mode);
D(Ss); D(Se); D(unread_marker);
#define E(field) SAME(jpeg62_error, jpeg_error_mgr, field)
E(error_exit); E(emit_message); E(output_message); E(format_message); E(reset_error_mgr); E(msg_code); E(num_warnings);
#define S(field) SAME(jpeg62_source, jpeg_source_mgr, field)
S(next_input_byte); S(bytes_in_buffer); S(init_source); S(fill_input_buffer); S(skip_input_data); S(resync_to_restart); S(term_source);
_Static_assert(JCS_GRAYSCALE == JCS62_GRAYSCALE && JCS_RGB == JCS62_RGB && JCS_CMYK == JCS62_CMYK && JCS_EXT_RGBX == JCS62_EXT_RGBX, "colours");
`

// TestJPEGLayout needs a C compiler and libjpeg-turbo's header; users need neither.
func TestJPEGLayout(t *testing.T) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	dir := t.TempDir()
	probe := filepath.Join(dir, "probe.c")
	compile := func(source string) ([]byte, error) {
		if err := os.WriteFile(probe, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		here, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		return exec.Command(compiler, "-std=c11", "-I", here, "-fsyntax-only", probe).CombinedOutput()
	}
	if _, err := compile("#include <stdio.h>\n#include <jpeglib.h>\nint v = JCS_EXT_RGBX;\n"); err != nil {
		t.Skip("no jpeglib.h of libjpeg-turbo (libjpeg62-turbo-dev)")
	}
	if text, err := compile(layoutCheck); err != nil {
		t.Errorf("jpeg62.h differs from the system's jpeglib.h: %v\n%s", err, text)
	}
}
