// Memory for NumPy's arrays: aligned to 64 bytes, and kept for the next array of about its size when it is given back.
//
// A fresh large array costs more than the arithmetic on it, since the system clears and maps each of its pages at the
// first touch. NumPy asks whoever is its memory handler (NEP 49); this one keeps up to `limit` bytes in lists by size.
#include <pthread.h>
#include <sys/mman.h>

#include <cstdlib>
#include <mutex>
#include <vector>

#include "graph.h"

namespace facula {
namespace {

constexpr size_t kAlignment = 64;
// From here on the system is asked for pages of 2 MB, of which it has to map fewer.
constexpr size_t kHuge = size_t{4} << 20;
// Sizes go up to this in steps of the alignment, then in 16 steps for each doubling.
constexpr size_t kSmall = 1024;
constexpr int kSmallClasses = kSmall / kAlignment + 1;
constexpr int kClasses = kSmallClasses + 16 * 48;
// Blocks kept of one small size; large ones are limited by their bytes alone.
constexpr size_t kMostSmall = 256;

// Lies before each block's memory and fills one alignment step.
struct Header {
  void* raw;
  size_t capacity;
  int size_class;
};
static_assert(sizeof(Header) <= kAlignment, "the header must not break the alignment");

struct Statistics {
  size_t in_use = 0;
  size_t peak = 0;
  size_t kept = 0;
  size_t asked = 0;
  size_t reused = 0;
};

std::mutex* lock = new std::mutex();
std::vector<Header*>* lists = new std::vector<Header*>[kClasses];
Statistics statistics;
size_t limit = size_t{1} << 30;

Header* header_of(void* memory) { return reinterpret_cast<Header*>(static_cast<char*>(memory) - kAlignment); }
void* memory_of(Header* header) { return reinterpret_cast<char*>(header) + kAlignment; }

// The class of a size, which becomes the largest size of that class.
int class_of(size_t& size) {
  if (size <= kSmall) {
    const size_t step = (size + kAlignment - 1) / kAlignment;
    size = step * kAlignment;
    return static_cast<int>(step);
  }
  const int doubling = 63 - __builtin_clzll(size - 1);
  const size_t step = size_t{1} << (doubling - 4);
  const size_t part = (size - 1 - (size_t{1} << doubling)) >> (doubling - 4);
  size = (size_t{1} << doubling) + (part + 1) * step;
  return kSmallClasses + (doubling - 10) * 16 + static_cast<int>(part);
}

void give_to_system(Header* header) { std::free(header->raw); }

// Give kept blocks back, the largest first, until no more than `most` bytes are kept.
void shrink(size_t most) {
  for (int each = kClasses - 1; each >= 0 && statistics.kept > most; --each) {
    while (!lists[each].empty() && statistics.kept > most) {
      statistics.kept -= lists[each].back()->capacity;
      give_to_system(lists[each].back());
      lists[each].pop_back();
    }
  }
}

void* allocate(size_t size, bool cleared) {
  const size_t asked = size;
  const int size_class = class_of(size);
  if (size < asked || size_class >= kClasses) return nullptr;
  Header* header = nullptr;
  {
    std::lock_guard<std::mutex> guard(*lock);
    ++statistics.asked;
    if (!lists[size_class].empty()) {
      header = lists[size_class].back();
      lists[size_class].pop_back();
      statistics.kept -= header->capacity;
      ++statistics.reused;
      statistics.in_use += header->capacity;
      if (statistics.in_use > statistics.peak) statistics.peak = statistics.in_use;
    }
  }
  if (header != nullptr) {
    if (cleared) std::memset(memory_of(header), 0, asked);
    return memory_of(header);
  }
  const size_t whole = size + 2 * kAlignment;
  void* raw = cleared ? std::calloc(1, whole) : std::malloc(whole);
  if (raw == nullptr) {
    // What is kept may be just what is missing.
    std::lock_guard<std::mutex> guard(*lock);
    shrink(0);
    raw = cleared ? std::calloc(1, whole) : std::malloc(whole);
    if (raw == nullptr) return nullptr;
  }
#if defined(MADV_HUGEPAGE)
  if (size >= kHuge) {
    const size_t page = 4096;
    const size_t begin = (reinterpret_cast<size_t>(raw) + page - 1) / page * page;
    const size_t end = (reinterpret_cast<size_t>(raw) + whole) / page * page;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
  }
#endif
  const size_t first = (reinterpret_cast<size_t>(raw) + kAlignment - 1) / kAlignment * kAlignment;
  header = reinterpret_cast<Header*>(first);
  *header = {raw, size, size_class};
  std::lock_guard<std::mutex> guard(*lock);
  statistics.in_use += size;
  if (statistics.in_use > statistics.peak) statistics.peak = statistics.in_use;
  return memory_of(header);
}

void* malloc_block(void*, size_t size) { return allocate(size == 0 ? 1 : size, false); }

void* calloc_block(void*, size_t count, size_t each) {
  size_t size = 0;
  if (__builtin_mul_overflow(count, each, &size)) return nullptr;
  return allocate(size == 0 ? 1 : size, true);
}

void free_block(void*, void* memory, size_t) {
  if (memory == nullptr) return;
  Header* header = header_of(memory);
  std::lock_guard<std::mutex> guard(*lock);
  statistics.in_use -= header->capacity;
  auto& list = lists[header->size_class];
  const bool small = header->size_class < kSmallClasses;
  if (header->capacity > limit || (small && list.size() >= kMostSmall)) {
    give_to_system(header);
    return;
  }
  if (statistics.kept + header->capacity > limit) shrink(limit - header->capacity);
  list.push_back(header);
  statistics.kept += header->capacity;
}

void* realloc_block(void* context, void* memory, size_t size) {
  if (memory == nullptr) return malloc_block(context, size);
  const size_t had = header_of(memory)->capacity;
  if (size <= had && size > had / 2) return memory;
  void* made = malloc_block(context, size);
  if (made == nullptr) return nullptr;
  std::memcpy(made, memory, had < size ? had : size);
  free_block(context, memory, had);
  return made;
}

PyDataMem_Handler handler = {
    "facula", 1, {nullptr, malloc_block, calloc_block, realloc_block, free_block},
};

// A child that is forked while another thread is in here would wait for that thread, which it does not have.
struct SafeToFork {
  SafeToFork() {
    pthread_atfork([] { lock->lock(); }, [] { lock->unlock(); }, [] { lock->unlock(); });
  }
} safe_to_fork;

PyObject* previous = nullptr;

bool add(PyObject* dict, const char* name, size_t number) {
  const Ref value(PyLong_FromSize_t(number));
  return value && PyDict_SetItemString(dict, name, value.get()) == 0;
}

}  // namespace

// use_allocator(on): make this NumPy's memory handler in this context, or the one that was before.
PyObject* use_allocator(PyObject*, PyObject* on) {
  const int wanted = PyObject_IsTrue(on);
  if (wanted < 0) return nullptr;
  if ((wanted != 0) == (previous != nullptr)) Py_RETURN_NONE;
  if (wanted != 0) {
    const Ref capsule(PyCapsule_New(&handler, "mem_handler", nullptr));
    previous = capsule ? PyDataMem_SetHandler(capsule.get()) : nullptr;
    if (previous == nullptr) return nullptr;
    Py_RETURN_NONE;
  }
  const Ref ours(PyDataMem_SetHandler(previous));
  if (!ours) return nullptr;
  Py_CLEAR(previous);
  Py_RETURN_NONE;
}

// set_memory_limit(bytes): how much may be kept; what is more goes back to the system at once.
PyObject* set_memory_limit(PyObject*, PyObject* bytes) {
  const size_t most = PyLong_AsSize_t(bytes);
  if (most == static_cast<size_t>(-1) && PyErr_Occurred()) return nullptr;
  std::lock_guard<std::mutex> guard(*lock);
  limit = most;
  shrink(limit);
  Py_RETURN_NONE;
}

PyObject* empty_cache(PyObject*, PyObject*) {
  std::lock_guard<std::mutex> guard(*lock);
  shrink(0);
  Py_RETURN_NONE;
}

PyObject* reset_peak_memory(PyObject*, PyObject*) {
  std::lock_guard<std::mutex> guard(*lock);
  statistics.peak = statistics.in_use;
  Py_RETURN_NONE;
}

PyObject* memory_statistics(PyObject*, PyObject*) {
  Statistics now;
  size_t most = 0;
  {
    std::lock_guard<std::mutex> guard(*lock);
    now = statistics;
    most = limit;
  }
  Ref dict(PyDict_New());
  const bool whole = dict && add(dict.get(), "in_use", now.in_use) && add(dict.get(), "peak", now.peak) &&
                     add(dict.get(), "kept", now.kept) && add(dict.get(), "allocations", now.asked) &&
                     add(dict.get(), "reused", now.reused) && add(dict.get(), "limit", most);
  return whole ? dict.release() : nullptr;
}

}  // namespace facula
