// kernels_resample.cuh: the two passes of Pillow's 8-bit resize, in integers, as in resample.c. Gold: gold.Resample.
#ifndef IMGVEC_KERNELS_RESAMPLE_CUH
#define IMGVEC_KERNELS_RESAMPLE_CUH
#include "kernels_common.cuh"

enum { FRACTION = 22, HALF = 1 << (FRACTION - 1) };

struct alignas(16) weights {
    int32_t k[4];
};

DEVICE static const int32_t *ints(const imgvec_lanes *a, int32_t offset) {
    return reinterpret_cast<const int32_t *>(reinterpret_cast<const uint8_t *>(a) + offset);
}
DEVICE static const weights *weights_of(const imgvec_lanes *a) { return reinterpret_cast<const weights *>(ints(a, a->k)); }

DEVICE static uint32_t clamp8(int32_t sum) {
    const int32_t v = sum >> FRACTION;
    return static_cast<uint32_t>(v < 0 ? 0 : v > 255 ? 255 : v);
}

// Where a first pass puts its pixels.
struct bytes_out {
    uint8_t *dst;
    int64_t stride;
    DEVICE void put(int64_t row, int64_t column, uint32_t r, uint32_t g, uint32_t b) const {
        uint8_t *p = dst + row * stride + column * 3;
        p[0] = static_cast<uint8_t>(r);
        p[1] = static_cast<uint8_t>(g);
        p[2] = static_cast<uint8_t>(b);
    }
};

// Where a last pass puts its pixels: a model's input. T holds the bits of an element.
template <class T, bool PLANAR> struct input_out {
    T *dst;
    const T *table;
    int64_t rows, width, plane, channels, flags;

    DEVICE int64_t place(int64_t row, int64_t column) const {
        if (flags & IMGVEC_FLIP) row = rows - 1 - row;
        return flags & IMGVEC_TRANSPOSE ? column * width + row : row * width + column;
    }
    DEVICE int64_t plane_of(int c) const { return flags & IMGVEC_BGR ? 2 - c : c; }

    DEVICE void put(int64_t row, int64_t column, uint32_t r, uint32_t g, uint32_t b) const {
        const int64_t at = place(row, column), pixel = PLANAR ? at : at * channels, next = PLANAR ? plane : 1;
        dst[pixel + plane_of(0) * next] = table[r];
        dst[pixel + next] = table[256 + g];
        dst[pixel + plane_of(2) * next] = table[512 + b];
        ROLLED for (int64_t c = 3; c < channels; c++) dst[pixel + c * next] = 0;
    }
    // Four pixels of a row, R G B R G B and so on.
    DEVICE void put4(int64_t row, int64_t column, const words<3, 4> &v) const {
        using vector = words<sizeof(T), 4 * sizeof(T)>;
        T *at = dst + place(row, column);
        const bool together = PLANAR && !(flags & IMGVEC_TRANSPOSE) && plane % 4 == 0 && aligned(at, sizeof(vector));
        if (together) {
            UNROLL for (int c = 0; c < 3; c++) {
                vector out = {};
                UNROLL for (int p = 0; p < 4; p++) set(out, p, table[c * 256 + byte_of(v, p * 3 + c)]);
                store(at + plane_of(c) * plane, out);
            }
            ROLLED for (int64_t c = 3; c < channels; c++) store(at + c * plane, vector{});
        } else {
            UNROLL for (int p = 0; p < 4; p++) put(row, column + p, byte_of(v, p * 3), byte_of(v, p * 3 + 1), byte_of(v, p * 3 + 2));
        }
    }
};

// ---- Along the rows. A warp makes 4 rows of 32 pixels; it brings their source to shared memory first, in stretches of
// SPAN pixels, one word each, because neighbouring windows overlap.
enum { WARP = 32, WARPS = IMGVEC_TEAM / WARP, ROWS = 4, SPAN = 416, AHEAD = 4 };

// Windows that start a multiple of 32 pixels apart would meet in one bank of shared memory without the shift.
DEVICE constexpr int32_t slot(int32_t pixel) { return pixel + AHEAD + ((pixel + AHEAD) >> 5); }
enum { LINE = SPAN + 2 * AHEAD + (SPAN + 2 * AHEAD) / 32 + 1 };

struct source_rows {
    const uint8_t *row[ROWS];
    int32_t step;
    bool in_words; // rows begin at a multiple of 4
};

// Brings pixels of the four rows, from number at, to shared memory. It reads no byte that is not a pixel's.
DEVICE static void stage(uint32_t (*line)[LINE], const source_rows &src, int64_t at, int32_t pixels, int32_t lane) {
    const int32_t words_of = src.in_words && src.step == 4 ? pixels : 0, fours = src.in_words && src.step == 3 ? pixels & ~3 : 0;
    ROLLED for (int32_t p = lane; p < words_of; p += WARP) {
        uint32_t v[ROWS];
        UNROLL for (int r = 0; r < ROWS; r++) v[r] = load<words<1, 4>>(src.row[r] + (at + p) * 4).w[0];
        UNROLL for (int r = 0; r < ROWS; r++) line[r][slot(p)] = v[r];
    }
    ROLLED for (int32_t p = lane * 4; p < fours; p += WARP * 4) {
        words<3, 4> v[ROWS];
        UNROLL for (int r = 0; r < ROWS; r++) v[r] = load<words<3, 4>>(src.row[r] + (at + p) * 3);
        UNROLL for (int r = 0; r < ROWS; r++) {
            line[r][slot(p)] = v[r].w[0];
            line[r][slot(p + 1)] = v[r].w[0] >> 24 | v[r].w[1] << 8;
            line[r][slot(p + 2)] = v[r].w[1] >> 16 | v[r].w[2] << 16;
            line[r][slot(p + 3)] = v[r].w[2] >> 8;
        }
    }
    ROLLED for (int32_t p = (words_of | fours) + lane; p < pixels; p += WARP) {
        UNROLL for (int r = 0; r < ROWS; r++) {
            const uint8_t *v = src.row[r] + (at + p) * src.step;
            line[r][slot(p)] = v[0] | static_cast<uint32_t>(v[1]) << 8 | static_cast<uint32_t>(v[2]) << 16;
        }
    }
}

struct window {
    int32_t lo, n;
    const weights *k; // of its first four taps; the next are count further
    int32_t count;
};

// Adds what the taps [from, to) of the window see; shared memory begins with the source's pixel at.
DEVICE static void add_taps(int32_t (*sum)[3], const uint32_t (*line)[LINE], const window &w, int32_t from, int32_t to, int32_t at) {
    ROLLED for (int32_t t = from & ~3; t < to; t += 4) {
        weights k = w.k[static_cast<int64_t>(t / 4) * w.count];
        UNROLL for (int q = 0; q < 4; q++) {
            if (t + q < from || t + q >= to) k.k[q] = 0; // that pixel is not here: whatever is read, it counts nothing
            const int32_t s = slot(w.lo + t + q - at);
            UNROLL for (int r = 0; r < ROWS; r++) {
                const uint32_t v = line[r][s];
                sum[r][0] += k.k[q] * static_cast<int32_t>(v & 0xff);
                sum[r][1] += k.k[q] * static_cast<int32_t>(v >> 8 & 0xff);
                sum[r][2] += k.k[q] * static_cast<int32_t>(v >> 16 & 0xff);
            }
        }
    }
}

template <class Out>
DEVICE void resample_h(const Out &out, const uint8_t *src, const imgvec_lanes *axis, int64_t stride, int64_t step, int64_t base, int64_t lines) {
    __shared__ uint32_t staged[WARPS * ROWS][LINE];
    SPOIL(staged);
    const int32_t *lo = ints(axis, axis->lo), *n = ints(axis, axis->n), count = axis->count;
    const int32_t lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    uint32_t(*line)[LINE] = staged + warp * ROWS;
    const int64_t across = (count + WARP - 1) / WARP, tiles = across * ((lines + WARPS * ROWS - 1) / (WARPS * ROWS));
    ROLLED for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const int64_t down = tile / across, row = (down * WARPS + warp) * ROWS;
        const int32_t left = static_cast<int32_t>(tile - down * across) * WARP, column = left + lane;
        const int32_t right = (left + WARP < count ? left + WARP : count) - 1;
        const int32_t from = lo[left] < lo[right] ? lo[left] : lo[right];
        const int32_t end_left = lo[left] + n[left], end_right = lo[right] + n[right], to = end_left > end_right ? end_left : end_right;
        source_rows rows;
        UNROLL for (int r = 0; r < ROWS; r++) rows.row[r] = src + (row + r < lines ? row + r : lines - 1) * stride;
        rows.step = static_cast<int32_t>(step);
        rows.in_words = aligned(src, 4) && stride % 4 == 0;
        window w = {0, 0, weights_of(axis), count};
        if (column < count) w = {lo[column], n[column], weights_of(axis) + column, count};
        int32_t sum[ROWS][3];
        UNROLL for (int i = 0; i < ROWS * 3; i++) sum[i / 3][i % 3] = HALF;
        ROLLED for (int32_t at = from - (from - static_cast<int32_t>(base)) % 4; at < to; at += SPAN) {
            const int32_t end = at + SPAN < to ? at + SPAN : to;
            __syncthreads(); // what is there is no longer read
            stage(line, rows, at - base, end - at, lane);
            __syncthreads();
            const int32_t first = at > w.lo ? at - w.lo : 0, last = end - w.lo < w.n ? end - w.lo : w.n;
            add_taps(sum, line, w, first, last, at);
        }
        if (column >= count) continue;
        UNROLL for (int r = 0; r < ROWS; r++) {
            if (row + r < lines) out.put(row + r, column, clamp8(sum[r][0]), clamp8(sum[r][1]), clamp8(sum[r][2]));
        }
    }
}

// ---- Along the columns. All bytes of a row are alike; neighbouring threads have neighbouring bytes.
struct column {
    const uint8_t *p; // the window's first row
    int64_t stride;
    int32_t n;
    const weights *k; // of its first four taps; the next are count further
    int32_t count;
};

// N words at offset `at` of the rows. Rows behind the window are not read: their weight is zero, the last row stands for them.
template <int N, int ALIGN> DEVICE words<N, ALIGN> column_words(const column &c, int64_t at) {
    int32_t sum[N * 4];
    UNROLL for (int i = 0; i < N * 4; i++) sum[i] = HALF;
    const weights *next = c.k;
    ROLLED for (int32_t t = 0; t < c.n; t += 4, next += c.count) {
        const weights k = *next;
        words<N, ALIGN> v[4];
        UNROLL for (int q = 0; q < 4; q++) v[q] = load<words<N, ALIGN>>(c.p + (t + q < c.n ? t + q : c.n - 1) * c.stride + at);
        UNROLL for (int q = 0; q < 4; q++) {
            UNROLL for (int i = 0; i < N * 4; i++) sum[i] += k.k[q] * static_cast<int32_t>(byte_of(v[q], i));
        }
    }
    words<N, ALIGN> out = {};
    UNROLL for (int i = 0; i < N * 4; i++) set(out, i, static_cast<uint8_t>(clamp8(sum[i])));
    return out;
}

DEVICE static uint32_t column_byte(const column &c, int64_t at) {
    int32_t sum = HALF;
    ROLLED for (int32_t t = 0; t < c.n; t++) sum += c.k[static_cast<int64_t>(t / 4) * c.count].k[t % 4] * c.p[t * c.stride + at];
    return clamp8(sum);
}

DEVICE static column column_of(const imgvec_lanes *axis, int32_t i, const uint8_t *src, int64_t stride, int64_t base) {
    const int32_t lo = ints(axis, axis->lo)[i], n = ints(axis, axis->n)[i];
    return {src + (lo - base) * stride, stride, n, weights_of(axis) + i, axis->count};
}

DEVICE static void resample_v(const bytes_out &out, const uint8_t *src, const imgvec_lanes *axis, int64_t stride, int64_t step, int64_t base, int64_t lines) {
    const int64_t bytes = lines * step, across = (bytes + 15) / 16, items = across * axis->count;
    const bool fast = aligned(src, 16) && stride % 16 == 0 && aligned(out.dst, 16) && out.stride % 16 == 0;
    ROLLED for (int64_t item = thread_number(); item < items; item += thread_count()) {
        const int64_t i = item / across, at = (item - i * across) * 16;
        const column c = column_of(axis, static_cast<int32_t>(i), src, stride, base);
        uint8_t *row = out.dst + i * out.stride;
        if (fast && at + 16 <= bytes) {
            store(row + at, column_words<4, 16>(c, at));
        } else {
            ROLLED for (int64_t b = at; b < at + 16 && b < bytes; b++) row[b] = static_cast<uint8_t>(column_byte(c, b));
        }
    }
}

template <class T, bool PLANAR>
DEVICE void resample_v(const input_out<T, PLANAR> &out, const uint8_t *src, const imgvec_lanes *axis, int64_t stride, int64_t step, int64_t base, int64_t lines) {
    const int64_t across = (lines + 3) / 4, items = across * axis->count;
    const bool fast = step == 3 && aligned(src, 4) && stride % 4 == 0;
    ROLLED for (int64_t item = thread_number(); item < items; item += thread_count()) {
        const int64_t i = item / across, pixel = (item - i * across) * 4;
        const column c = column_of(axis, static_cast<int32_t>(i), src, stride, base);
        if (fast && pixel + 4 <= lines) {
            out.put4(i, pixel, column_words<3, 4>(c, pixel * 3));
        } else {
            ROLLED for (int64_t p = pixel; p < pixel + 4 && p < lines; p++)
                out.put(i, p, column_byte(c, p * step), column_byte(c, p * step + 1), column_byte(c, p * step + 2));
        }
    }
}

#endif
