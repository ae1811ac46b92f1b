// Copies and fills. An asynchronous copy reads and writes when its stream comes to it: the program that changes the
// source too early sends wrong data, the one that reads the destination too early finds POISON there. Where it can be
// told for certain it is a violation as well.
#include "sim.h"
#include <cstring>

namespace sim {

enum Wait { ASYNC, SYNC, ENQUEUED }; // ENQUEUED: no host range, and returns before it is done

// Side is one end of a copy.
struct Side {
    uintptr_t p;
    Span *span = nullptr;          // null: pageable host memory
    bool host() const { return !span || span->kind != DEVICE; }
};

static uint64_t sum(uintptr_t p, size_t n) {
    auto at = reinterpret_cast<const char *>(p);
    uint64_t h = 0x9e3779b97f4a7c15u, v;
    for (; n >= 8; n -= 8, at += 8) {
        memcpy(&v, at, 8);
        h = (h ^ v) * 0xff51afd7ed558ccdu;
        h ^= h >> 29;
    }
    v = 0;
    memcpy(&v, at, n);
    return (h ^ v) * 0xff51afd7ed558ccdu;
}

static bool still_poison(uintptr_t p, size_t n) {
    auto at = reinterpret_cast<const unsigned char *>(p);
    for (size_t i = 0; i < n; i++)
        if (at[i] != POISON) return false;
    return true;
}

static bool device_side(Call &c, Side &s, size_t n) {
    s.span = find(c.w, s.p, n);
    if (s.span && s.span->kind == DEVICE && s.span->ctx == c.ctx) return true;
    Span *part = find(c.w, s.p);
    if (part && part->kind == DEVICE && part->ctx != c.ctx)
        c.fail(INVALID_VALUE, "%s belongs to another context", describe(part).c_str());
    else if (part && part->kind == DEVICE)
        c.fail(INVALID_VALUE, "%zu bytes from %s on go beyond %s", n, hex(s.p).c_str(), describe(part).c_str());
    else
        c.fail(INVALID_VALUE, freed(c.w, s.p) ? "%s was freed" : "%s is no device memory", hex(s.p).c_str());
    return false;
}

static bool host_side(Call &c, Side &s, size_t n, Wait wait, bool write) {
    constexpr unsigned READ_ONLY = 8;
    Span *span = find(c.w, s.p, n);
    if (span && span->kind == DEVICE) return c.fail(INVALID_VALUE, "%s is device memory", hex(s.p).c_str()), false;
    if (pinned_for(span, c.ctx) && !(write && span->kind == REGISTERED && span->flags & READ_ONLY)) {
        s.span = span;
        return true;
    }
    if (wait != ASYNC) return true;
    Span *part = find(c.w, s.p);
    if (span && !pinned_for(span, c.ctx))
        c.fail(INVALID_VALUE, "asynchronous copy: %s was not made portable to other contexts", describe(span).c_str());
    else if (span)
        c.fail(INVALID_VALUE, "asynchronous copy: %s was registered to be read only", describe(span).c_str());
    else if (part)
        c.fail(INVALID_VALUE, "asynchronous copy: %zu bytes from %s on go beyond %s", n, hex(s.p).c_str(), describe(part).c_str());
    else
        c.fail(INVALID_VALUE, freed(c.w, s.p) ? "asynchronous copy: %s was freed" : "asynchronous copy: host memory at %s is not page-locked", hex(s.p).c_str());
    return false;
}

// Watch tells whether the program leaves the host's end alone while a copy is on its way. It looks only where no
// operation of the driver writes there meanwhile.
struct Watch {
    bool source = false, destination = false;
    uint64_t sum = 0;
};
static Watch watch(Call &c, const Side &dst, const Side &src, size_t n, Wait wait) {
    Watch now;
    if (wait != ASYNC) return now;
    now.source = src.host() && !pending(c.w, src.span, src.p, n, true);
    now.destination = dst.host() && !pending(c.w, dst.span, dst.p, n, false);
    c.lk.unlock(); // the memory is the caller's
    if (now.source) now.sum = sum(src.p, n);
    if (now.destination) memset(reinterpret_cast<void *>(dst.p), POISON, n);
    c.lk.lock();
    return now;
}

static int carry_out(World *w, Side dst, Side src, size_t n, Watch before) {
    const std::string &what = running()->what;
    {
        Lock lk(g);
        if ((src.span && !src.span->live) || (dst.span && !dst.span->live)) {
            violate(w, "%s comes to memory that was freed", what.c_str());
            return ILLEGAL_ADDRESS;
        }
        if (src.span) check_written(w, src.span, src.p, n, false, what);
    }
    bool changed = false, written = false;
    watched(what.c_str(), [&] {
        changed = before.source && sum(src.p, n) != before.sum;
        written = before.destination && !still_poison(dst.p, n);
        memmove(reinterpret_cast<void *>(dst.p), reinterpret_cast<void *>(src.p), n);
    });
    Lock lk(g);
    if (changed) violate(w, "the program changed the source of %s before the copy came to it", what.c_str());
    if (written) violate(w, "the program wrote to the destination of %s before the copy came to it", what.c_str());
    if (dst.span) mark_written(dst.span, dst.p, n);
    return OK;
}

static int copy(Call &c, Side dst, Side src, bool dst_host, bool src_host, size_t n, void *handle, Wait wait) {
    if (c.code || !n) return c.code;
    if (!(dst_host ? host_side(c, dst, n, wait, true) : device_side(c, dst, n))) return c.code;
    if (!(src_host ? host_side(c, src, n, wait, false) : device_side(c, src, n))) return c.code;
    Stream *s = c.stream(handle);
    if (!s) return c.code;
    Watch before = watch(c, dst, src, n, wait);
    if (c.w->dead) return CONTEXT_IS_DESTROYED;
    Op op;
    op.copy = true;
    op.fail = async_fault(c.w, c.ctx->device, "copy");
    op.body = [=, w = c.w] { return carry_out(w, dst, src, n, before); };
    WhoPtr who = submit(c.w, s, std::move(op), c.what);
    if (src.span) note(c.w, src.span, src.p, n, false, who);
    if (dst.span) note(c.w, dst.span, dst.p, n, true, who);
    if (wait != SYNC) return OK;
    // From pageable memory the driver may return as soon as it has the bytes, before they are on the device: the program
    // may use the source again, and has waited for nothing else.
    bool staged = src.host() && !src.span && !dst.host();
    return c.wait(s, who->seq, staged ? Clock{} : who->clock);
}

API int cuMemcpyHtoDAsync_v2(Address dst, const void *src, size_t n, void *stream) {
    Call c("cuMemcpyHtoDAsync_v2");
    return copy(c, {uintptr_t(dst)}, {uintptr_t(src)}, false, true, n, stream, ASYNC);
}
API int cuMemcpyDtoHAsync_v2(void *dst, Address src, size_t n, void *stream) {
    Call c("cuMemcpyDtoHAsync_v2");
    return copy(c, {uintptr_t(dst)}, {uintptr_t(src)}, true, false, n, stream, ASYNC);
}
API int cuMemcpyDtoDAsync_v2(Address dst, Address src, size_t n, void *stream) {
    Call c("cuMemcpyDtoDAsync_v2");
    return copy(c, {uintptr_t(dst)}, {uintptr_t(src)}, false, false, n, stream, ENQUEUED);
}
API int cuMemcpyHtoD_v2(Address dst, const void *src, size_t n) {
    Call c("cuMemcpyHtoD_v2");
    return copy(c, {uintptr_t(dst)}, {uintptr_t(src)}, false, true, n, nullptr, SYNC);
}
API int cuMemcpyDtoH_v2(void *dst, Address src, size_t n) {
    Call c("cuMemcpyDtoH_v2");
    return copy(c, {uintptr_t(dst)}, {uintptr_t(src)}, true, false, n, nullptr, SYNC);
}
API int cuMemcpyDtoD_v2(Address dst, Address src, size_t n) {
    Call c("cuMemcpyDtoD_v2");
    return copy(c, {uintptr_t(dst)}, {uintptr_t(src)}, false, false, n, nullptr, ENQUEUED);
}

static int unified(Call &c, Address dst, Address src, size_t n, void *stream, Wait wait) {
    if (c.code) return c.code;
    auto host = [&](Address p) {
        Span *s = find(c.w, p);
        return s ? s->kind != DEVICE : !freed(c.w, p);
    };
    bool to = host(dst), from = host(src);
    if (to && from) return c.fail(NOT_SUPPORTED, "copies between two places of the host are not simulated");
    return copy(c, {uintptr_t(dst)}, {uintptr_t(src)}, to, from, n, stream, to || from ? wait : ENQUEUED);
}
API int cuMemcpy(Address dst, Address src, size_t n) {
    Call c("cuMemcpy");
    return unified(c, dst, src, n, nullptr, SYNC);
}
API int cuMemcpyAsync(Address dst, Address src, size_t n, void *stream) {
    Call c("cuMemcpyAsync");
    return unified(c, dst, src, n, stream, ASYNC);
}

// ---- fills ----

template <class T> static int fill(Call &c, Address p, T value, size_t count, void *handle) {
    size_t n = count * sizeof value;
    if (c.code || !n) return c.code;
    Side dst{uintptr_t(p)};
    if (p % sizeof value) return INVALID_VALUE;
    if (!device_side(c, dst, n)) return c.code;
    Stream *s = c.stream(handle);
    if (!s) return c.code;
    Op op;
    op.body = [=] {
        auto at = reinterpret_cast<T *>(dst.p);
        for (size_t i = 0; i < count; i++) at[i] = value;
        Lock lk(g);
        mark_written(dst.span, dst.p, n);
        return int(OK);
    };
    note(c.w, dst.span, dst.p, n, true, submit(c.w, s, std::move(op), c.what));
    return OK;
}
API int cuMemsetD8Async(Address p, unsigned char v, size_t n, void *stream) { Call c("cuMemsetD8Async"); return fill(c, p, v, n, stream); }
API int cuMemsetD16Async(Address p, unsigned short v, size_t n, void *stream) { Call c("cuMemsetD16Async"); return fill(c, p, v, n, stream); }
API int cuMemsetD32Async(Address p, unsigned v, size_t n, void *stream) { Call c("cuMemsetD32Async"); return fill(c, p, v, n, stream); }
API int cuMemsetD8_v2(Address p, unsigned char v, size_t n) { Call c("cuMemsetD8_v2"); return fill(c, p, v, n, nullptr); }
API int cuMemsetD16_v2(Address p, unsigned short v, size_t n) { Call c("cuMemsetD16_v2"); return fill(c, p, v, n, nullptr); }
API int cuMemsetD32_v2(Address p, unsigned v, size_t n) { Call c("cuMemsetD32_v2"); return fill(c, p, v, n, nullptr); }

} // namespace sim
