// Who may touch what when. Every operation of a stream carries a vector clock made of the order that the program asked
// for: its stream's order, events waited for, and what the program itself had waited for when it submitted the
// operation. Two operations that touch the same bytes, one of them writing, are a violation unless one of them is before
// the other by those clocks, however lucky their threads were this time.
#include "sim.h"
#include <algorithm>

namespace sim {

void Clock::set(unsigned agent, uint64_t n) {
    if (agent >= t.size()) t.resize(agent + 1);
    t[agent] = std::max(t[agent], n);
}
void Clock::join(const Clock &other) {
    if (t.size() < other.t.size()) t.resize(other.t.size());
    for (size_t i = 0; i < other.t.size(); i++) t[i] = std::max(t[i], other.t[i]);
}

static bool before(const Who &a, const Who &b) { return b.clock.at(a.agent) >= a.seq; }
static bool overlap(const Access &a, uintptr_t lo, uintptr_t hi) { return a.lo < hi && lo < a.hi; }

// forget drops the accesses that no later one can race with and be caught by this one too.
static void forget(World *w, Span *s, const Access &now) {
    auto &seen = s->seen;
    bool many = seen.size() >= 64;
    auto stale = [&](const Access &old) {
        if (many && w->host.at(old.who->agent) >= old.who->seq) return true;
        return now.lo <= old.lo && old.hi <= now.hi && (now.write || !old.write) && before(*old.who, *now.who);
    };
    seen.erase(std::remove_if(seen.begin(), seen.end(), stale), seen.end());
}

void note(World *w, Span *s, uintptr_t lo, size_t n, bool write, const WhoPtr &who) {
    Access now{lo, lo + n, write, who};
    for (auto &old : s->seen) {
        if (old.who == who || !overlap(old, now.lo, now.hi) || !(old.write || write)) continue;
        if (before(*old.who, *who) || before(*who, *old.who)) continue;
        violate(w, "%s %s %s that %s %s: no event or synchronisation orders the two", who->what.c_str(),
                write ? "writes" : "reads", describe(s).c_str(), old.who->what.c_str(), old.write ? "writes" : "reads");
        break;
    }
    forget(w, s, now);
    s->seen.push_back(std::move(now));
}

bool awaited(World *w, const Span *s, std::string *culprit) {
    for (auto &a : s->seen)
        if (w->host.at(a.who->agent) < a.who->seq) {
            *culprit = a.who->what;
            return false;
        }
    return true;
}

// pending tells whether an operation that is not over yet touches the bytes.
bool pending(World *w, const Span *s, uintptr_t lo, size_t n, bool writes_only) {
    for (auto &a : s->seen) {
        if (!overlap(a, lo, lo + n) || (writes_only && !a.write)) continue;
        if (w->agents[a.who->agent]->completed < a.who->seq) return true;
    }
    return false;
}

void host_access(World *w, Span *s, uintptr_t lo, size_t n, bool write) {
    for (auto &a : s->seen) {
        if (!overlap(a, lo, lo + n) || !(a.write || write) || w->host.at(a.who->agent) >= a.who->seq) continue;
        violate(w, "the program %s %s that %s %s, without having waited for it", write ? "writes" : "reads",
                describe(s).c_str(), a.who->what.c_str(), a.write ? "writes" : "reads");
        return;
    }
}

// ---- memory that nobody wrote ----

void mark_written(Span *s, uintptr_t lo, size_t n) {
    if (!n) return;
    uintptr_t hi = lo + n;
    auto it = s->written.upper_bound(lo);
    if (it != s->written.begin() && std::prev(it)->second >= lo) --it;
    while (it != s->written.end() && it->first <= hi) {
        lo = std::min(lo, it->first);
        hi = std::max(hi, it->second);
        it = s->written.erase(it);
    }
    s->written[lo] = hi;
}

static bool all_poison(uintptr_t lo, uintptr_t hi) {
    auto p = reinterpret_cast<const unsigned char *>(lo), end = reinterpret_cast<const unsigned char *>(hi);
    while (p < end && *p == POISON) p++;
    return p == end;
}

// check_written complains where bytes that no operation is known to have written are still as they were allocated. A
// host function that does not tell what it writes changes them, so they pass. some: it is enough that a part is written.
void check_written(World *w, const Span *s, uintptr_t lo, size_t n, bool some, const std::string &what) {
    constexpr size_t CHANCE = 16; // so few bytes may look like that by chance
    if (s->kind != DEVICE) return;
    uintptr_t at = lo, end = lo + n;
    for (auto &[from, to] : s->written) {
        if (to <= at || from >= end) continue;
        if (some) return;
        if (from > at && from - at >= CHANCE && all_poison(at, from)) break;
        at = std::max(at, to);
    }
    if (at + CHANCE > end || !all_poison(at, some ? end : std::min(end, at + 4096))) return;
    violate(w, "%s reads %s from byte %zu on, which nothing has written", what.c_str(), describe(s).c_str(),
            size_t(at - s->base));
}

} // namespace sim
