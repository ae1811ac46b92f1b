// What every call of the program goes through: it is counted, may be made to fail, and needs a context.
#include "sim.h"
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace sim {

bool started = false; // cuInit was called; outlives the machine, as in a process

static std::map<std::string, int64_t> &counts() {
    static auto all = new std::map<std::string, int64_t>;
    return *all;
}
static int64_t total = 0;
static thread_local std::vector<Context *> stack;

int64_t calls(const char *what) {
    if (!what) return total;
    auto it = counts().find(what);
    return it == counts().end() ? 0 : it->second;
}

// log_first appends a line to $IMGVEC_SIM_LOG at the first call of the process, for tests of what makes no call.
static void log_first(const char *what) {
    auto path = getenv("IMGVEC_SIM_LOG");
    if (!path || !*path) return;
    if (FILE *f = fopen(path, "a")) {
        fprintf(f, "first call of the simulated driver: %s, process %d\n", what, int(getpid()));
        fclose(f);
    }
}

bool ends_context(int code) {
    return (code >= 700 && code <= 719 && code != 704 && code != 705 && code != 708 && code != 712 && code != 713) || ends_device(code);
}
bool ends_device(int code) {
    switch (code) {
    case DEVICE_UNAVAILABLE: case NO_DEVICE: case INVALID_DEVICE: case ECC_UNCORRECTABLE: case NVLINK_UNCORRECTABLE:
    case SYSTEM_NOT_READY: case UNKNOWN:
        return true;
    }
    return false;
}

static bool fires(Fault &f, const Device *d) {
    if (f.device >= 0 && f.device != d->ordinal) return false;
    f.seen++;
    return f.seen >= f.at && (f.times < 0 || f.seen < f.at + f.times);
}

int fault(World *w, const Device *d, const char *call, bool any) {
    int code = OK;
    for (auto &f : w->faults)
        if ((f.call == call || (any && f.call == "*")) && fires(f, d)) code = f.code;
    return code;
}

bool hangs(World *w, const Device *d) {
    bool now = false;
    for (auto &f : w->hangs) now |= fires(f, d);
    return now;
}

Context *current() { return stack.empty() ? nullptr : stack.back(); }
void set_current(Context *c) {
    if (!stack.empty()) stack.pop_back();
    if (c) stack.push_back(c);
}
void push_current(Context *c) { stack.push_back(c); }
bool pop_current(Context **c) {
    if (stack.empty()) return false;
    if (c) *c = stack.back();
    stack.pop_back();
    return true;
}

// fail_device makes what the code means come true, for the calls that follow.
static void fail_device(Device *d, Context *c, int code) {
    if (ends_device(code)) d->lost = code;
    else if (ends_context(code) && c) c->sticky = code;
    else return;
    for (auto other : d->world->contexts) // what hangs there ends with it
        if (other->device == d)
            for (auto s : other->streams) s->work.notify_all();
}

thread_local int capture_mode = 0; // as cuThreadExchangeStreamCaptureMode sets it; 2 is relaxed

// breaks_capture tells whether a call fails on a thread that is not relaxed while another one captures a CUDA graph in the
// global mode.
static bool breaks_capture(const char *what) {
    static const char *const all[] = {
        "cuMemAlloc_v2", "cuMemFree_v2", "cuMemHostAlloc", "cuMemFreeHost", "cuMemHostRegister_v2", "cuMemHostUnregister",
        "cuEventSynchronize", "cuEventQuery", "cuStreamSynchronize", "cuStreamQuery", "cuCtxSynchronize", "cuMemcpyHtoD_v2",
        "cuMemcpyDtoH_v2", "cuModuleLoadData", "cuModuleLoadDataEx", "cuModuleUnload", "cuDevicePrimaryCtxRetain",
        "cuDevicePrimaryCtxRelease_v2",
    };
    for (auto name : all)
        if (!strcmp(name, what)) return true;
    return false;
}

Call::Call(const char *what, Need need, int ordinal) : what(what), lk(g), w(world()) {
    if (!total++) log_first(what);
    counts()[what]++;
    if (need == NOTHING) return;
    if (!started) {
        code = NOT_INITIALIZED;
        return;
    }
    if (w->capturing && capture_mode != 2 && breaks_capture(what)) {
        fail(STREAM_CAPTURE_UNSUPPORTED, "another thread captures a CUDA graph, and this one is not relaxed");
        return;
    }
    Device *d = nullptr;
    if (need == CONTEXT) {
        ctx = current();
        if (!ctx) {
            fail(INVALID_CONTEXT, "no context is current on this thread");
            return;
        }
        if (ctx->device->world != w) { // a thread that the old machine held
            code = CONTEXT_IS_DESTROYED;
            ctx = nullptr;
            return;
        }
        if (!ctx->refs) {
            fail(CONTEXT_IS_DESTROYED, "the current context was released");
            return;
        }
        d = ctx->device;
    } else if (ordinal >= 0 && ordinal < int(w->devices.size())) {
        d = w->devices[ordinal];
    }
    if (!d) return;
    if ((code = fault(w, d, what, true))) fail_device(d, ctx ? ctx : d->primary, code);
    if (d->lost || (ctx && ctx->sticky)) {
        code = d->lost ? d->lost : ctx->sticky;
        gone = true;
    }
}

int Call::fail(int c, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    violate(w, "%s%s%s: %s", ctx ? name(ctx->device).c_str() : "", ctx ? ": " : "", what, text);
    return code = c;
}

Device *Call::device(int ordinal) {
    if (code && !gone) return nullptr;
    if (ordinal < 0 || ordinal >= int(w->devices.size())) {
        code = INVALID_DEVICE;
        return nullptr;
    }
    return w->devices[ordinal];
}

Stream *Call::stream(void *handle, bool own) {
    if (handle == nullptr || handle == reinterpret_cast<void *>(1)) return null_stream(ctx);
    auto it = w->streams.find(handle);
    if (it == w->streams.end() || !it->second->alive) {
        fail(INVALID_HANDLE, it == w->streams.end() ? "no such stream" : "the stream was destroyed");
        return nullptr;
    }
    if (own && it->second->ctx != ctx) {
        fail(INVALID_HANDLE, "%s belongs to another context", it->second->name.c_str());
        return nullptr;
    }
    return it->second;
}

Event *Call::event(const void *handle, bool own) {
    auto it = w->known_events.find(handle);
    if (it == w->known_events.end() || !it->second->alive) {
        fail(INVALID_HANDLE, it == w->known_events.end() ? "no such event" : "the event was destroyed");
        return nullptr;
    }
    if (own && it->second->ctx != ctx) {
        fail(INVALID_HANDLE, "the event belongs to another context");
        return nullptr;
    }
    return it->second;
}

// wait blocks until the stream has come so far; then the program has seen all that join tells.
int Call::wait(Stream *s, uint64_t seq, const Clock &join) {
    Clock seen = join;
    s->wanted++;
    s->work.notify_all();
    s->done.wait(lk, [&] { return s->completed >= seq || w->dead; });
    s->wanted--;
    if (s->completed < seq) return code = CONTEXT_IS_DESTROYED;
    w->host.join(seen);
    return code = s->ctx->state();
}

void Call::drain(Context *c) {
    int before = code;
    for (size_t i = 0; i < w->agents.size(); i++) // others may add some while this waits
        if (Stream *s = w->agents[i]; s->ctx == c) wait(s, s->submitted, s->clock);
    code = before;
}

} // namespace sim
