// Events: a record carries its stream's clock to whoever waits for it.
#include "sim.h"

namespace sim {

enum { BLOCKING_SYNC = 1, DISABLE_TIMING = 2 };

static bool done(const Record &r) { return r.stream->completed >= r.who->seq; }

API int cuEventCreate(void **out, unsigned flags) {
    Call c("cuEventCreate");
    if (c.code) return c.code;
    if (!out || flags & ~3u) return INVALID_VALUE;
    auto e = new Event{c.ctx, flags};
    c.w->events.insert(e);
    c.w->known_events[e] = e;
    *out = e;
    return OK;
}

API int cuEventDestroy_v2(void *handle) {
    Call c("cuEventDestroy_v2");
    if (c.code && !c.gone) return c.code;
    int lost = c.code;
    Event *e = c.event(handle);
    if (!e) return c.code;
    e->alive = false;
    e->last = nullptr;
    c.w->events.erase(e);
    return lost;
}

API int cuEventRecord(void *handle, void *stream) {
    Call c("cuEventRecord");
    if (c.code) return c.code;
    Stream *s = c.stream(stream);
    Event *e = s ? c.event(handle, true) : nullptr;
    if (!e) return c.code;
    Op op;
    op.record = e->last = std::make_shared<Record>(Record{s, nullptr});
    submit(c.w, s, std::move(op), "cuEventRecord");
    return OK;
}
API int cuEventRecordWithFlags(void *handle, void *stream, unsigned) { return cuEventRecord(handle, stream); }

API int cuEventSynchronize(void *handle) {
    Call c("cuEventSynchronize");
    if (c.code && !c.gone) return c.code;
    Event *e = c.event(handle);
    if (!e) return c.code;
    auto last = e->last;
    return last ? c.wait(last->stream, last->who->seq, last->who->clock) : c.code;
}

API int cuEventQuery(void *handle) {
    Call c("cuEventQuery");
    if (c.code) return c.code;
    Event *e = c.event(handle);
    if (!e || !e->last) return c.code;
    if (!done(*e->last)) return NOT_READY;
    c.w->host.join(e->last->who->clock);
    return c.sticky();
}

static int elapsed(Call &&c, float *ms, void *from, void *to) {
    if (c.code) return c.code;
    Event *a = c.event(from), *b = a ? c.event(to) : nullptr;
    if (!b) return c.code;
    if ((a->flags | b->flags) & DISABLE_TIMING) return c.fail(INVALID_HANDLE, "an event does not keep time");
    if (!a->last || !b->last) return c.fail(INVALID_HANDLE, "an event was never recorded");
    if (!done(*a->last) || !done(*b->last)) return NOT_READY;
    *ms = std::chrono::duration<float, std::milli>(b->last->when - a->last->when).count();
    return OK;
}
API int cuEventElapsedTime(float *ms, void *from, void *to) { return elapsed(Call("cuEventElapsedTime"), ms, from, to); }
API int cuEventElapsedTime_v2(float *ms, void *from, void *to) { return elapsed(Call("cuEventElapsedTime_v2"), ms, from, to); }

} // namespace sim
