// Memory: each allocation is a mapping of its own that ends at a guard page, filled with POISON when it is made. Freed
// memory stays reserved without access rights, so its late use is a fault and its address is known for what it was.
#include "sim.h"
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace sim {

constexpr size_t PAGE = 4096, ALIGN = 256, KEEP_FREED = 4096;

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

Span *find(World *w, uintptr_t p) {
    auto it = w->spans.upper_bound(p);
    if (it == w->spans.begin()) return nullptr;
    Span *s = std::prev(it)->second;
    return s->has(p, 1) ? s : nullptr;
}
Span *find(World *w, uintptr_t p, size_t n) {
    Span *s = find(w, p);
    return s && s->has(p, n) ? s : nullptr;
}

bool freed(World *w, uintptr_t p) {
    auto it = w->graves.upper_bound(p);
    return it != w->graves.begin() && std::prev(it)->second->has(p, 1);
}

static const char *kind_name(Kind k) { return k == DEVICE ? "device" : k == PINNED ? "pinned" : "registered"; }

std::string describe(const Span *s) {
    return std::string(kind_name(s->kind)) + " memory of " + name(s->ctx->device) + " (" + std::to_string(s->size) +
           " bytes at " + hex(s->base) + ")";
}

bool pinned_for(const Span *s, const Context *c) {
    constexpr unsigned PORTABLE = 1;
    return s && s->kind != DEVICE && (s->ctx == c || s->flags & PORTABLE);
}

Span *new_span(World *w, Context *c, Kind kind, size_t n, unsigned flags) {
    size_t body = round_up(n, PAGE), mapped = body + 2 * PAGE;
    auto map = static_cast<char *>(mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (map == MAP_FAILED) return nullptr;
    if (mprotect(map + PAGE, body, PROT_READ | PROT_WRITE)) {
        munmap(map, mapped);
        return nullptr;
    }
    memset(map + PAGE, POISON, body);
    auto base = uintptr_t(map + PAGE + body - round_up(n, ALIGN));
    auto s = new Span{kind, base, n, map, mapped, c, flags};
    w->spans[base] = s;
    if (kind == DEVICE) c->device->used += n;
    return s;
}

// untouched tells whether the bytes around the allocation, up to its guard pages, are as they were.
static bool untouched(const Span *s) {
    auto whole = [](uintptr_t lo, uintptr_t hi) {
        for (uintptr_t p = lo; p < hi; p++)
            if (*reinterpret_cast<unsigned char *>(p) != POISON) return false;
        return true;
    };
    auto first = uintptr_t(s->map) + PAGE, last = uintptr_t(s->map) + s->mapped - PAGE;
    return whole(first, s->base) && whole(s->end(), last);
}

// bury takes a span out of use: its pages go back to the system, its addresses stay taken for a while.
void bury(World *w, Span *s) {
    w->spans.erase(s->base);
    s->live = false;
    s->seen.clear();
    s->written.clear();
    if (s->kind == DEVICE) s->ctx->device->used -= s->size;
    if (!s->map) return;
    if (!untouched(s)) violate(w, "something wrote beyond the ends of %s", describe(s).c_str());
    mmap(s->map, s->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    w->graves[s->base] = s;
    if (w->graves.size() > KEEP_FREED) {
        auto oldest = w->graves.begin();
        munmap(oldest->second->map, oldest->second->mapped);
        w->graves.erase(oldest);
    }
}

// release frees a span that the program gives back. Like the driver it waits for the context's work; that the program
// itself did not wait for what touches the memory is a violation, since only this driver's kindness makes it work.
static int release(Call &c, Span *s) {
    int lost = c.code;
    std::string culprit;
    if (!lost && !awaited(c.w, s, &culprit))
        violate(c.w, "%s frees %s while nobody has waited for %s", c.what, describe(s).c_str(), culprit.c_str());
    c.drain(s->ctx);
    if (c.w->dead) return CONTEXT_IS_DESTROYED;
    if (s->live) bury(c.w, s);
    return lost;
}

static Span *owned(Call &c, uintptr_t p, Kind kind, int unknown) {
    auto it = c.w->spans.find(p);
    if (it != c.w->spans.end() && it->second->kind == kind) return it->second;
    c.fail(unknown, freed(c.w, p) ? "%s was freed before" : "no such memory: %s", hex(p).c_str());
    return nullptr;
}

API int cuMemAlloc_v2(Address *out, size_t n) {
    Call c("cuMemAlloc_v2");
    if (c.code) return c.code;
    if (!out || !n) return INVALID_VALUE;
    if (n > c.w->memory || c.ctx->device->used > c.w->memory - n) return OUT_OF_MEMORY;
    Span *s = new_span(c.w, c.ctx, DEVICE, n, 0);
    if (!s) return OUT_OF_MEMORY;
    *out = s->base;
    return OK;
}
API int cuMemFree_v2(Address p) {
    Call c("cuMemFree_v2");
    if (c.code && !c.gone) return c.code;
    int lost = c.code;
    if (!p) return lost;
    Span *s = owned(c, p, DEVICE, INVALID_VALUE);
    if (!s) return c.code;
    if (s->ctx != c.ctx) return c.fail(INVALID_VALUE, "%s belongs to another context", describe(s).c_str());
    return release(c, s);
}
API int cuMemGetInfo_v2(size_t *free, size_t *total) {
    Call c("cuMemGetInfo_v2");
    if (c.code) return c.code;
    *total = c.w->memory;
    *free = c.w->memory - c.ctx->device->used;
    return OK;
}

static int host_alloc(Call &c, void **out, size_t n, unsigned flags) {
    if (c.code) return c.code;
    if (!out || !n || flags > 7) return INVALID_VALUE;
    Span *s = new_span(c.w, c.ctx, PINNED, n, flags);
    if (!s) return OUT_OF_MEMORY;
    *out = reinterpret_cast<void *>(s->base);
    return OK;
}
API int cuMemHostAlloc(void **out, size_t n, unsigned flags) {
    Call c("cuMemHostAlloc");
    return host_alloc(c, out, n, flags);
}
API int cuMemAllocHost_v2(void **out, size_t n) {
    Call c("cuMemAllocHost_v2");
    return host_alloc(c, out, n, 0);
}
API int cuMemFreeHost(void *p) {
    Call c("cuMemFreeHost");
    if (c.code && !c.gone) return c.code;
    Span *s = owned(c, uintptr_t(p), PINNED, INVALID_VALUE);
    return s ? release(c, s) : c.code;
}

// resident tells whether all pages of the range exist: registering nothing would only show when it is used.
static bool mapped(uintptr_t p, size_t n) {
    std::vector<unsigned char> state((n + 2 * PAGE) / PAGE + 1);
    uintptr_t from = p / PAGE * PAGE;
    return mincore(reinterpret_cast<void *>(from), round_up(p + n - from, PAGE), state.data()) == 0;
}

static int host_register(Call &c, void *p, size_t n, unsigned flags) {
    if (c.code) return c.code;
    uintptr_t lo = uintptr_t(p);
    if (!p || !n || flags > 15) return INVALID_VALUE;
    if (!mapped(lo, n)) return c.fail(INVALID_VALUE, "%zu bytes at %s are not memory", n, hex(lo).c_str());
    auto next = c.w->spans.upper_bound(lo + n - 1);
    if (next != c.w->spans.begin() && std::prev(next)->second->end() > lo) return ALREADY_REGISTERED;
    c.w->spans[lo] = new Span{REGISTERED, lo, n, nullptr, 0, c.ctx, flags};
    return OK;
}
static int host_unregister(Call &c, void *p) {
    if (c.code && !c.gone) return c.code;
    Span *s = owned(c, uintptr_t(p), REGISTERED, NOT_REGISTERED);
    return s ? release(c, s) : c.code;
}
API int cuMemHostRegister_v2(void *p, size_t n, unsigned flags) {
    Call c("cuMemHostRegister_v2");
    return host_register(c, p, n, flags);
}
API int cuMemHostRegister(void *p, size_t n, unsigned flags) {
    Call c("cuMemHostRegister");
    return host_register(c, p, n, flags);
}
API int cuMemHostUnregister(void *p) {
    Call c("cuMemHostUnregister");
    return host_unregister(c, p);
}
API int cuMemHostGetDevicePointer_v2(Address *out, void *p, unsigned) {
    Call c("cuMemHostGetDevicePointer_v2");
    if (c.code) return c.code;
    Span *s = find(c.w, uintptr_t(p));
    if (!pinned_for(s, c.ctx)) return c.fail(INVALID_VALUE, "%s is not page-locked", hex(uintptr_t(p)).c_str());
    *out = uintptr_t(p);
    return OK;
}
API int cuMemHostGetFlags(unsigned *flags, void *p) {
    Call c("cuMemHostGetFlags");
    if (c.code) return c.code;
    Span *s = find(c.w, uintptr_t(p));
    if (!s || s->kind == DEVICE) return INVALID_VALUE;
    *flags = s->flags;
    return OK;
}

API int cuMemGetAddressRange_v2(Address *base, size_t *size, Address p) {
    Call c("cuMemGetAddressRange_v2");
    if (c.code) return c.code;
    Span *s = find(c.w, p);
    if (!s || s->kind == REGISTERED) return NOT_FOUND;
    if (base) *base = s->base;
    if (size) *size = s->size;
    return OK;
}

API int cuPointerGetAttribute(void *out, int attribute, Address p) {
    enum { CTX = 1, MEMORY_TYPE = 2, DEVICE_POINTER = 3, HOST_POINTER = 4, IS_MANAGED = 8, ORDINAL = 9, RANGE_START = 11, RANGE_SIZE = 12, MAPPED = 13 };
    Call c("cuPointerGetAttribute", STARTED);
    if (c.code) return c.code;
    Span *s = find(c.w, p);
    if (!s) return INVALID_VALUE;
    switch (attribute) {
    case CTX: *static_cast<void **>(out) = s->ctx; return OK;
    case MEMORY_TYPE: *static_cast<unsigned *>(out) = s->kind == DEVICE ? 2 : 1; return OK;
    case HOST_POINTER:
        if (s->kind == DEVICE) return INVALID_VALUE;
        [[fallthrough]];
    case DEVICE_POINTER: *static_cast<Address *>(out) = p; return OK;
    case IS_MANAGED: *static_cast<bool *>(out) = false; return OK;
    case ORDINAL: *static_cast<int *>(out) = s->ctx->device->ordinal; return OK;
    case RANGE_START: *static_cast<Address *>(out) = s->base; return OK;
    case RANGE_SIZE: *static_cast<size_t *>(out) = s->size; return OK;
    case MAPPED: *static_cast<bool *>(out) = true; return OK;
    }
    return NOT_SUPPORTED;
}

} // namespace sim
