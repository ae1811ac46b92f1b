// Kernels on the host: a grid's blocks one after the other. The threads of a block are plain calls, or fibers where they
// meet at barriers.
#include "fibers.h"
#include "shim.h"
#include "sim.h"

thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace sim {

static std::map<std::string, Kernel> &registry() {
    static auto all = new std::map<std::string, Kernel>;
    return *all;
}
const Kernel *kernel(const std::string &name) {
    auto it = registry().find(name);
    return it == registry().end() ? nullptr : &it->second;
}

constexpr size_t STACK = 64 << 10, SHARED = 48 << 10;
constexpr unsigned WARP = 32;

// Thread is one simulated thread of the block that runs now.
struct Thread {
    enum State { READY, AT_WARP, AT_BLOCK, ENDED } state;
    Fiber *fiber;
    dim3 index;
};
// Block is what a stream's thread runs blocks in. Kernels take one and give it back, so that there are no more than
// kernels ever ran at once.
struct Block {
    std::vector<Thread> threads; // with fibers for as many as were ever needed
    unsigned n = 0, now = 0;
    bool running = false; // with fibers
    const Kernel *kernel = nullptr;
    const uint64_t *args = nullptr;
    uint64_t slots[1024];
    alignas(256) unsigned char shared[SHARED];
    std::string trouble;
};
static thread_local Block *mine;
static Block &block() { return *mine; }

static std::mutex pool;
static std::vector<Block *> &spare() {
    static auto all = new std::vector<Block *>;
    return *all;
}
static void take_block() {
    std::lock_guard<std::mutex> lk(pool);
    if (spare().empty()) {
        mine = new Block;
        return;
    }
    mine = spare().back();
    spare().pop_back();
}
static void give_block() {
    std::lock_guard<std::mutex> lk(pool);
    spare().push_back(mine);
    mine = nullptr;
}

static void body(void *arg) {
    auto b = static_cast<Block *>(arg);
    b->kernel->run(b->args);
}

static void run_ready(Block &b) {
    for (b.now = 0; b.now < b.n; b.now++) {
        Thread &t = b.threads[b.now];
        if (t.state != Thread::READY) continue;
        threadIdx = t.index;
        resume(t.fiber);
        if (ended(t.fiber)) t.state = Thread::ENDED;
    }
}

// open lets those go on that have all come to a barrier; false: nobody can go on.
static bool open_barriers(Block &b) {
    bool moved = false;
    auto all_at = [&](unsigned from, unsigned to, Thread::State state) {
        bool some = false;
        for (unsigned i = from; i < to; i++) {
            if (b.threads[i].state == Thread::ENDED) continue;
            if (b.threads[i].state != state) return false;
            some = true;
        }
        return some;
    };
    auto release = [&](unsigned from, unsigned to) {
        for (unsigned i = from; i < to; i++)
            if (b.threads[i].state != Thread::ENDED) b.threads[i].state = Thread::READY;
        moved = true;
    };
    for (unsigned from = 0; from < b.n; from += WARP)
        if (all_at(from, min(from + WARP, b.n), Thread::AT_WARP)) release(from, min(from + WARP, b.n));
    if (all_at(0, b.n, Thread::AT_BLOCK)) release(0, b.n);
    return moved;
}

static bool done(const Block &b) {
    for (unsigned i = 0; i < b.n; i++)
        if (b.threads[i].state != Thread::ENDED) return false;
    return true;
}

static void run_fibers(Block &b) {
    while (b.threads.size() < b.n) b.threads.push_back({Thread::ENDED, new_fiber(STACK), {}});
    for (unsigned i = 0; i < b.n; i++) {
        b.threads[i].state = Thread::READY;
        b.threads[i].index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
        start(b.threads[i].fiber, body, &b);
    }
    b.running = true;
    do run_ready(b);
    while (!done(b) && open_barriers(b));
    b.running = false;
    if (!done(b) && b.trouble.empty()) b.trouble = "threads of a block wait at a barrier that others never reach";
}

static void run_plain(Block &b) {
    for (threadIdx.z = 0; threadIdx.z < blockDim.z; threadIdx.z++)
        for (threadIdx.y = 0; threadIdx.y < blockDim.y; threadIdx.y++)
            for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++) b.kernel->run(b.args);
}

static void run_blocks(Block &b, size_t shared) {
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x && b.trouble.empty(); blockIdx.x++) {
                memset(b.shared, POISON, shared);
                b.kernel->syncs ? run_fibers(b) : run_plain(b);
            }
}

int run_grid(World *w, const Kernel *k, Dims grid, Dims size, size_t shared, const uint64_t *args, std::string *why) {
    take_block();
    Block &b = block();
    b.kernel = k;
    b.args = args;
    b.n = size.x * size.y * size.z;
    b.trouble.clear();
    gridDim = {grid.x, grid.y, grid.z};
    blockDim = {size.x, size.y, size.z};
    uintptr_t address = 0;
    bool whole = survived(k->name.c_str(), [&] { run_blocks(b, shared); }, &address);
    b.running = false;
    *why = b.trouble;
    give_block();
    if (whole) return why->empty() ? OK : LAUNCH_FAILED;
    Lock lk(g);
    *why = "bad address " + hex(address) + ": " + place(w, address);
    return ILLEGAL_ADDRESS;
}

static void meet(Thread::State at, const char *what) {
    Block &b = block();
    if (!b.running) {
        b.trouble = std::string(what) + " in a kernel that is not listed with IMGVEC_KERNEL_SYNC";
        return;
    }
    unsigned me = b.now;
    b.threads[me].state = at;
    yield(b.threads[me].fiber);
}

} // namespace sim

void __syncthreads() { sim::meet(sim::Thread::AT_BLOCK, "__syncthreads"); }
void __syncwarp(unsigned) { sim::meet(sim::Thread::AT_WARP, "__syncwarp"); }

namespace imgvec_sim {

bool add(const char *name, Run run, const char *kinds, bool syncs) {
    sim::registry()[name] = {name, kinds, run, syncs};
    return true;
}
int lane() { return int(sim::block().now % sim::WARP); }
uint64_t exchange(uint64_t mine, int from) {
    sim::Block &b = sim::block();
    unsigned me = b.now, other = me / sim::WARP * sim::WARP + unsigned(from);
    b.slots[me] = mine;
    sim::meet(sim::Thread::AT_WARP, "a shuffle");
    uint64_t got = other < b.n ? b.slots[other] : mine;
    sim::meet(sim::Thread::AT_WARP, "a shuffle");
    return got;
}
void *dynamic_shared() { return sim::block().shared; }

} // namespace imgvec_sim
