// Faults. A kernel that leaves its memory hits a guard page or memory that was freed; that is an error of the launch, as
// on a GPU, and not the end of the test. A host function or a copy that does so ends the process, but says what it was.
//
// The program's own handler (Go's, for one) stays in charge of every fault that is not on a stream's thread.
#include "sim.h"
#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <sys/syscall.h>
#include <unistd.h>

namespace sim {

// Watcher is one thread that runs something. The handler finds it by the thread's number: thread-local variables may
// need memory at their first use, which a handler must not ask for.
struct Watcher {
    std::atomic<long> thread{0};
    sigjmp_buf back;
    bool kernel;
    const char *what;
    void *address;
};
static Watcher watchers[512];
static struct sigaction before;

static Watcher *mine() {
    long me = syscall(SYS_gettid);
    for (auto &w : watchers)
        if (w.thread.load(std::memory_order_relaxed) == me) return &w;
    return nullptr;
}

static void say(const char *text) {
    if (write(2, text, strlen(text)) < 0) return;
}

static void say_fault(const Watcher *w) {
    char digits[] = "0x0000000000000000";
    auto p = uintptr_t(w->address);
    for (int i = 17; i > 1; i--, p /= 16) digits[i] = "0123456789abcdef"[p % 16];
    say("simulated driver: bad address ");
    say(digits);
    say(" in ");
    say(w->what);
    say("\n");
}

static void on_fault(int sig, siginfo_t *info, void *context) {
    if (Watcher *w = mine()) {
        w->address = info->si_addr;
        if (w->kernel) siglongjmp(w->back, 1);
        say_fault(w);
    }
    if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(sig, info, context);
    if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(sig);
    signal(sig, SIG_DFL); // the instruction runs again, and ends the process
}

static void install() {
    sigaction(SIGSEGV, nullptr, &before);
    struct sigaction ours = before;
    ours.sa_sigaction = on_fault;
    ours.sa_flags = (before.sa_flags & ~SA_RESETHAND) | SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &ours, nullptr);
}

static Watcher *begin(const char *what, bool kernel) {
    static std::once_flag once;
    std::call_once(once, install);
    long me = syscall(SYS_gettid);
    for (auto &w : watchers) {
        long nobody = 0;
        if (w.thread.load(std::memory_order_relaxed) || !w.thread.compare_exchange_strong(nobody, -1)) continue;
        w.what = what;
        w.kernel = kernel;
        w.thread.store(me);
        return &w;
    }
    return nullptr; // more at once than anybody runs: faults end the process without a word
}

void watched(const char *what, const std::function<void()> &f) {
    Watcher *w = begin(what, false);
    f();
    if (w) w->thread = 0;
}

// The same for a kernel: false where it met a bad address.
bool survived(const char *what, const std::function<void()> &f, uintptr_t *address) {
    Watcher *w = begin(what, true);
    if (w && sigsetjmp(w->back, 1)) {
        *address = uintptr_t(w->address);
        w->thread = 0;
        return false;
    }
    f();
    if (w) w->thread = 0;
    return true;
}

// place tells where an address lies, in or near what memory.
std::string place(World *w, uintptr_t p) {
    auto near = [&](const std::map<uintptr_t, Span *> &all) -> const Span * {
        for (auto &[base, s] : all)
            if (s->map && p >= uintptr_t(s->map) && p < uintptr_t(s->map) + s->mapped) return s;
        return nullptr;
    };
    if (auto s = near(w->spans)) {
        if (p < s->base) return std::to_string(s->base - p) + " bytes before " + describe(s);
        return std::to_string(p - s->end()) + " bytes behind the end of " + describe(s);
    }
    if (auto s = near(w->graves)) return describe(s) + ", which was freed";
    return "no memory of the device";
}

} // namespace sim
