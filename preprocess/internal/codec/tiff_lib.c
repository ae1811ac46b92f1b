//go:build cgo && (linux || darwin || freebsd)

#include "tiff_lib.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tiff TIFF;
typedef ptrdiff_t tmsize_t;
typedef int (*error_handler)(TIFF *, void *user, const char *module, const char *format, va_list);
typedef tmsize_t (*read_proc)(void *, void *, tmsize_t);
typedef uint64_t (*seek_proc)(void *, uint64_t, int);
typedef int (*close_proc)(void *);
typedef uint64_t (*size_proc)(void *);
typedef int (*map_proc)(void *, void **, uint64_t *);
typedef void (*unmap_proc)(void *, void *, uint64_t);

// TIFFRGBAImage of tiffio.h, unchanged since libtiff 4.0.
typedef struct {
	TIFF *tif;
	int stop_on_error, is_contig, alpha;
	uint32_t width, height;
	uint16_t bits, samples, orientation, req_orientation, photometric;
	uint16_t *red, *green, *blue;
	void *get, *put, *map, *bw_map, *pal_map, *ycbcr, *cielab, *ua_to_aa, *depth_16_to_8;
	int row_offset, col_offset;
} rgba_image;

struct imgvec_tiff {
	void *f[tiff_count];
	TIFF *tif;
	const uint8_t *data;
	uint64_t size, at;
	char text[400]; // the first error since it was cleared
	int has_image;
	union {
		rgba_image image;
		char room[4096]; // should a later libtiff's be larger
	};
};

#define CALL(h, name, type) ((type)(h)->f[tiff_##name])

static tmsize_t on_read(void *p, void *buf, tmsize_t n) {
	imgvec_tiff *h = p;
	if (n <= 0 || h->at >= h->size) return 0;
	if ((uint64_t)n > h->size - h->at) n = (tmsize_t)(h->size - h->at);
	memcpy(buf, h->data + h->at, (size_t)n);
	h->at += (uint64_t)n;
	return n;
}

static tmsize_t on_write(void *p, void *buf, tmsize_t n) {
	(void)p, (void)buf, (void)n;
	return 0;
}

static uint64_t on_seek(void *p, uint64_t offset, int whence) {
	imgvec_tiff *h = p;
	if (whence == SEEK_CUR) offset += h->at;
	if (whence == SEEK_END) offset += h->size;
	return h->at = offset;
}

static int on_close(void *p) {
	(void)p;
	return 0;
}

static uint64_t on_size(void *p) { return ((imgvec_tiff *)p)->size; }

// libtiff reads the map and never writes to it when a file is open for reading.
static int on_map(void *p, void **base, uint64_t *size) {
	imgvec_tiff *h = p;
	*base = (void *)h->data;
	*size = h->size;
	return 1;
}

static void on_unmap(void *p, void *base, uint64_t size) { (void)p, (void)base, (void)size; }

static int on_error(TIFF *tif, void *user, const char *module, const char *format, va_list args) {
	imgvec_tiff *h = user;
	(void)tif, (void)module;
	if (!h->text[0]) vsnprintf(h->text, sizeof h->text, format, args);
	return 1;
}

static int on_warning(TIFF *tif, void *user, const char *module, const char *format, va_list args) {
	(void)tif, (void)user, (void)module, (void)format, (void)args;
	return 1;
}

static void *open_options(imgvec_tiff *h, int64_t memory) {
	void *o = CALL(h, OptionsAlloc, void *(*)(void))();
	if (!o) return NULL;
	CALL(h, OptionsSetErrorHandler, void (*)(void *, error_handler, void *))(o, on_error, h);
	CALL(h, OptionsSetWarningHandler, void (*)(void *, error_handler, void *))(o, on_warning, h);
	if (h->f[tiff_OptionsSetMaxSingle]) CALL(h, OptionsSetMaxSingle, void (*)(void *, tmsize_t))(o, memory);
	if (h->f[tiff_OptionsSetMaxTotal]) CALL(h, OptionsSetMaxTotal, void (*)(void *, tmsize_t))(o, memory);
	return o;
}

static TIFF *open_tiff(imgvec_tiff *h, int64_t memory) {
	if (h->f[tiff_ClientOpenExt] && h->f[tiff_OptionsAlloc] && h->f[tiff_OptionsFree] &&
		h->f[tiff_OptionsSetErrorHandler] && h->f[tiff_OptionsSetWarningHandler]) {
		void *o = open_options(h, memory);
		if (!o) return NULL;
		TIFF *t = CALL(h, ClientOpenExt, TIFF *(*)(const char *, const char *, void *, read_proc, read_proc, seek_proc, close_proc,
			size_proc, map_proc, unmap_proc, void *))("memory", "rC", h, on_read, on_write, on_seek, on_close, on_size, on_map, on_unmap, o);
		CALL(h, OptionsFree, void (*)(void *))(o);
		return t;
	}
	// Before libtiff 4.5 handlers are the process's: silence is all that can be had of them.
	CALL(h, SetErrorHandler, void *(*)(void *))(NULL);
	CALL(h, SetWarningHandler, void *(*)(void *))(NULL);
	return CALL(h, ClientOpen, TIFF *(*)(const char *, const char *, void *, read_proc, read_proc, seek_proc, close_proc,
		size_proc, map_proc, unmap_proc))("memory", "rC", h, on_read, on_write, on_seek, on_close, on_size, on_map, on_unmap);
}

static int fail(imgvec_tiff *h, const char *instead, char *text, size_t size) {
	snprintf(text, size, "%s", h->text[0] ? h->text : instead);
	h->text[0] = 0;
	return 0;
}

imgvec_tiff *imgvec_tiff_open(void **functions, const uint8_t *data, size_t size, uint32_t ifd, int64_t memory, char *text, size_t text_size) {
	imgvec_tiff *h = calloc(1, sizeof *h);
	if (!h) {
		snprintf(text, text_size, "out of memory");
		return NULL;
	}
	memcpy(h->f, functions, sizeof h->f);
	h->data = data;
	h->size = size;
	h->tif = open_tiff(h, memory);
	if (h->tif && (!ifd || CALL(h, SetSubDirectory, int (*)(TIFF *, uint64_t))(h->tif, ifd))) return h;
	fail(h, "libtiff can't read the directory", text, text_size);
	imgvec_tiff_close(h);
	return NULL;
}

void imgvec_tiff_close(imgvec_tiff *h) {
	if (h->has_image) CALL(h, RGBAImageEnd, void (*)(rgba_image *))(&h->image);
	if (h->tif) CALL(h, Close, void (*)(TIFF *))(h->tif);
	free(h);
}

enum {
	TAG_WIDTH = 256, TAG_HEIGHT = 257, TAG_BITS = 258, TAG_COMPRESSION = 259, TAG_PHOTOMETRIC = 262, TAG_ROWS = 278, TAG_PLANAR = 284,
	TAG_TILE_WIDTH = 322, TAG_TILE_HEIGHT = 323, TAG_EXTRA = 338, TAG_JPEG_COLOUR = 65538,
	PHOTOMETRIC_YCBCR = 6, COMPRESSION_JPEG = 7, PLANAR_TOGETHER = 1, JPEG_RGB = 1,
};

typedef int (*get_field)(TIFF *, uint32_t, ...);

static void get_blocks(imgvec_tiff *h, imgvec_tiff_shape *s) {
	get_field get = CALL(h, GetField, get_field), defaulted = CALL(h, GetFieldDefaulted, get_field);
	s->tiled = CALL(h, IsTiled, int (*)(TIFF *))(h->tif);
	if (s->tiled) {
		get(h->tif, TAG_TILE_WIDTH, &s->block_w);
		if (s->ycbcr)
			defaulted(h->tif, TAG_TILE_HEIGHT, &s->block_h);
		else
			get(h->tif, TAG_TILE_HEIGHT, &s->block_h);
		s->block_bytes = CALL(h, TileSize, tmsize_t (*)(TIFF *))(h->tif);
		s->row_bytes = CALL(h, TileRowSize, tmsize_t (*)(TIFF *))(h->tif);
		return;
	}
	s->block_w = s->width;
	int ok = s->ycbcr ? defaulted(h->tif, TAG_ROWS, &s->block_h) : get(h->tif, TAG_ROWS, &s->block_h);
	if (ok != 1 || s->block_h == UINT32_MAX) s->block_h = s->height;
	s->block_bytes = CALL(h, StripSize, tmsize_t (*)(TIFF *))(h->tif);
	s->row_bytes = CALL(h, ScanlineSize, tmsize_t (*)(TIFF *))(h->tif);
}

void imgvec_tiff_get_shape(imgvec_tiff *h, imgvec_tiff_shape *s) {
	get_field get = CALL(h, GetField, get_field), defaulted = CALL(h, GetFieldDefaulted, get_field);
	uint16_t extra = 0, *kinds = NULL;
	memset(s, 0, sizeof *s);
	get(h->tif, TAG_WIDTH, &s->width);
	get(h->tif, TAG_HEIGHT, &s->height);
	get(h->tif, TAG_PHOTOMETRIC, &s->photometric);
	get(h->tif, TAG_COMPRESSION, &s->compression);
	defaulted(h->tif, TAG_PLANAR, &s->planar);
	s->bits = 8;
	defaulted(h->tif, TAG_BITS, &s->bits);
	if (defaulted(h->tif, TAG_EXTRA, &extra, &kinds) && extra > 0 && kinds) s->associated = kinds[0] <= 1;
	s->ycbcr = s->photometric == PHOTOMETRIC_YCBCR;
	if (s->ycbcr && s->compression == COMPRESSION_JPEG && s->planar == PLANAR_TOGETHER) {
		CALL(h, SetField, get_field)(h->tif, TAG_JPEG_COLOUR, JPEG_RGB); // libjpeg converts
		s->ycbcr = 0;
	}
	get_blocks(h, s);
	h->text[0] = 0;
}

int imgvec_tiff_strip(imgvec_tiff *h, uint32_t y, uint16_t plane, uint8_t *buf, size_t size, char *text, size_t text_size) {
	uint32_t strip = CALL(h, ComputeStrip, uint32_t (*)(TIFF *, uint32_t, uint16_t))(h->tif, y, plane);
	if (CALL(h, ReadEncodedStrip, tmsize_t (*)(TIFF *, uint32_t, void *, tmsize_t))(h->tif, strip, buf, (tmsize_t)size) == -1)
		return fail(h, "damaged strip", text, text_size);
	h->text[0] = 0;
	return 1;
}

int imgvec_tiff_tile(imgvec_tiff *h, uint32_t x, uint32_t y, uint16_t plane, uint8_t *buf, char *text, size_t text_size) {
	if (CALL(h, ReadTile, tmsize_t (*)(TIFF *, void *, uint32_t, uint32_t, uint32_t, uint16_t))(h->tif, buf, x, y, 0, plane) == -1)
		return fail(h, "damaged tile", text, text_size);
	h->text[0] = 0;
	return 1;
}

static int begin_image(imgvec_tiff *h, char *text, size_t size) {
	char why[1024] = "";
	if (h->has_image) return 1;
	if (!CALL(h, RGBAImageOK, int (*)(TIFF *, char *))(h->tif, why) ||
		!CALL(h, RGBAImageBegin, int (*)(rgba_image *, TIFF *, int, char *))(&h->image, h->tif, 0, why)) {
		if (why[0]) snprintf(h->text, sizeof h->text, "%.*s", (int)sizeof h->text - 1, why);
		return fail(h, "colours that libtiff does not convert", text, size);
	}
	h->has_image = 1;
	h->image.orientation = h->image.req_orientation = 1; // as stored
	h->image.col_offset = 0;
	return 1;
}

int imgvec_tiff_rgba(imgvec_tiff *h, uint32_t y, uint32_t rows, uint8_t *buf, size_t size, char *text, size_t text_size) {
	if (!begin_image(h, text, text_size)) return 0;
	if (h->image.tif != h->tif || (uint64_t)h->image.width * 4 * rows > size) return fail(h, "libtiff's picture has another size", text, text_size);
	h->image.row_offset = (int)y;
	if (!CALL(h, RGBAImageGet, int (*)(rgba_image *, uint32_t *, uint32_t, uint32_t))(&h->image, (uint32_t *)buf, h->image.width, rows))
		return fail(h, "damaged strip or tile", text, text_size);
	h->text[0] = 0;
	return 1;
}
