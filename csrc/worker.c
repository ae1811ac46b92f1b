// Scratch memory of one goroutine.
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

#define KEEP ((int64_t)32 << 20) // scratch over this is given back after each picture

imgvec_worker *imgvec_worker_new(void) { return calloc(1, sizeof(imgvec_worker)); }

void imgvec_worker_free(imgvec_worker *w) {
    if (w == NULL) return;
    jpeg_state_free(w->jpeg);
    free(w->scratch);
    free(w);
}

int64_t imgvec_worker_bytes(const imgvec_worker *w) { return w->cap; }

uint8_t *worker_scratch(imgvec_worker *w, int64_t n) {
    if (n <= w->cap) return w->scratch;
    free(w->scratch);
    w->cap = 0;
    n = (n + 63) & ~(int64_t)63;
    w->scratch = aligned_alloc(64, (size_t)n);
    if (w->scratch == NULL) return NULL;
    memset(w->scratch, 0, (size_t)n); // the vector loops read padding; their results do not depend on it
    w->cap = n;
    return w->scratch;
}

void worker_trim(imgvec_worker *w) {
    if (w->cap <= KEEP) return;
    free(w->scratch);
    w->scratch = NULL;
    w->cap = 0;
}

imgvec_status status_of(int32_t code, const char *text) {
    imgvec_status s;
    memset(&s, 0, sizeof s);
    s.code = code;
    strncpy(s.text, text, sizeof s.text - 1);
    return s;
}
