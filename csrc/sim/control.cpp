// What tests ask of the machine and do to it: plain C functions, found by name in the library.
#include "sim.h"
#include <cstring>

namespace sim {

void counters(World *w, int64_t out[9]); // world.cpp

static size_t give(const std::string &text, char *out, size_t n) {
    if (n) {
        size_t m = std::min(n - 1, text.size());
        memcpy(out, text.data(), m);
        out[m] = 0;
    }
    return text.size();
}

// Tells that this is no real driver.
API int imgvec_sim_version() { return 1; }

// A fresh machine with so many devices, less those that CUDA_VISIBLE_DEVICES hides. What the old one was left with is
// written to report. Gives 0 where nothing was left.
API int imgvec_sim_reset(int devices, char *report, size_t n) {
    std::string text;
    int left = replace_world(devices, &text);
    give(text, report, n);
    return left;
}

// The at-th call from now (from 1) of what fails with code, and the times - 1 after it; times < 0: all after it. what is
// a function's name; "*", any call that has a context; or what fails only when its stream comes to it, like a real one:
// "launch", "copy", "hostfunc". device < 0: any.
API void imgvec_sim_fail(int device, const char *what, long at, int code, long times) {
    Lock lk(g);
    world()->faults.push_back({device, what, at, 0, code, times ? times : 1});
}
// The at-th kernel or host function from now that is queued on the device never ends, until the release.
API void imgvec_sim_hang(int device, long at) {
    Lock lk(g);
    world()->hangs.push_back({device, "", at, 0, 0, 1});
}
API void imgvec_sim_release() {
    Lock lk(g);
    World *w = world();
    w->released++;
    for (auto d : w->devices) d->hung = false;
    for (auto s : w->agents) s->work.notify_all();
}
// As if a thread captured a CUDA graph in the global mode: calls that break that fail on threads that are not relaxed.
API void imgvec_sim_capturing(int on) {
    Lock lk(g);
    world()->capturing = on != 0;
}
// Every copy lasts that much longer.
API void imgvec_sim_slow_copies(long us) {
    Lock lk(g);
    world()->slow_us = us;
}
// Every operation begins that much later, unless somebody waits for it: what is not waited for is not done yet.
API void imgvec_sim_lag(long us) {
    Lock lk(g);
    world()->lag_us = us;
}
// Memory of each device, in bytes.
API void imgvec_sim_memory(int64_t bytes) {
    Lock lk(g);
    world()->memory = size_t(bytes);
}

// Bytes of device, pinned, registered memory; streams, events, modules, contexts; and of devices where something hangs,
// which the ones before leave out: bytes, objects.
API void imgvec_sim_counters(int64_t out[9]) {
    Lock lk(g);
    counters(world(), out);
}
// Calls of the function, in any machine of this process; null: of all.
API int64_t imgvec_sim_calls(const char *what) {
    Lock lk(g);
    return calls(what);
}
// The violations so far, a line each; the length of the text is returned, however much of it fits.
API size_t imgvec_sim_violations(char *out, size_t n) {
    Lock lk(g);
    std::string text;
    for (auto &v : world()->violations) text += v + "\n";
    return give(text, out, n);
}
API void imgvec_sim_clear_violations() {
    Lock lk(g);
    world()->violations.clear();
}
// Waits until every stream is idle; false where something hangs.
API int imgvec_sim_settle() {
    Lock lk(g);
    World *w = world();
    for (size_t i = 0; i < w->agents.size(); i++) {
        Stream *s = w->agents[i];
        s->wanted++;
        s->work.notify_all();
        while (!s->idle() && !w->dead) {
            for (auto other : w->agents)
                if (other->hung) return s->wanted--, 0;
            s->done.wait_for(lk, std::chrono::milliseconds(1));
        }
        s->wanted--;
    }
    return 1;
}

static void touch(World *w, const void *p, size_t n, bool write) {
    if (!n) return;
    const WhoPtr &who = running();
    uintptr_t lo = uintptr_t(p);
    Span *s = find(w, lo, n);
    if (!s) {
        Span *part = find(w, lo);
        if (part) violate(w, "%s %s %zu bytes from %s on, beyond %s", who ? who->what.c_str() : "the program", write ? "writes" : "reads", n, hex(lo).c_str(), describe(part).c_str());
        else if (freed(w, lo)) violate(w, "%s %s %s, which was freed", who ? who->what.c_str() : "the program", write ? "writes" : "reads", hex(lo).c_str());
        return; // ordinary memory of the host
    }
    if (!who) return host_access(w, s, lo, n, write);
    note(w, s, lo, n, write, who);
    if (write) mark_written(s, lo, n);
    else check_written(w, s, lo, n, false, who->what);
}
// Declares what a host function, which calls this, reads and writes (before it does so), or what the program itself
// does outside of one.
API void imgvec_sim_touch(const void *read, size_t read_bytes, void *write, size_t write_bytes) {
    Lock lk(g);
    World *w = world();
    touch(w, read, read_bytes, false);
    touch(w, write, write_bytes, true);
}

} // namespace sim
