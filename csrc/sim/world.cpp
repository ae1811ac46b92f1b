// The machine: devices, what is wrong with it, and how it is replaced by a fresh one.
#include "sim.h"
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sim {

std::mutex g;
static World *present = nullptr; // older ones stay in memory: late threads still hold them
static std::set<const Context *> old_contexts;

std::string device_uuid(int physical); // driver.cpp

// visible applies CUDA_VISIBLE_DEVICES as the driver does: in its order, up to the first entry that names no device.
static std::vector<int> visible(int n) {
    std::vector<int> list;
    auto env = getenv("CUDA_VISIBLE_DEVICES");
    if (!env) {
        for (int i = 0; i < n; i++) list.push_back(i);
        return list;
    }
    std::string text = env;
    for (size_t at = 0; at <= text.size();) {
        size_t comma = std::min(text.find(',', at), text.size());
        std::string entry = text.substr(at, comma - at);
        at = comma + 1;
        int found = -1;
        if (entry.rfind("GPU-", 0) == 0) {
            for (int i = 0; i < n; i++) {
                if (device_uuid(i).rfind(entry, 0) != 0) continue;
                found = found < 0 ? i : -2;
                if (found == -2) break;
            }
        } else {
            char *end;
            long i = strtol(entry.c_str(), &end, 10);
            if (end != entry.c_str() && !*end && i >= 0 && i < n) found = int(i);
        }
        for (int d : list) found = d == found ? -1 : found;
        if (found < 0) break;
        list.push_back(found);
    }
    return list;
}

static World *make(int devices) {
    auto w = new World;
    for (int physical : visible(devices)) {
        auto d = new Device{w, int(w->devices.size()), physical};
        d->primary = new Context{d, true};
        w->contexts.insert(d->primary);
        w->devices.push_back(d);
    }
    return w;
}

World *world() {
    if (!present) {
        auto env = getenv("IMGVEC_SIM_DEVICES");
        present = make(env ? atoi(env) : 2);
    }
    return present;
}

bool of_old_world(const Context *c) { return old_contexts.count(c) > 0; }

std::string name(const Device *d) { return "cuda:" + std::to_string(d->ordinal); }

std::string hex(uintptr_t p) {
    char text[32];
    snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(p));
    return text;
}

void violate(World *w, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (w->violations.size() < 100) w->violations.push_back(text);
    if (getenv("IMGVEC_SIM_TRACE")) fprintf(stderr, "simulated driver: violation: %s\n", text);
}

// ---- what is left over ----

struct Left {
    size_t bytes[3] = {0, 0, 0};
    int streams = 0, events = 0, modules = 0, contexts = 0;
    size_t hung = 0;
    int hung_objects = 0;
};
static Left left_over(World *w) {
    Left n;
    auto count = [&](Context *c, int &what) { ++(c->device->hung ? n.hung_objects : what); };
    for (auto &[base, s] : w->spans) (s->ctx->device->hung ? n.hung : n.bytes[s->kind]) += s->size;
    for (auto c : w->contexts) {
        if (c->refs) count(c, n.contexts);
        for (auto s : c->streams)
            if (s != c->null) count(c, n.streams);
    }
    for (auto e : w->events) count(e->ctx, n.events);
    for (auto m : w->modules) count(m->ctx, n.modules);
    return n;
}

void counters(World *w, int64_t out[9]) {
    Left n = left_over(w);
    int64_t all[9] = {int64_t(n.bytes[DEVICE]), int64_t(n.bytes[PINNED]), int64_t(n.bytes[REGISTERED]), n.streams, n.events,
                      n.modules, n.contexts, int64_t(n.hung), n.hung_objects};
    memcpy(out, all, sizeof all);
}

static std::string tell(const Left &n) {
    std::string text;
    auto add = [&](size_t count, const char *what) {
        if (count) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
    };
    add(n.bytes[DEVICE], "bytes of device memory");
    add(n.bytes[PINNED], "bytes of pinned memory");
    add(n.bytes[REGISTERED], "registered bytes");
    add(n.streams, "streams");
    add(n.events, "events");
    add(n.modules, "modules");
    add(n.contexts, "contexts");
    return text;
}

int replace_world(int devices, std::string *report) {
    Lock lk(g);
    World *old = present;
    present = make(devices);
    if (!old) return 0;
    *report = tell(left_over(old));
    old->dead = true;
    old_contexts.insert(old->contexts.begin(), old->contexts.end());
    for (auto &[handle, s] : old->streams) {
        s->ending = true;
        s->work.notify_all();
        s->done.notify_all();
    }
    // What runs now ends by itself (a host function may take its time); the rest of each queue is dropped.
    if (!old->idle.wait_for(lk, std::chrono::seconds(10), [&] { return old->workers == 0; }))
        *report += (report->empty() ? "" : ", ") + std::to_string(old->workers) + " host functions or kernels that do not end";
    return report->empty() ? 0 : 1;
}

} // namespace sim
