// Functions of one array, two or three, element by element.
#pragma once

#include <algorithm>

#include "array.h"
#include "parallel.h"
#include "vector.h"

namespace facula {

// About this many elements are worth a thread.
constexpr Index kGrain = 16384;

// Whether the elements lie one after the other, in the order of rows or of columns.
static inline bool is_dense(const Array& x) {
  return (PyArray_FLAGS(reinterpret_cast<PyArrayObject*>(x.object())) & (NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS)) != 0;
}

static inline bool same_layout(const Array& x, const Array& y) {
  if (!x.same_shape(y)) return false;
  if (x.contiguous() && y.contiguous()) return true;
  for (int dim = 0; dim < x.dims(); ++dim) {
    if (x.shape(dim) > 1 && x.stride(dim) / x.item_bytes() != y.stride(dim) / y.item_bytes()) return false;
  }
  return true;
}

// A new array whose elements lie in memory as those of `x`, which is dense.
static inline Array laid_out_like(const Array& x, Type type) {
  if (x.contiguous()) return Array::like(x, type);
  return Array::empty(x.dims(), x.shape(), type, true);
}

namespace {

// bfloat16 in memory: the upper half of a float32, in which it is computed.
struct Brain {
  uint16_t bits;
  Brain() = default;
  Brain(float value) {
    uint32_t whole;
    std::memcpy(&whole, &value, sizeof whole);
    // To the nearest, ties to even; what is not a number must not be rounded to infinity.
    const uint32_t rounded = (whole + 0x7fff + (whole >> 16 & 1)) >> 16;
    bits = static_cast<uint16_t>(value != value ? (whole >> 16 | 0x40) : rounded);
  }
  operator float() const {
    const uint32_t whole = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &whole, sizeof value);
    return value;
  }
};

}  // namespace

// `function` of vectors of one, two or three rows of floats.
template <class Function>
static inline void for_vectors(Index size, const Function& body) {
  WithoutGil unlocked(size > kGrain);
  parallel_for(size, kGrain, [&](Index begin, Index end) {
    Index i = begin;
    for (; i + kLanes <= end; i += kLanes) body(i, Index{kLanes});
    if (i < end) body(i, end - i);
  });
}

ALWAYS_INLINE Floats load_some(const float* from, Index count) { return count == kLanes ? load(from) : load_part(from, count); }

ALWAYS_INLINE void store_some(float* to, Floats x, Index count) {
  if (count == kLanes) {
    store(to, x);
  } else {
    store_part(to, x, count);
  }
}

// y = function(x), of dense float32.
template <class Function>
static PyObject* map(PyObject* const* args, Py_ssize_t count, const Function& function) {
  if (count != 1 || !is_array(args[0])) return declined();
  const Array x(args[0]);
  if (x.type() != Type::float32 || !is_dense(x)) return declined();
  Array y = laid_out_like(x, Type::float32);
  if (!y) return nullptr;
  const float* from = x.data<float>();
  float* to = y.data<float>();
  WithoutGil unlocked(x.size() > kGrain);
  parallel_for(x.size(), kGrain, [&](Index begin, Index end) {
    Index i = begin;
    // Four vectors at once, all read before any is written: the steps of one wait for each other.
    constexpr Index many = 4;
    for (; i + many * kLanes <= end; i += many * kLanes) {
      Floats values[many];
#pragma GCC unroll 4
      for (Index k = 0; k < many; ++k) values[k] = function(load(from + i + k * kLanes));
#pragma GCC unroll 4
      for (Index k = 0; k < many; ++k) store(to + i + k * kLanes, values[k]);
    }
    for (; i < end; i += kLanes) {
      const Index some = std::min<Index>(kLanes, end - i);
      store_some(to + i, function(load_some(from + i, some)), some);
    }
  });
  return y.release();
}

// z = function(x, y), of dense float32 of the same shape and layout.
template <class Function>
static PyObject* map_pairs(PyObject* const* args, Py_ssize_t count, const Function& function) {
  if (count != 2 || !is_array(args[0]) || !is_array(args[1])) return declined();
  const Array x(args[0]);
  const Array y(args[1]);
  if (x.type() != Type::float32 || y.type() != Type::float32 || !is_dense(x) || !same_layout(x, y)) return declined();
  Array z = laid_out_like(x, Type::float32);
  if (!z) return nullptr;
  const float* left = x.data<float>();
  const float* right = y.data<float>();
  float* to = z.data<float>();
  for_vectors(x.size(), [&](Index i, Index some) {
    store_some(to + i, function(load_some(left + i, some), load_some(right + i, some)), some);
  });
  return z.release();
}

// Python numbers as floats; false where one is none.
static inline bool read_floats(PyObject* const* from, Py_ssize_t count, float* to) {
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!PyFloat_Check(from[i]) && !PyLong_CheckExact(from[i])) return false;
    const double value = PyFloat_AsDouble(from[i]);
    if (value == -1.0 && PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
    to[i] = static_cast<float>(value);
  }
  return true;
}

// y = function(x, numbers), numbers being the options after x.
template <int options, class Function>
static PyObject* map_with(PyObject* const* args, Py_ssize_t count, const Function& function) {
  float numbers[options];
  if (count != 1 + options || !read_floats(args + 1, options, numbers)) return declined();
  return map(args, 1, [&](Floats x) { return function(x, numbers); });
}

// z = function(x, y, numbers), numbers being the options after x and y.
template <int options, class Function>
static PyObject* map_pairs_with(PyObject* const* args, Py_ssize_t count, const Function& function) {
  float numbers[options];
  if (count != 2 + options || !read_floats(args + 2, options, numbers)) return declined();
  return map_pairs(args, 2, [&](Floats x, Floats y) { return function(x, y, numbers); });
}

}  // namespace facula
