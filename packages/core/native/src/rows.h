// Arrays as rows: what kernels share that work along dimensions.
#pragma once

#include <algorithm>

#include "array.h"
#include "parallel.h"
#include "vector.h"

namespace facula {

// About this many elements are worth a thread.
constexpr Index kElementsPerThread = 16384;

// How many rows of this length are worth a thread.
static inline Index rows_per_thread(Index length) {
  return std::max<Index>(1, kElementsPerThread / std::max<Index>(length, 1));
}

// An array in C order: the one given, or a copy of it; empty (false) with a Python error set where memory is short.
class Dense {
 public:
  explicit Dense(PyObject* array)
      : object_(reinterpret_cast<PyObject*>(PyArray_GETCONTIGUOUS(reinterpret_cast<PyArrayObject*>(array)))),
        array_(object_) {}
  ~Dense() { Py_XDECREF(object_); }
  Dense(const Dense&) = delete;
  Dense& operator=(const Dense&) = delete;
  explicit operator bool() const { return object_ != nullptr; }
  const Array& operator*() const { return array_; }
  const Array* operator->() const { return &array_; }

 private:
  PyObject* object_;
  Array array_;
};

// A dimension of an array in C order: `outer` blocks of `length` rows of `inner` elements.
struct Along {
  Index outer = 1;
  Index length = 1;
  Index inner = 1;
};

static inline Along along(const Array& x, Index dim) {
  Along found;
  for (Index at = 0; at < x.dims(); ++at) {
    Index& into = at < dim ? found.outer : at == dim ? found.length : found.inner;
    into *= x.shape(static_cast<int>(at));
  }
  return found;
}

// Reads a dimension, which may count from the end; false where it is none of this array.
static inline bool read_dim(PyObject* object, const Array& x, Index* dim) {
  if (!PyLong_Check(object)) return false;
  *dim = PyLong_AsLongLong(object);
  if (*dim < 0) *dim += x.dims();
  return *dim >= 0 && *dim < x.dims();
}

// The first `count` < kLanes elements from an address, and `fill` in the other lanes.
ALWAYS_INLINE Floats load_filled(const float* from, Index count, float fill) {
#if defined(__AVX512F__)
  return _mm512_mask_loadu_ps(all(fill), static_cast<__mmask16>((1u << count) - 1), from);
#else
  Floats x = all(fill);
  std::memcpy(&x, from, static_cast<size_t>(count) * sizeof(float));
  return x;
#endif
}
ALWAYS_INLINE void store_first(float* to, Floats x, Index count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), x);
#else
  std::memcpy(to, &x, static_cast<size_t>(count) * sizeof(float));
#endif
}

// Lane i of the result is lane i ^ `width`: with widths that halve, every lane meets every other.
template <int width>
ALWAYS_INLINE Floats exchanged(Floats x) {
  Ints places;
  for (int lane = 0; lane < kLanes; ++lane) places[lane] = lane ^ width;
  return __builtin_shuffle(x, places);
}

// One number of all lanes, in an order that depends on nothing else.
template <class Function>
ALWAYS_INLINE float across(Floats x, const Function& two) {
  if constexpr (kLanes >= 16) x = two(x, exchanged<8 % kLanes>(x));
  if constexpr (kLanes >= 8) x = two(x, exchanged<4 % kLanes>(x));
  x = two(x, exchanged<2>(x));
  x = two(x, exchanged<1>(x));
  return x[0];
}
ALWAYS_INLINE float sum_across(Floats x) {
  return across(x, [](Floats a, Floats b) __attribute__((always_inline)) { return a + b; });
}
ALWAYS_INLINE float largest_across(Floats x) {
  return across(x, [](Floats a, Floats b) __attribute__((always_inline)) { return maximum(a, b); });
}

// The sum of `value(i, whole)` over the vectors that start at i, in blocks so that a long sum stays exact;
// `last(i, count)` is for those that are not whole, with zeros in the lanes beyond.
constexpr Index kBlock = 1024;

template <class Whole, class Part>
ALWAYS_INLINE double sum_of_row(Index length, const Whole& whole, const Part& part) {
  double result = 0;
  Index i = 0;
  while (i + kLanes <= length) {
    const Index end = std::min(length, i + kBlock);
    Floats a{}, b{}, c{}, d{};
    for (; i + 4 * kLanes <= end; i += 4 * kLanes) {
      a += whole(i);
      b += whole(i + kLanes);
      c += whole(i + 2 * kLanes);
      d += whole(i + 3 * kLanes);
    }
    for (; i + kLanes <= end; i += kLanes) a += whole(i);
    if (i < end) {
      b += part(i, end - i);
      i = end;
    }
    result += sum_across((a + b) + (c + d));
  }
  if (i < length) result += sum_across(part(i, length - i));
  return result;
}

}  // namespace facula
