// Working memory of kernels: one growing buffer for each thread and purpose, kept for the next call.
#pragma once

#include <cstddef>
#include <cstdlib>

namespace facula {

// What a buffer is for; two that are in use at once need two purposes.
enum class Purpose { left_panels, right_panels, gathered, padded, transformed, accumulated, count };

namespace detail {

struct Buffers {
  void* memory[static_cast<int>(Purpose::count)] = {};
  size_t capacity[static_cast<int>(Purpose::count)] = {};
  ~Buffers() {
    for (void* each : memory) std::free(each);
  }
};

}  // namespace detail

// At least `count` elements, aligned to 64 bytes, valid until the next call for this purpose on this thread; null where
// memory is short. Nothing is cleared.
template <class T>
static inline T* scratch(Purpose purpose, size_t count) {
  static thread_local detail::Buffers buffers;
  const int at = static_cast<int>(purpose);
  const size_t bytes = (count * sizeof(T) + 4095) / 4096 * 4096;
  if (buffers.capacity[at] < bytes) {
    std::free(buffers.memory[at]);
    buffers.memory[at] = std::aligned_alloc(64, bytes);
    buffers.capacity[at] = buffers.memory[at] == nullptr ? 0 : bytes;
  }
  return static_cast<T*>(buffers.memory[at]);
}

}  // namespace facula
