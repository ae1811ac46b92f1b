// Modules and launches. A module is PTX text; its kernels run as the host code that was compiled from the same source,
// found by name. A name that the PTX lacks is not found, though the host code has it.
#include "sim.h"
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sim {

static bool binary(const void *image) {
    uint32_t magic;
    memcpy(&magic, image, sizeof magic);
    return magic == 0xba55ed50 || magic == 0x464c457f; // fatbin, ELF
}

// check_ptx tells what a driver of CUDA 13.0 on compute capability 9.0 would say of the text's head.
static int check_ptx(const char *text, std::string *log) {
    int major, minor, target;
    auto version = strstr(text, ".version "), arch = strstr(text, ".target sm_");
    if (!version || sscanf(version, ".version %d.%d", &major, &minor) != 2) return *log = "no .version", INVALID_PTX;
    if (major > 9 || (major == 9 && minor > 0)) return *log = "PTX is newer than the driver", UNSUPPORTED_PTX_VERSION;
    if (arch && sscanf(arch, ".target sm_%d", &target) == 1 && target > 90) return *log = "made for a newer GPU", NO_BINARY_FOR_GPU;
    return OK;
}

static bool has_entry(const std::string &ptx, const std::string &name) {
    for (size_t at = 0; (at = ptx.find(".entry", at)) != std::string::npos;) {
        at = ptx.find_first_not_of(" \t\r\n", at + strlen(".entry"));
        if (at == std::string::npos) return false;
        if (ptx.compare(at, name.size(), name) == 0 && !isalnum(ptx[at + name.size()]) && ptx[at + name.size()] != '_') return true;
    }
    return false;
}

static int load(Call &c, void **out, const void *image, std::string *log) {
    if (c.code) return c.code;
    if (!out || !image) return INVALID_VALUE;
    bool opaque = binary(image);
    auto text = static_cast<const char *>(image);
    if (!opaque)
        if (int code = check_ptx(text, log)) return code;
    auto m = new Module{c.ctx};
    if (!opaque) m->ptx = text;
    c.w->modules.insert(m);
    c.w->known_modules[m] = m;
    *out = m;
    return OK;
}

API int cuModuleLoadData(void **out, const void *image) {
    Call c("cuModuleLoadData");
    std::string log;
    return load(c, out, image, &log);
}
API int cuModuleLoadFatBinary(void **out, const void *image) {
    Call c("cuModuleLoadFatBinary");
    std::string log;
    return load(c, out, image, &log);
}
API int cuModuleLoadDataEx(void **out, const void *image, unsigned n, int *options, void **values) {
    enum { ERROR_LOG = 5, ERROR_LOG_SIZE = 6 };
    Call c("cuModuleLoadDataEx");
    std::string log;
    int code = load(c, out, image, &log);
    char *buffer = nullptr;
    size_t size = 0;
    for (unsigned i = 0; i < n; i++) {
        if (options[i] == ERROR_LOG) buffer = static_cast<char *>(values[i]);
        if (options[i] == ERROR_LOG_SIZE) size = unsigned(uintptr_t(values[i]));
    }
    if (buffer && size) snprintf(buffer, size, "%s", log.c_str());
    return code;
}

static Module *module_of(Call &c, void *handle) {
    auto it = c.w->known_modules.find(handle);
    if (it != c.w->known_modules.end() && it->second->alive) return it->second;
    c.fail(INVALID_HANDLE, it == c.w->known_modules.end() ? "no such module" : "the module was unloaded");
    return nullptr;
}

API int cuModuleUnload(void *handle) {
    Call c("cuModuleUnload");
    if (c.code && !c.gone) return c.code;
    int lost = c.code;
    Module *m = module_of(c, handle);
    if (!m) return c.code;
    if (!lost && m->inflight) violate(c.w, "cuModuleUnload: %d kernels of the module have not run yet", m->inflight);
    m->alive = false;
    c.w->modules.erase(m);
    return lost;
}
API int cuModuleGetFunction(void **out, void *handle, const char *name) {
    Call c("cuModuleGetFunction");
    if (c.code) return c.code;
    Module *m = module_of(c, handle);
    if (!m) return c.code;
    auto &f = m->functions[name];
    if (!f) {
        const Kernel *k = kernel(name);
        if (!k || (!m->ptx.empty() && !has_entry(m->ptx, name))) return NOT_FOUND;
        f = new Function{m, k};
        c.w->functions[f] = f;
    }
    *out = f;
    return OK;
}

static Function *function_of(Call &c, void *handle) {
    auto it = c.w->functions.find(handle);
    if (it == c.w->functions.end()) return c.fail(INVALID_HANDLE, "no such function"), nullptr;
    if (!it->second->module->alive) return c.fail(INVALID_HANDLE, "%s: its module was unloaded", it->second->kernel->name.c_str()), nullptr;
    return it->second;
}

API int cuFuncGetAttribute(int *out, int attribute, void *handle) {
    Call c("cuFuncGetAttribute");
    if (c.code) return c.code;
    if (!function_of(c, handle)) return c.code;
    static const int values[] = {1024, 0, 0, 0, 32, 80, 90, 0, 0, 0};
    *out = attribute >= 0 && attribute < 10 ? values[attribute] : 0;
    return OK;
}
static int occupancy(Call &c, int *out, void *handle, int block) {
    if (c.code) return c.code;
    if (!function_of(c, handle)) return c.code;
    if (block <= 0 || block > 1024) return INVALID_VALUE;
    *out = 2048 / block;
    return OK;
}
API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *out, void *f, int block, size_t) {
    Call c("cuOccupancyMaxActiveBlocksPerMultiprocessor");
    return occupancy(c, out, f, block);
}
API int cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *out, void *f, int block, size_t, unsigned) {
    Call c("cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags");
    return occupancy(c, out, f, block);
}
API int cuOccupancyMaxPotentialBlockSize(int *grid, int *block, void *f, size_t (*)(int), size_t, int limit) {
    Call c("cuOccupancyMaxPotentialBlockSize");
    if (c.code) return c.code;
    if (!function_of(c, f)) return c.code;
    *block = limit && limit < 1024 ? limit : 1024;
    *grid = 4;
    return OK;
}

// ---- launches ----

// Argument is a parameter that points into memory: from there on its kernel may read, or read and write.
struct Argument {
    Span *span;
    uintptr_t p;
    char kind;
    size_t n() const { return span->end() - p; }
};

// pointers finds the arguments that are addresses. One that the device cannot use ends the context when the kernel runs.
static int pointers(Call &c, const Kernel *k, const std::vector<uint64_t> &args, std::vector<Argument> *out) {
    int fail = OK;
    for (size_t i = 0; i < args.size(); i++) {
        auto p = uintptr_t(args[i]);
        char kind = k->kinds[i];
        Span *s = find(c.w, p);
        bool usable = s && (s->kind == DEVICE ? s->ctx == c.ctx : pinned_for(s, c.ctx));
        if (usable) {
            out->push_back({s, p, kind});
        } else if (s || freed(c.w, p) || (kind != 'i' && p)) {
            std::string where = s ? describe(s) + ", not of its context" : hex(p) + (freed(c.w, p) ? ", which was freed" : ", which is no memory of the device");
            violate(c.w, "%s: cuLaunchKernel %s: parameter %zu is in %s", name(c.ctx->device).c_str(), k->name.c_str(), i, where.c_str());
            fail = ILLEGAL_ADDRESS;
        }
    }
    return fail;
}

static int carry_out(World *w, const Kernel *k, Dims grid, Dims block, size_t shared, const std::vector<uint64_t> &args,
                     const std::vector<Argument> &used) {
    const std::string &what = running()->what;
    {
        Lock lk(g);
        for (auto &a : used) {
            if (!a.span->live) {
                violate(w, "%s comes to memory that was freed", what.c_str());
                return ILLEGAL_ADDRESS;
            }
            if (a.kind == 'r') check_written(w, a.span, a.p, a.n(), true, what);
        }
    }
    std::string why;
    int code = run_grid(w, k, grid, block, shared, args.data(), &why);
    Lock lk(g);
    if (code) violate(w, "%s: %s", what.c_str(), why.c_str());
    for (auto &a : used)
        if (a.kind != 'r') mark_written(a.span, a.p, a.n());
    return code;
}

static bool fits(Dims grid, Dims block, size_t shared) {
    return grid.x && grid.y && grid.z && block.x && block.y && block.z && grid.x <= 0x7fffffff && grid.y <= 65535 && grid.z <= 65535 &&
           block.x <= 1024 && block.y <= 1024 && block.z <= 64 && uint64_t(block.x) * block.y * block.z <= 1024 && shared <= 49152;
}

API int cuLaunchKernel(void *handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                       unsigned shared, void *stream, void **params, void **extra) {
    Call c("cuLaunchKernel");
    if (c.code) return c.code;
    Function *f = function_of(c, handle);
    Stream *s = f ? c.stream(stream) : nullptr;
    if (!s) return c.code;
    if (f->module->ctx != c.ctx) return c.fail(INVALID_HANDLE, "%s belongs to another context", f->kernel->name.c_str());
    Dims grid{gx, gy, gz}, block{bx, by, bz};
    if (extra || !fits(grid, block, shared) || (!params && !f->kernel->kinds.empty()))
        return c.fail(INVALID_VALUE, "%s cannot be launched with grid %u,%u,%u, block %u,%u,%u, %u bytes shared", f->kernel->name.c_str(),
                      gx, gy, gz, bx, by, bz, shared);
    const Kernel *k = f->kernel;
    std::vector<uint64_t> args(k->kinds.size());
    for (size_t i = 0; i < args.size(); i++) memcpy(&args[i], params[i], sizeof args[i]); // copied now, as the driver does
    std::vector<Argument> used;
    Op op;
    op.fail = pointers(c, k, args, &used);
    if (int code = async_fault(c.w, c.ctx->device, "launch")) op.fail = code;
    op.hang = hangs(c.w, c.ctx->device);
    op.inflight = &f->module->inflight;
    ++f->module->inflight;
    op.body = [=, w = c.w] { return carry_out(w, k, grid, block, shared, args, used); };
    WhoPtr who = submit(c.w, s, std::move(op), "kernel " + k->name);
    for (auto &a : used) note(c.w, a.span, a.p, a.n(), a.kind != 'r', who);
    return OK;
}

} // namespace sim
