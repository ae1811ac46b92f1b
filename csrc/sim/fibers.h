// Fibers: the threads of a block that meet at barriers, taken up and put down on one thread.
#pragma once
#include <cstddef>

namespace sim {

// Fiber is one simulated thread with a stack of its own, which is used again.
struct Fiber;
Fiber *new_fiber(size_t stack);
void start(Fiber *f, void (*body)(void *), void *arg); // it runs at the next resume
void resume(Fiber *f);                                 // until it yields or ends
void yield(Fiber *f);                                  // from within it
bool ended(const Fiber *f);

} // namespace sim
