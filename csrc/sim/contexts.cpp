// Contexts: the primary one of each device, which is counted, and others that a program makes for itself.
#include "sim.h"

namespace sim {

void push_current(Context *c);
extern thread_local int capture_mode;
bool pop_current(Context **c);
bool of_old_world(const Context *c);

static bool known(const World *w, const Context *c) { return w->contexts.count(const_cast<Context *>(c)) > 0; }

// usable finds the context of a handle; a thread of a machine that is gone gets an error and no violation.
static Context *usable(Call &c, void *handle) {
    auto ctx = static_cast<Context *>(handle);
    if (known(c.w, ctx) && ctx->refs) return ctx;
    if (of_old_world(ctx)) c.code = CONTEXT_IS_DESTROYED;
    else c.fail(INVALID_CONTEXT, "no such context, or it was released");
    return nullptr;
}

// destroy ends a context and all that is in it. What is left in it is told: the driver would take it silently.
static void destroy(Call &c, Context *ctx) {
    size_t bytes = 0, streams = 0, events = 0, modules = 0;
    std::vector<Span *> spans;
    for (auto &[base, s] : c.w->spans)
        if (s->ctx == ctx) spans.push_back(s), bytes += s->size;
    for (auto s : ctx->streams) streams += s != ctx->null;
    for (auto e : c.w->events) events += e->ctx == ctx;
    for (auto m : c.w->modules) modules += m->ctx == ctx;
    if (bytes + streams + events + modules)
        violate(c.w, "%s: the context is released with %zu bytes, %zu streams, %zu events and %zu modules in it",
                name(ctx->device).c_str(), bytes, streams, events, modules);
    c.drain(ctx);
    if (c.w->dead) return;
    while (!ctx->streams.empty()) end_stream(*ctx->streams.begin());
    for (auto s : spans)
        if (s->live) bury(c.w, s);
    for (auto it = c.w->events.begin(); it != c.w->events.end();)
        it = (*it)->ctx == ctx ? ((*it)->alive = false, c.w->events.erase(it)) : std::next(it);
    for (auto it = c.w->modules.begin(); it != c.w->modules.end();)
        it = (*it)->ctx == ctx ? ((*it)->alive = false, c.w->modules.erase(it)) : std::next(it);
    ctx->sticky = OK; // a fresh context starts without the old one's fault; a lost device stays lost
}

API int cuDevicePrimaryCtxRetain(void **out, int i) {
    Call c("cuDevicePrimaryCtxRetain", STARTED, i);
    if (c.code) return c.code;
    Device *d = c.device(i);
    if (!d) return c.code;
    d->primary->refs++;
    *out = d->primary;
    return OK;
}
API int cuDevicePrimaryCtxRelease_v2(int i) {
    Call c("cuDevicePrimaryCtxRelease_v2", STARTED, i);
    int lost = c.code;
    if (lost && !c.gone) return lost;
    Device *d = c.device(i);
    if (!d) return c.code;
    if (!d->primary->refs) return c.fail(INVALID_CONTEXT, "%s: the primary context is not retained", name(d).c_str());
    if (d->primary->refs == 1) destroy(c, d->primary);
    d->primary->refs--;
    return lost;
}
API int cuDevicePrimaryCtxReset_v2(int i) {
    Call c("cuDevicePrimaryCtxReset_v2", STARTED, i);
    if (c.code && !c.gone) return c.code;
    int lost = c.code;
    Device *d = c.device(i);
    if (!d) return c.code;
    destroy(c, d->primary);
    return lost;
}
API int cuDevicePrimaryCtxGetState(int i, unsigned *flags, int *active) {
    Call c("cuDevicePrimaryCtxGetState", STARTED);
    if (Device *d = c.device(i)) *flags = 0, *active = d->primary->refs > 0;
    return c.code;
}
API int cuDevicePrimaryCtxSetFlags_v2(int i, unsigned) {
    Call c("cuDevicePrimaryCtxSetFlags_v2", STARTED);
    c.device(i);
    return c.code;
}

API int cuCtxCreate_v2(void **out, unsigned, int i) {
    Call c("cuCtxCreate_v2", STARTED, i);
    if (c.code) return c.code;
    Device *d = c.device(i);
    if (!d) return c.code;
    auto ctx = new Context{d};
    ctx->refs = 1;
    c.w->contexts.insert(ctx);
    push_current(ctx);
    *out = ctx;
    return OK;
}
API int cuCtxDestroy_v2(void *handle) {
    Call c("cuCtxDestroy_v2", STARTED);
    if (c.code) return c.code;
    Context *ctx = usable(c, handle);
    if (!ctx) return c.code;
    if (ctx->primary) return c.fail(INVALID_CONTEXT, "a primary context is released and not destroyed");
    destroy(c, ctx);
    ctx->refs = 0;
    if (current() == ctx) pop_current(nullptr);
    return OK;
}
API int cuCtxSetCurrent(void *handle) {
    Call c("cuCtxSetCurrent", STARTED);
    if (c.code) return c.code;
    Context *ctx = handle ? usable(c, handle) : nullptr;
    if (!c.code) set_current(ctx);
    return c.code;
}
API int cuCtxGetCurrent(void **out) {
    Call c("cuCtxGetCurrent", STARTED);
    if (!c.code) *out = current();
    return c.code;
}
API int cuCtxPushCurrent_v2(void *handle) {
    Call c("cuCtxPushCurrent_v2", STARTED);
    if (c.code) return c.code;
    if (Context *ctx = usable(c, handle)) push_current(ctx);
    return c.code;
}
API int cuCtxPopCurrent_v2(void **out) {
    Call c("cuCtxPopCurrent_v2", STARTED);
    if (c.code) return c.code;
    Context *ctx = nullptr;
    if (!pop_current(&ctx)) return INVALID_CONTEXT;
    if (out) *out = ctx;
    return OK;
}
API int cuCtxGetDevice(int *out) {
    Call c("cuCtxGetDevice");
    if (!c.code) *out = c.ctx->device->ordinal;
    return c.code;
}
API int cuCtxSynchronize() {
    Call c("cuCtxSynchronize");
    if (c.code && !c.gone) return c.code;
    c.drain(c.ctx);
    return c.w->dead ? int(CONTEXT_IS_DESTROYED) : c.sticky();
}
API int cuCtxGetApiVersion(void *, unsigned *version) {
    Call c("cuCtxGetApiVersion", STARTED);
    if (!c.code) *version = 3020;
    return c.code;
}
API int cuCtxGetFlags(unsigned *flags) {
    Call c("cuCtxGetFlags");
    if (!c.code) *flags = 0;
    return c.code;
}
API int cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    Call c("cuCtxGetStreamPriorityRange");
    if (!c.code) *least = 0, *greatest = -5;
    return c.code;
}

API int cuThreadExchangeStreamCaptureMode(int *mode) {
    Call c("cuThreadExchangeStreamCaptureMode", STARTED);
    if (c.code) return c.code;
    if (!mode || *mode < 0 || *mode > 2) return c.code = INVALID_VALUE;
    std::swap(*mode, capture_mode);
    return OK;
}

} // namespace sim
