// One pool of threads for all kernels: a loop over a range, in equal parts.
//
// A result must not depend on the number of threads: divide outputs among threads, never one sum; where a sum is too
// long for that, add a fixed number of partial sums in a fixed order.
#pragma once

#include <cstdint>

namespace facula {

// How many threads a loop may use, this one included.
int threads();
void set_threads(int count);

using Body = void (*)(void* context, int64_t begin, int64_t end);
void run_in_parts(int64_t size, int64_t parts, Body body, void* context);

// Calls `body(begin, end)` for parts of 0 … size, on several threads where each would get `grain` steps or more.
// About 32,768 simple steps are worth a thread. Inside a parallel loop it runs on the calling thread alone.
template <class Function>
inline void parallel_for(int64_t size, int64_t grain, const Function& body) {
  if (size <= 0) return;
  const int64_t worthwhile = grain > 1 ? (size + grain - 1) / grain : size;
  const int64_t most = threads();
  const int64_t parts = worthwhile < most ? worthwhile : most;
  if (parts <= 1) {
    body(int64_t{0}, size);
    return;
  }
  run_in_parts(
      size, parts,
      [](void* context, int64_t begin, int64_t end) { (*static_cast<const Function*>(context))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// Calls `body(task)` for each of 0 … count, taken one by one by whichever thread is free: for tasks of unequal length.
template <class Function>
inline void parallel_tasks(int64_t count, const Function& body);

void run_tasks(int64_t count, Body body, void* context);

template <class Function>
inline void parallel_tasks(int64_t count, const Function& body) {
  if (count <= 0) return;
  if (count == 1 || threads() == 1) {
    for (int64_t task = 0; task < count; ++task) body(task);
    return;
  }
  run_tasks(
      count,
      [](void* context, int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) (*static_cast<const Function*>(context))(task);
      },
      const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace facula
