// Running sums and products of float32 and float64 along a dimension, kept in float64.
#include <type_traits>

#include "reduction.h"

namespace facula {
namespace {

struct Sum {
  template <class V>
  static inline __attribute__((always_inline)) V of(V a, V b) { return a + b; }
  static constexpr double neutral = 0.0;
};
struct Product {
  template <class V>
  static inline __attribute__((always_inline)) V of(V a, V b) { return a * b; }
  static constexpr double neutral = 1.0;
};

ALWAYS_INLINE Doubles reversed(Doubles x) {
  Longs places;
  for (int lane = 0; lane < kDoubleLanes; ++lane) places[lane] = kDoubleLanes - 1 - lane;
  return __builtin_shuffle(x, places);
}

// The lanes moved up by `width`, behind lanes of `fill`.
template <int width>
ALWAYS_INLINE Doubles moved_up(Doubles x, double fill) {
  Longs places;
  for (int lane = 0; lane < kDoubleLanes; ++lane) places[lane] = lane < width ? kDoubleLanes : lane - width;
  return __builtin_shuffle(x, all(fill), places);
}

ALWAYS_INLINE Doubles widened(const float* from) {
  typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
  Half x;
  std::memcpy(&x, from, sizeof x);
  return __builtin_convertvector(x, Doubles);
}
ALWAYS_INLINE Doubles widened(const double* from) { return load(from); }
ALWAYS_INLINE void narrowed(float* to, Doubles x) {
  typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
  const Half rounded = __builtin_convertvector(x, Half);
  std::memcpy(to, &rounded, sizeof rounded);
}
ALWAYS_INLINE void narrowed(double* to, Doubles x) { store(to, x); }

// A vector at a time: the running results within it, and then what came before. Only the latter waits for the vector
// before. Sums of float32 alone: others might overflow or vanish on the way to a result that is a number.
template <class Operation, bool backwards, class T>
void run_row(const T* x, T* y, Index length) {
  double before = Operation::neutral;
  constexpr bool in_vectors = std::is_same<T, float>::value && std::is_same<Operation, Sum>::value;
  Index i = 0;
  for (; in_vectors && i + kDoubleLanes <= length; i += kDoubleLanes) {
    const Index at = backwards ? length - i - kDoubleLanes : i;
    Doubles value = widened(x + at);
    if (backwards) value = reversed(value);
    value = Operation::of(value, moved_up<1>(value, Operation::neutral));
    if constexpr (kDoubleLanes >= 4) value = Operation::of(value, moved_up<2 % kDoubleLanes>(value, Operation::neutral));
    if constexpr (kDoubleLanes >= 8) value = Operation::of(value, moved_up<4 % kDoubleLanes>(value, Operation::neutral));
    const Doubles result = Operation::of(value, all(before));
    narrowed(y + at, backwards ? reversed(result) : result);
    before = Operation::of(before, value[kDoubleLanes - 1]);
  }
  for (; i < length; ++i) {
    const Index at = backwards ? length - 1 - i : i;
    before = Operation::of(before, static_cast<double>(x[at]));
    y[at] = static_cast<T>(before);
  }
}

constexpr Index kColumns = 256;

template <class Operation, bool backwards, class T>
void run_columns(const T* x, T* y, Index length, Index step, Index width) {
  double before[kColumns];
  std::fill(before, before + width, Operation::neutral);
  for (Index row = 0; row < length; ++row) {
    const Index start = (backwards ? length - 1 - row : row) * step;
    Index at = 0;
    for (; at + kDoubleLanes <= width; at += kDoubleLanes) {
      const Doubles value = Operation::of(load(before + at), widened(x + start + at));
      store(before + at, value);
      narrowed(y + start + at, value);
    }
    for (; at < width; ++at) {
      before[at] = Operation::of(before[at], static_cast<double>(x[start + at]));
      y[start + at] = static_cast<T>(before[at]);
    }
  }
}

template <class Operation, bool backwards, class T>
void run(const Along& shape, const T* x, T* y) {
  if (shape.inner == 1) {
    parallel_for(shape.outer, rows_per_thread(shape.length), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        run_row<Operation, backwards>(x + row * shape.length, y + row * shape.length, shape.length);
      }
    });
    return;
  }
  const Index tiles = (shape.inner + kColumns - 1) / kColumns;
  parallel_for(shape.outer * tiles, rows_per_thread(shape.length * std::min(kColumns, shape.inner)), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index first = task % tiles * kColumns, at = task / tiles * shape.length * shape.inner + first;
      run_columns<Operation, backwards>(x + at, y + at, shape.length, shape.inner, std::min(kColumns, shape.inner - first));
    }
  });
}

template <class Operation>
PyObject* accumulate(PyObject* const* args, Py_ssize_t count, bool backwards) {
  if (count < 2 || !is_array(args[0])) return declined();
  const Array given(args[0]);
  Index dim;
  if ((given.type() != Type::float32 && given.type() != Type::float64) || !read_dim(args[1], given, &dim)) return declined();
  if (given.size() == 0) return declined();
  const Dense x(args[0]);
  if (!x) return nullptr;
  Array y = Array::like(*x);
  if (!y) return nullptr;
  const Along shape = along(*x, dim);
  WithoutGil unlocked(x->size() > kElementsPerThread);
  if (x->type() == Type::float32) {
    (backwards ? run<Operation, true, float> : run<Operation, false, float>)(shape, x->data<float>(), y.data<float>());
  } else {
    (backwards ? run<Operation, true, double> : run<Operation, false, double>)(shape, x->data<double>(), y.data<double>());
  }
  return y.release();
}

}  // namespace

KERNEL(cumsum, "cumsum(x, dim, backwards)") { return accumulate<Sum>(args, count, count == 3 && args[2] == Py_True); }

KERNEL(cumprod, "cumprod(x, dim)") { return accumulate<Product>(args, count, false); }

}  // namespace facula
