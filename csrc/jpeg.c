// JPEG by libjpeg-turbo: the file is decoded scanline by scanline into the resize engine, as Pillow decodes it.
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "jpeg.h"

#define SCAN_LIMIT 500                       // libjpeg-turbo's own number for its command-line tools
#define SCAN_PIXELS ((int64_t)6000000000)    // and no more than this many pixels in all scans together
#define CONTEXT 8                            // columns decoded beside the crop: upsampling looks at its neighbours

typedef struct jpeg_state {
    jpeg62 d;
    jpeg62_error err;
    jpeg62_source src;
    jpeg62_progress progress;
    imgvec_jpeg *lib; // whose decompressor d is; NULL: d is not made
    jmp_buf fail;
    imgvec_status status;
    int32_t scan_limit;
    int32_t complete; // every row has been read
    int64_t resize_ns;
} jpeg_state;

static jpeg_state *state_of(jpeg62 *d) { return (jpeg_state *)d->client_data; }

static void give_up(jpeg_state *j, int32_t code, const char *text) {
    j->status = status_of(code, text);
    longjmp(j->fail, 1);
}

static void on_error(jpeg62 *d) {
    char text[256] = "";
    d->err->format_message(d, text);
    give_up(state_of(d), IMGVEC_BROKEN, text);
}

static void on_message(jpeg62 *d, int level) {
    if (level < 0) d->err->num_warnings++;
}

static void on_output(jpeg62 *d) { (void)d; }
static void on_start(jpeg62 *d) { (void)d; }

// Pillow refuses a file that ends before its last row, and accepts one that ends after it without an end marker.
static int on_empty(jpeg62 *d) {
    jpeg_state *j = state_of(d);
    if (j->complete) give_up(j, IMGVEC_OK, "");
    give_up(j, IMGVEC_TRUNCATED, "the data end before the picture does");
    return 0;
}

static void on_skip(jpeg62 *d, long n) {
    if (n <= 0) return;
    if ((size_t)n > d->src->bytes_in_buffer) on_empty(d);
    d->src->next_input_byte += n;
    d->src->bytes_in_buffer -= (size_t)n;
}

static void on_progress(jpeg62 *d) {
    jpeg_state *j = state_of(d);
    if (d->input_scan_number > j->scan_limit) give_up(j, IMGVEC_SCANS, "more scans than any sane progressive file has");
}

static void discard(jpeg_state *j) {
    if (j->lib != NULL) j->lib->destroy(&j->d);
    j->lib = NULL;
}

void jpeg_state_free(jpeg_state *j) {
    if (j == NULL) return;
    discard(j);
    free(j);
}

// A new decompressor for each picture: one that is used again keeps the tables of the picture before, with which a
// damaged file that lacks its own would be decoded, and one that failed is in no known state.
static jpeg_state *ready(imgvec_worker *w, imgvec_jpeg *lib) {
    if (w->jpeg == NULL) w->jpeg = calloc(1, sizeof(jpeg_state));
    jpeg_state *j = w->jpeg;
    if (j == NULL) return NULL;
    discard(j);
    memset(j, 0, sizeof *j);
    j->d.err = lib->std_error(&j->err);
    j->err.error_exit = on_error;
    j->err.emit_message = on_message;
    j->err.output_message = on_output;
    j->d.client_data = j;
    j->src = (jpeg62_source){NULL, 0, on_start, on_empty, on_skip, lib->resync, on_start};
    j->progress.progress_monitor = on_progress;
    if (setjmp(j->fail)) { // libjpeg found that its structures have another version or size
        j->status.code = IMGVEC_LIBRARY;
        return j;
    }
    lib->create(&j->d, JPEG62_VERSION, sizeof(jpeg62));
    j->d.src = &j->src;
    j->d.progress = &j->progress;
    j->lib = lib;
    return j;
}

imgvec_status jpeg_probe(imgvec_jpeg *lib) {
    imgvec_worker w = {0};
    jpeg_state *j = ready(&w, lib);
    imgvec_status status = j == NULL ? status_of(IMGVEC_NOMEM, "no memory for the JPEG decoder") : j->status;
    jpeg_state_free(j);
    return status;
}

// cmyk_to_rgb is what Pillow makes of a row: it takes every CMYK file as inverted, then converts by the naive formula.
static void cmyk_to_rgb(uint8_t *row, int64_t n) {
    const uint8_t *s = row;
    for (uint8_t *t = row; n > 0; n--, s += 4, t += 3) {
        int32_t black = s[3]; // 255 - K
        for (int32_t c = 0; c < 3; c++) {
            int32_t v = (255 - s[c]) * black + 128;
            t[c] = clamp8(black - (((v >> 8) + v) >> 8));
        }
    }
}

static void header(jpeg_state *j, const uint8_t *data, int64_t len, int32_t width, int32_t height) {
    jpeg62 *d = &j->d;
    j->src.next_input_byte = data;
    j->src.bytes_in_buffer = (size_t)len;
    int64_t scans = SCAN_PIXELS / ((int64_t)width * height + 1);
    j->scan_limit = scans > SCAN_LIMIT ? SCAN_LIMIT : (int32_t)scans;
    int32_t ok;
    do ok = j->lib->read_header(d, 0);
    while (ok == JPEG62_HEADER_TABLES_ONLY);
    if ((int64_t)d->image_width != width || (int64_t)d->image_height != height) give_up(j, IMGVEC_BROKEN, "two frame headers of different size");
    d->out_color_space = d->num_components == 4 ? JCS62_CMYK : d->num_components == 3 ? JCS62_EXT_RGBX : JCS62_RGB;
}

// Whether rows and columns may be left out with the same result: not with lossless JPEG, nor where libjpeg smooths the
// blocks of an unfinished progressive file from their neighbours.
static int may_skip(const jpeg62 *d) {
    if (!d->progressive_mode) return d->Ss == 0 && d->Se == 63;
    if (d->coef_bits == NULL) return 0;
    for (int32_t c = 0; c < d->num_components; c++)
        for (int32_t i = 0; i < 64; i++)
            if (d->coef_bits[c][i] != 0) return 0;
    return 1;
}

// Rows below the crop are not decoded where they can't matter any more. In a file of one scan they can fail only by
// the end of the data; a decoder that meets a marker stops there and fills up, so that an end marker makes it sure.
static int ends_well(const jpeg_state *j) {
    if (j->d.unread_marker != 0) return j->d.unread_marker == MARKER_EOI;
    const uint8_t *p = j->src.next_input_byte, *end = p + j->src.bytes_in_buffer;
    while (p < end && (p = memchr(p, 0xff, (size_t)(end - p))) != NULL) {
        while (p < end && *p == 0xff) p++;
        if (p == end) return 0;
        if (*p == MARKER_EOI) return 1;
        if (*p != 0 && (*p < MARKER_RST0 || *p > MARKER_RST7)) return 0;
        p++;
    }
    return 0;
}

// The rest of the file as Pillow reads it.
static void finish(jpeg_state *j, engine *e, int skip) {
    jpeg62 *d = &j->d;
    if (j->lib->has_multiple_scans(d) || (skip && ends_well(j))) return; // all of it has been read, or would be accepted
    while (d->output_scanline < d->output_height) j->lib->read_scanlines(d, &e->line, 1);
    j->complete = 1;
    j->lib->finish(d);
}

static void decode(imgvec_worker *w, jpeg_state *j, imgvec_plan plan, const imgvec_axis *x, const imgvec_axis *y, int32_t careful, uint8_t *dst) {
    jpeg62 *d = &j->d;
    imgvec_jpeg *lib = j->lib;
    lib->start(d);
    int32_t px = d->output_components, base = 0;
    int cmyk = d->out_color_space == JCS62_CMYK, skip = !careful && may_skip(d);
    engine e;
    int32_t step = cmyk ? 3 : px;
    if (!engine_start(&e, w, plan, x, y, step, ((int64_t)d->output_width * px + step - 1) / step, dst)) give_up(j, IMGVEC_NOMEM, "no memory for the resize");
    uint32_t left = x->first > CONTEXT ? (uint32_t)x->first - CONTEXT : 0;
    uint32_t right = (uint32_t)x->last + CONTEXT < d->output_width ? (uint32_t)x->last + CONTEXT : d->output_width;
    if (skip && right - left < d->output_width) {
        uint32_t columns = right - left;
        lib->crop_scanline(d, &left, &columns);
        base = (int32_t)left;
    }
    if (skip && y->first > 0) e.row = (int32_t)lib->skip_scanlines(d, (uint32_t)y->first);
    while (e.row < y->last) {
        lib->read_scanlines(d, &e.line, 1);
        if (cmyk) cmyk_to_rgb(e.line, d->output_width);
        engine_push(&e, e.line, base);
    }
    j->resize_ns = e.resize_ns;
    finish(j, &e, skip);
}

imgvec_status imgvec_jpeg_into(imgvec_worker *w, imgvec_jpeg *lib, imgvec_plan plan, const imgvec_axis *x, const imgvec_axis *y,
                               const uint8_t *data, int64_t len, int32_t width, int32_t height, int32_t careful, uint8_t *dst) {
    jpeg_state *j = ready(w, lib);
    if (j == NULL) return status_of(IMGVEC_NOMEM, "no memory for the JPEG decoder");
    if (j->lib == NULL) return j->status;
    if (!setjmp(j->fail)) {
        header(j, data, len, width, height);
        decode(w, j, plan, x, y, careful, dst);
        j->status = status_of(IMGVEC_OK, "");
    }
    j->status.warnings = (int32_t)j->err.num_warnings;
    j->status.resize_ns = j->resize_ns;
    discard(j);
    worker_trim(w);
    return j->status;
}
