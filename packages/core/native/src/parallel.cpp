// The pool of threads: workers wait a moment for the next loop before they sleep, and a forked child starts anew.
#include "parallel.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "array.h"

namespace facula {
namespace {

// How long a worker looks for new work before it sleeps. Kernels of one training step follow each other within tens of
// microseconds; waking a sleeping thread costs about as much.
constexpr auto kWatch = std::chrono::microseconds(60);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// One loop that is being worked on.
struct Loop {
  int64_t size;
  int64_t parts;
  Body body;
  void* context;
};

class Pool {
 public:
  int threads = 1;

  void run(const Loop& loop) {
    grow(static_cast<int>(loop.parts) - 1);
    loop_ = loop;
    taken_.store(0);
    unfinished_.store(loop.parts);  // last: a late worker that sees it sees the rest
    {
      // Under the mutex, so that no worker falls asleep between its last look and this notice.
      std::lock_guard<std::mutex> guard(mutex_);
      round_.fetch_add(1);
    }
    if (asleep_.load() > 0) wake_.notify_all();
    work();
    for (int spins = 0; unfinished_.load() > 0; ++spins) {
      relax();
      if (spins > 4096) std::this_thread::yield();
    }
    // Nobody may still look at this loop when the next one is written.
    while (inside_.load() > 0) relax();
  }

 private:
  void work() {
    for (;;) {
      const int64_t part = taken_.fetch_add(1);
      if (part >= loop_.parts) return;
      const int64_t begin = loop_.size * part / loop_.parts;
      const int64_t end = loop_.size * (part + 1) / loop_.parts;
      if (begin < end) loop_.body(loop_.context, begin, end);
      unfinished_.fetch_sub(1);
    }
  }

  void serve(uint64_t seen);

  void grow(int workers) {
    for (; workers_ < workers; ++workers_) {
      const uint64_t seen = round_.load();
      std::thread([this, seen] { serve(seen); }).detach();
    }
  }

  Loop loop_{};
  std::atomic<int64_t> taken_{0};
  std::atomic<int64_t> unfinished_{0};
  std::atomic<int> inside_{0};
  std::atomic<int> asleep_{0};
  std::atomic<uint64_t> round_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  int workers_ = 0;
};

thread_local bool inside_loop = false;

void Pool::serve(uint64_t seen) {
  inside_loop = true;
  for (;;) {
    const auto start = std::chrono::steady_clock::now();
    int looks = 0;
    while (round_.load() == seen) {
      relax();
      if (++looks % 64 == 0 && std::chrono::steady_clock::now() - start > kWatch) {
        std::unique_lock<std::mutex> lock(mutex_);
        asleep_.fetch_add(1);
        wake_.wait(lock, [&] { return round_.load() != seen; });
        asleep_.fetch_sub(1);
      }
    }
    // A worker that comes late, after the loop has ended, must not touch what the next one writes.
    inside_.fetch_add(1);
    seen = round_.load();
    if (unfinished_.load() > 0) work();
    inside_.fetch_sub(1);
  }
}

// Made anew in a forked child, which has none of its parent's threads; the old one is left as it is, for its mutex may
// be held by a thread that no longer exists.
Pool* pool = nullptr;
std::mutex* in_use = nullptr;

void start_anew() {
  const int count = pool == nullptr ? 1 : pool->threads;
  pool = new Pool();
  pool->threads = count;
  in_use = new std::mutex();
}

// OMP_NUM_THREADS, which people set for PyTorch and NumPy too; else the cores this process may use.
int usual_threads() {
  const char* asked = std::getenv("OMP_NUM_THREADS");
  const int number = asked == nullptr ? 0 : std::atoi(asked);
  if (number > 0) return number;
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

struct Start {
  Start() {
    start_anew();
    set_threads(usual_threads());
    pthread_atfork(nullptr, nullptr, start_anew);
  }
} start;

}  // namespace

int threads() { return inside_loop ? 1 : pool->threads; }

void set_threads(int count) { pool->threads = count < 1 ? 1 : count; }

void run_in_parts(int64_t size, int64_t parts, Body body, void* context) {
  // Two Python threads may compute at once; the second then works alone.
  if (inside_loop || !in_use->try_lock()) {
    body(context, 0, size);
    return;
  }
  inside_loop = true;
  pool->run({size, parts, body, context});
  inside_loop = false;
  in_use->unlock();
}

void run_tasks(int64_t count, Body body, void* context) {
  struct Shared {
    std::atomic<int64_t> next;
    int64_t count;
    Body body;
    void* context;
  } shared{{0}, count, body, context};
  const int64_t most = threads();
  run_in_parts(
      most, most < count ? most : count,
      [](void* given, int64_t, int64_t) {
        auto* tasks = static_cast<Shared*>(given);
        for (;;) {
          const int64_t task = tasks->next.fetch_add(1, std::memory_order_relaxed);
          if (task >= tasks->count) return;
          tasks->body(tasks->context, task, task + 1);
        }
      },
      &shared);
}

KERNEL(get_num_threads, "get_num_threads(): how many threads a kernel may use") {
  return PyLong_FromLong(threads());
}

KERNEL(set_num_threads, "set_num_threads(count): let kernels use this many threads") {
  if (count != 1) {
    PyErr_SetString(PyExc_TypeError, "set_num_threads() takes one argument");
    return nullptr;
  }
  const long wanted = PyLong_AsLong(args[0]);
  if (wanted == -1 && PyErr_Occurred()) return nullptr;
  set_threads(static_cast<int>(wanted));
  Py_RETURN_NONE;
}

}  // namespace facula
