#include "fibers.h"
#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace sim {

#if defined(__x86_64__)
// A switch saves the registers that a call preserves and the stack pointer: some ten instructions, where swapcontext makes
// two system calls.
extern "C" void imgvec_sim_switch(void **save, void *load);
asm(R"(
    .text
    .type imgvec_sim_switch, @function
    .hidden imgvec_sim_switch
    .globl imgvec_sim_switch
imgvec_sim_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size imgvec_sim_switch, .-imgvec_sim_switch
)");
struct Place {
    void *sp = nullptr;
};
static void change(Place *from, Place *to) { imgvec_sim_switch(&from->sp, to->sp); }
#else
using Place = ucontext_t;
static void change(Place *from, Place *to) { swapcontext(from, to); }
#endif

struct Fiber {
    Place here, back;
    char *stack;
    size_t size;
    void (*body)(void *) = nullptr;
    void *arg = nullptr;
    bool ended = true;
    void *tsan = nullptr, *tsan_back = nullptr;
};

static thread_local Fiber *starting;

[[noreturn]] static void enter() {
    Fiber *f = starting;
    f->body(f->arg);
    f->ended = true;
    yield(f);
    abort();
}

Fiber *new_fiber(size_t stack) {
    constexpr size_t PAGE = 4096;
    auto f = new Fiber;
    f->size = stack + PAGE; // the lowest page stays shut: a stack that grows too far is a fault
    auto map = mmap(nullptr, f->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) abort();
    f->stack = static_cast<char *>(map);
    mprotect(map, PAGE, PROT_NONE);
#if defined(__SANITIZE_THREAD__)
    f->tsan = __tsan_create_fiber(0);
#endif
    return f;
}

void start(Fiber *f, void (*body)(void *), void *arg) {
    f->body = body;
    f->arg = arg;
    f->ended = false;
#if defined(__x86_64__)
    auto top = reinterpret_cast<void **>(f->stack + f->size) - 1; // enter begins 8 bytes off 16, as behind a call
    *top-- = nullptr;
    *top = reinterpret_cast<void *>(enter);
    f->here.sp = top - 6;
#else
    getcontext(&f->here);
    f->here.uc_stack.ss_sp = f->stack;
    f->here.uc_stack.ss_size = f->size;
    f->here.uc_link = nullptr;
    makecontext(&f->here, enter, 0);
#endif
}

void resume(Fiber *f) {
    starting = f;
#if defined(__SANITIZE_THREAD__)
    f->tsan_back = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(f->tsan, 0);
#endif
    change(&f->back, &f->here);
}

void yield(Fiber *f) {
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(f->tsan_back, 0);
#endif
    change(&f->here, &f->back);
}

bool ended(const Fiber *f) { return f->ended; }

} // namespace sim
