// What is needed of libtiff's interface (tiffio.h, libtiff 4), which is opened at run time.
#ifndef IMGVEC_TIFF_LIB_H
#define IMGVEC_TIFF_LIB_H

#include <stddef.h>
#include <stdint.h>

// The functions, in the order of tiffNames in tiff_cgo.go. Those after tiff_required may be missing.
enum {
	tiff_ClientOpen, tiff_Close, tiff_GetField, tiff_GetFieldDefaulted, tiff_SetField, tiff_SetSubDirectory,
	tiff_IsTiled, tiff_StripSize, tiff_ScanlineSize, tiff_TileSize, tiff_TileRowSize, tiff_ComputeStrip,
	tiff_ReadEncodedStrip, tiff_ReadTile, tiff_RGBAImageOK, tiff_RGBAImageBegin, tiff_RGBAImageGet, tiff_RGBAImageEnd,
	tiff_SetErrorHandler, tiff_SetWarningHandler,
	tiff_required,
	tiff_ClientOpenExt = tiff_required, tiff_OptionsAlloc, tiff_OptionsFree, tiff_OptionsSetErrorHandler,
	tiff_OptionsSetWarningHandler, tiff_OptionsSetMaxSingle, tiff_OptionsSetMaxTotal,
	tiff_count
};

typedef struct imgvec_tiff imgvec_tiff;

typedef struct {
	uint32_t width, height, block_w, block_h;
	uint16_t photometric, compression, planar, bits;
	int32_t tiled, ycbcr, associated;
	int64_t block_bytes, row_bytes;
} imgvec_tiff_shape;

// imgvec_tiff_open opens the picture whose directory is at ifd (0 = the first). data must stay where it is until
// imgvec_tiff_close. memory bounds what libtiff may allocate, where it can. NULL on failure, the cause in text.
imgvec_tiff *imgvec_tiff_open(void **functions, const uint8_t *data, size_t size, uint32_t ifd, int64_t memory, char *text, size_t text_size);
void imgvec_tiff_close(imgvec_tiff *);
void imgvec_tiff_get_shape(imgvec_tiff *, imgvec_tiff_shape *);
// These return 1, or 0 with the cause in text.
int imgvec_tiff_strip(imgvec_tiff *, uint32_t y, uint16_t plane, uint8_t *buf, size_t size, char *text, size_t text_size);
int imgvec_tiff_tile(imgvec_tiff *, uint32_t x, uint32_t y, uint16_t plane, uint8_t *buf, char *text, size_t text_size);
int imgvec_tiff_rgba(imgvec_tiff *, uint32_t y, uint32_t rows, uint8_t *buf, size_t size, char *text, size_t text_size);

#endif
