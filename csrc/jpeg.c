#include <stddef.h>
#include "engine.h"
void jpeg_state_free(struct jpeg_state *j) { (void)j; }
imgvec_status imgvec_jpeg_open(const char *path, imgvec_jpeg **lib) { (void)path; *lib = NULL; return status_of(IMGVEC_LIBRARY, "todo"); }
imgvec_status imgvec_jpeg_into(imgvec_worker *w, imgvec_jpeg *lib, imgvec_plan plan, const imgvec_axis *x, const imgvec_axis *y,
                               const uint8_t *data, int64_t len, int32_t width, int32_t height, int32_t careful, uint8_t *dst) { return status_of(IMGVEC_LIBRARY, "todo"); }
