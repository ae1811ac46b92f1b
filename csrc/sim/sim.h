// The objects of the simulated machine. One lock, `g`, guards all of them; what an operation does (copies, kernels,
// host functions) runs without it, on its stream's thread. Objects are never deleted: a handle that was destroyed is
// still recognised, and a thread that comes back late from a hung machine finds its context as it left it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

namespace sim {

using Address = unsigned long long; // CUdeviceptr; here the address of host memory
using Lock = std::unique_lock<std::mutex>;
using Instant = std::chrono::steady_clock::time_point;

constexpr unsigned char POISON = 0xa5;

enum Code : int {
    OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, DEINITIALIZED = 4, DEVICE_UNAVAILABLE = 46,
    NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_IMAGE = 200, INVALID_CONTEXT = 201, NO_BINARY_FOR_GPU = 209,
    ECC_UNCORRECTABLE = 214, INVALID_PTX = 218, NVLINK_UNCORRECTABLE = 220, UNSUPPORTED_PTX_VERSION = 222,
    INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700, LAUNCH_TIMEOUT = 702,
    PRIMARY_CONTEXT_ACTIVE = 708, CONTEXT_IS_DESTROYED = 709, ASSERT = 710, ALREADY_REGISTERED = 712,
    NOT_REGISTERED = 713, HARDWARE_STACK_ERROR = 714, LAUNCH_FAILED = 719, NOT_PERMITTED = 800, NOT_SUPPORTED = 801,
    SYSTEM_NOT_READY = 802, STREAM_CAPTURE_UNSUPPORTED = 900, UNKNOWN = 999,
};
bool ends_context(int code); // every later call of the context gives it too, until the context is released
bool ends_device(int code);  // likewise, for good

// ---- order: vector clocks, see races.cpp ----

// Clock counts, for each stream, how many of its operations are known to be over.
struct Clock {
    std::vector<uint64_t> t;
    uint64_t at(unsigned agent) const { return agent < t.size() ? t[agent] : 0; }
    void set(unsigned agent, uint64_t n);
    void join(const Clock &other);
};
// Who is one operation: the seq-th of its stream, and what is over when it begins.
struct Who {
    unsigned agent;
    uint64_t seq;
    Clock clock;
    std::string what;
};
using WhoPtr = std::shared_ptr<const Who>;
struct Access {
    uintptr_t lo, hi;
    bool write;
    WhoPtr who;
};

// ---- the machine ----

struct World;
struct Context;
struct Stream;

struct Device {
    World *world;
    int ordinal;  // as the program counts
    int physical; // as the machine counts: CUDA_VISIBLE_DEVICES hides some and orders the others
    int lost = OK;
    bool hung = false; // a kernel hangs or hung: what the device holds is counted apart
    size_t used = 0;
    Context *primary = nullptr;
};

enum Kind { DEVICE, PINNED, REGISTERED };
// Span is a piece of memory that the driver knows.
struct Span {
    Kind kind;
    uintptr_t base;
    size_t size;
    char *map;     // with its guard pages; null: the program's own memory
    size_t mapped;
    Context *ctx;
    unsigned flags;
    bool live = true;
    std::vector<Access> seen;
    std::map<uintptr_t, uintptr_t> written; // [from, to), apart from each other
    uintptr_t end() const { return base + size; }
    bool has(uintptr_t p, size_t n) const { return p >= base && n <= size && p - base <= size - n; }
};

struct Dep {
    Stream *stream;
    uint64_t seq;
};
struct Op {
    std::function<int()> body; // gives a code; anything but OK ends the context
    std::vector<Dep> deps;
    WhoPtr who;
    int fail = OK;
    bool hang = false, copy = false;
    int *inflight = nullptr;              // of the module whose kernel it runs
    std::shared_ptr<struct Record> record; // of the event that it records
};
struct Record {
    Stream *stream;
    WhoPtr who;
    Instant when{};
};
struct Stream {
    Context *ctx;
    unsigned agent;
    bool blocking; // ordered with the null stream
    unsigned flags;
    int priority;
    std::string name;
    bool alive = true, ending = false, hung = false;
    uint64_t submitted = 0, completed = 0;
    int wanted = 0; // somebody waits for it: it does not lag
    Clock clock;    // at the end of what was submitted
    std::deque<Op> queue;
    std::condition_variable work, done;
    bool idle() const { return completed >= submitted; }
};
struct Event {
    Context *ctx;
    unsigned flags;
    bool alive = true;
    std::shared_ptr<Record> last;
};
struct Kernel;
struct Module;
struct Function {
    Module *module;
    const Kernel *kernel;
};
struct Module {
    Context *ctx;
    bool alive = true;
    std::string ptx; // empty for a binary image, which is taken on trust
    std::map<std::string, Function *> functions;
    int inflight = 0;
};
struct Context {
    Device *device;
    bool primary = false;
    int refs = 0;
    int sticky = OK;
    std::set<Stream *> streams; // alive
    Stream *null = nullptr;
    int state() const { return device->lost ? device->lost : sticky; }
};

struct Fault {
    int device; // -1: any
    std::string call;
    long at, seen = 0;
    int code;
    long times; // negative: for ever
};

struct World {
    bool dead = false;
    bool capturing = false; // as if a thread captured a CUDA graph in the global mode
    std::vector<Device *> devices;
    std::set<Context *> contexts;
    std::set<Event *> events;   // alive
    std::set<Module *> modules; // alive
    std::map<uintptr_t, Span *> spans, graves; // by base: live; freed, their pages taken away
    std::map<const void *, Stream *> streams; // every handle that was ever given, like the next two
    std::map<const void *, Event *> known_events;
    std::map<const void *, Module *> known_modules;
    std::map<const void *, Function *> functions;
    std::vector<std::string> violations;
    std::vector<Fault> faults;
    std::vector<Fault> hangs;
    uint64_t released = 0; // goes up at each release of what hangs
    std::vector<Stream *> agents; // by number
    int workers = 0;
    std::condition_variable idle; // workers went down
    Clock host;                   // what the program has waited for
    long lag_us = 0, slow_us = 0;
    size_t memory = size_t(16) << 30;
};

extern std::mutex g;
World *world();                          // the present one, made on demand
int replace_world(int devices, std::string *report);
std::string hex(uintptr_t p);
void violate(World *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
std::string name(const Device *d);

// ---- one call of the program ----

enum Need { NOTHING, STARTED, CONTEXT };
struct Call {
    const char *what;
    Lock lk;
    World *w;
    Context *ctx = nullptr;
    int code = OK;
    bool gone = false; // the device or context is lost: nothing is done, but what is freed is struck off the books
    Call(const char *what, Need need = CONTEXT, int device = -1);
    int fail(int code, const char *format, ...) __attribute__((format(printf, 3, 4))); // also a violation
    Device *device(int ordinal);
    Stream *stream(void *handle, bool own = true); // own: of the current context
    Event *event(const void *handle, bool own = false);
    int wait(Stream *s, uint64_t seq, const Clock &join);
    void drain(Context *c); // waits for all that its streams hold
    int sticky() const { return ctx->state(); }
};
int fault(World *w, const Device *d, const char *call, bool any); // the code to give now, or OK
bool hangs(World *w, const Device *d);
int64_t calls(const char *what); // so far; null: all
Context *current();
void set_current(Context *c);

// ---- streams ----

Stream *new_stream(Context *c, unsigned flags, int priority);
Stream *null_stream(Context *c);
void end_stream(Stream *s);
WhoPtr submit(World *w, Stream *s, Op op, std::string what);
int async_fault(World *w, const Device *d, const char *category);
const WhoPtr &running(); // the operation that this thread carries out now, or null

// ---- memory ----

Span *find(World *w, uintptr_t p);              // live, holding p
Span *find(World *w, uintptr_t p, size_t n);    // live, holding all of it
bool freed(World *w, uintptr_t p);
Span *new_span(World *w, Context *c, Kind kind, size_t n, unsigned flags); // null: no memory
void bury(World *w, Span *s);
bool pinned_for(const Span *s, const Context *c);
std::string describe(const Span *s);

// ---- races ----

void note(World *w, Span *s, uintptr_t lo, size_t n, bool write, const WhoPtr &who);
bool awaited(World *w, const Span *s, std::string *culprit); // the program has waited for all that touched it
bool pending(World *w, const Span *s, uintptr_t lo, size_t n, bool writes_only);
void host_access(World *w, Span *s, uintptr_t lo, size_t n, bool write);
void mark_written(Span *s, uintptr_t lo, size_t n);
void check_written(World *w, const Span *s, uintptr_t lo, size_t n, bool some, const std::string &what);

// ---- faults ----

void watched(const char *what, const std::function<void()> &f); // says what it was where f ends the process
bool survived(const char *what, const std::function<void()> &f, uintptr_t *address);
std::string place(World *w, uintptr_t p);

// ---- kernels ----

struct Kernel {
    std::string name, kinds; // of each parameter: r pointer to const, w pointer, i integer or the like
    void (*run)(const uint64_t *args);
    bool syncs;
};
const Kernel *kernel(const std::string &name);
struct Dims {
    unsigned x, y, z;
};
int run_grid(World *w, const Kernel *k, Dims grid, Dims block, size_t shared, const uint64_t *args, std::string *why);

} // namespace sim
