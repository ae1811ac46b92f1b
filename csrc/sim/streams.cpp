// Streams: each is a thread with a queue. An operation begins when those that it depends on are over, and what it does
// happens then and not at the call that submitted it.
#include "sim.h"
#include <csignal>
#include <pthread.h>

namespace sim {

static thread_local WhoPtr now;
const WhoPtr &running() { return now; }

static bool over(Stream *s) { return s->ctx->device->world->dead; }
static bool broken(Stream *s) { return s->ctx->sticky || s->ctx->device->lost; }

// hang stops the stream for good, or until what hangs is released, the device is lost or the machine replaced.
static void hang(Lock &lk, World *w, Stream *s) {
    uint64_t before = w->released;
    s->hung = s->ctx->device->hung = true;
    s->work.wait(lk, [&] { return w->released != before || w->dead || broken(s); });
    s->hung = false;
}

static void await(Lock &lk, World *w, const Dep &d) {
    d.stream->wanted++;
    d.stream->work.notify_all();
    d.stream->done.wait(lk, [&] { return d.stream->completed >= d.seq || w->dead; });
    d.stream->wanted--;
}

static void execute(Lock &lk, World *w, Stream *s, Op &op) {
    using std::chrono::microseconds;
    if (w->lag_us) s->work.wait_for(lk, microseconds(w->lag_us), [&] { return s->wanted || w->dead; });
    for (auto &d : op.deps) await(lk, w, d);
    if (op.hang && !broken(s)) hang(lk, w, s);
    if (op.copy && w->slow_us) s->work.wait_for(lk, microseconds(w->slow_us), [&] { return w->dead || broken(s); });
    if (over(s) || broken(s)) return; // as the driver: nothing runs after an error, host functions neither
    int code = op.fail;
    if (!code && op.body) {
        lk.unlock();
        now = op.who;
        code = op.body();
        now = nullptr;
        lk.lock();
    }
    if (code && !s->ctx->sticky) {
        (ends_device(code) ? s->ctx->device->lost : s->ctx->sticky) = code;
        for (auto other : w->agents)
            if (other->ctx->device == s->ctx->device) other->work.notify_all();
    }
}

static void work(Stream *s) {
    Lock lk(g);
    World *w = s->ctx->device->world;
    for (;;) {
        s->work.wait(lk, [&] { return s->ending || !s->queue.empty(); });
        if (s->queue.empty() || w->dead) break;
        Op op = std::move(s->queue.front());
        s->queue.pop_front();
        execute(lk, w, s, op);
        if (w->dead) break; // it may have been dropped
        if (op.record) op.record->when = std::chrono::steady_clock::now();
        if (op.inflight) --*op.inflight;
        s->completed = op.who->seq;
        s->done.notify_all();
    }
    s->queue.clear();
    w->workers--;
    w->idle.notify_all();
}

Stream *new_stream(Context *c, unsigned flags, int priority) {
    World *w = c->device->world;
    auto s = new Stream;
    s->ctx = c;
    s->agent = unsigned(w->agents.size());
    s->flags = flags;
    s->blocking = !(flags & 1);
    s->priority = priority;
    s->name = "stream " + std::to_string(s->agent) + " of " + name(c->device);
    w->agents.push_back(s);
    w->streams[s] = s;
    c->streams.insert(s);
    w->workers++;
    // The thread takes no signals, which belong to the program; only its own faults reach it.
    sigset_t all, before;
    sigfillset(&all);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&all, fault);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    std::thread(work, s).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return s;
}

Stream *null_stream(Context *c) {
    if (!c->null) {
        c->null = new_stream(c, 0, 0);
        c->null->name = "the null stream of " + name(c->device);
    }
    return c->null;
}

void end_stream(Stream *s) {
    s->alive = false;
    s->ending = true;
    s->ctx->streams.erase(s);
    if (s->ctx->null == s) s->ctx->null = nullptr;
    s->work.notify_all();
}

// order adds what the null stream's old rules ask for: it waits for the blocking streams and they wait for it.
static void order(Stream *s, Op &op) {
    auto after = [&](Stream *other) {
        if (!other->idle()) op.deps.push_back({other, other->submitted});
        s->clock.join(other->clock);
    };
    Context *c = s->ctx;
    if (s == c->null) {
        for (auto other : c->streams)
            if (other != s && other->blocking) after(other);
    } else if (s->blocking && c->null) {
        after(c->null);
    }
}

WhoPtr submit(World *w, Stream *s, Op op, std::string what) {
    order(s, op);
    s->clock.join(w->host);
    s->clock.set(s->agent, ++s->submitted);
    op.who = std::make_shared<const Who>(Who{s->agent, s->submitted, s->clock, what + " on " + s->name});
    WhoPtr who = op.who;
    if (op.record) op.record->who = who;
    s->queue.push_back(std::move(op));
    s->work.notify_all();
    return who;
}

int async_fault(World *w, const Device *d, const char *category) { return fault(w, d, category, false); }

// ---- the calls ----

static int create(Call &c, void **out, unsigned flags, int priority) {
    if (c.code) return c.code;
    if (!out || flags > 1) return INVALID_VALUE;
    *out = new_stream(c.ctx, flags, priority);
    return OK;
}

API int cuStreamCreate(void **out, unsigned flags) {
    Call c("cuStreamCreate");
    return create(c, out, flags, 0);
}
API int cuStreamCreateWithPriority(void **out, unsigned flags, int priority) {
    Call c("cuStreamCreateWithPriority");
    return create(c, out, flags, priority);
}
API int cuStreamDestroy_v2(void *handle) {
    Call c("cuStreamDestroy_v2");
    if (c.code && !c.gone) return c.code;
    int lost = c.code;
    if (uintptr_t(handle) <= 2) return INVALID_HANDLE;
    Stream *s = c.stream(handle, false);
    if (!s) return c.code;
    if (!lost && !s->idle()) violate(c.w, "%s: %s is destroyed while it works", c.what, s->name.c_str());
    end_stream(s);
    return lost;
}
API int cuStreamSynchronize(void *handle) {
    Call c("cuStreamSynchronize");
    if (c.code && !c.gone) return c.code;
    Stream *s = c.stream(handle, false);
    return s ? c.wait(s, s->submitted, s->clock) : c.code;
}
API int cuStreamQuery(void *handle) {
    Call c("cuStreamQuery");
    if (c.code) return c.code;
    Stream *s = c.stream(handle, false);
    if (!s) return c.code;
    if (!s->idle()) return NOT_READY;
    c.w->host.join(s->clock);
    return c.sticky();
}
API int cuStreamWaitEvent(void *handle, void *event, unsigned flags) {
    Call c("cuStreamWaitEvent");
    if (c.code) return c.code;
    Stream *s = c.stream(handle);
    Event *e = s ? c.event(event) : nullptr;
    if (!e || flags) return c.code ? c.code : INVALID_VALUE;
    if (!e->last) return OK; // never recorded: nothing to wait for, as the driver has it
    Op op;
    op.deps.push_back({e->last->stream, e->last->who->seq});
    s->clock.join(e->last->who->clock);
    submit(c.w, s, std::move(op), "cuStreamWaitEvent");
    return OK;
}
API int cuStreamGetFlags(void *handle, unsigned *flags) {
    Call c("cuStreamGetFlags");
    if (c.code) return c.code;
    Stream *s = c.stream(handle, false);
    if (s) *flags = s->flags;
    return c.code;
}
API int cuStreamGetPriority(void *handle, int *priority) {
    Call c("cuStreamGetPriority");
    if (c.code) return c.code;
    Stream *s = c.stream(handle, false);
    if (s) *priority = s->priority;
    return c.code;
}
API int cuStreamGetCtx(void *handle, void **ctx) {
    Call c("cuStreamGetCtx");
    if (c.code) return c.code;
    Stream *s = c.stream(handle, false);
    if (s) *ctx = s->ctx;
    return c.code;
}

API int cuLaunchHostFunc(void *handle, void (*fn)(void *), void *data) {
    Call c("cuLaunchHostFunc");
    if (c.code) return c.code;
    Stream *s = c.stream(handle);
    if (!s || !fn) return c.code ? c.code : INVALID_VALUE;
    Op op;
    op.fail = async_fault(c.w, c.ctx->device, "hostfunc");
    op.hang = hangs(c.w, c.ctx->device);
    op.body = [=] {
        watched("a host function", [=] { fn(data); });
        return int(OK);
    };
    submit(c.w, s, std::move(op), "a host function");
    return OK;
}

} // namespace sim
