// Softmax, its logarithm and their gradients along any dimension, of float32.
#include "softmax.h"

namespace facula {
namespace {

// One row whose elements are neighbours.

template <bool logarithm>
void softmax_row(const float* x, float* y, Index length) {
  const float top = largest_of_row(x, length);
  const double sum = sum_of_powers<!logarithm>(x, top, y, length);
  const float factor = static_cast<float>(logarithm ? std::log(sum) : 1.0 / sum);
  write_row(y, length, [=](Index i, Index count) __attribute__((always_inline)) {
    return logarithm ? (load_up_to(x + i, count) - top) - factor : load_up_to(y + i, count) * factor;
  });
}

template <bool logarithm>
void slope_row(const float* grad, const float* y, float* result, Index length) {
  const float sum = static_cast<float>(sum_of_row(
      length,
      [=](Index i) __attribute__((always_inline)) {
        return logarithm ? load(grad + i) : load(grad + i) * load(y + i);
      },
      [=](Index i, Index count) __attribute__((always_inline)) {
        const Floats g = load_filled(grad + i, count, 0);
        return logarithm ? g : g * load_filled(y + i, count, 0);
      }));
  write_row(result, length, [=](Index i, Index count) __attribute__((always_inline)) {
    const Floats g = load_up_to(grad + i, count), value = load_up_to(y + i, count);
    return logarithm ? g - exp_below_zero(value) * sum : value * (g - sum);
  });
}

// Some neighbouring columns, `step` apart from one element of a column to the next: `count` is kLanes or, for the last
// vector, less.

ALWAYS_INLINE void store_columns(float* to, Floats x, Index count) {
  if (count == kLanes) {
    store(to, x);
  } else {
    store_first(to, x, count);
  }
}

// Sums of columns, added up in blocks of rows.
constexpr Index kRows = 64;

template <bool logarithm, int vectors>
void softmax_columns(const float* x, float* y, Index length, Index step, Index count) {
  Floats top[vectors], sum[vectors] = {};
  for (Floats& each : top) each = all(-INFINITY);
  for (Index row = 0; row < length; ++row) {
    for (int v = 0; v < vectors; ++v) {
      top[v] = maximum(top[v], load_up_to(x + row * step + v * kLanes, count));
    }
  }
  for (Index first = 0; first < length; first += kRows) {
    Floats part[vectors] = {};
    for (Index row = first; row < std::min(length, first + kRows); ++row) {
      for (int v = 0; v < vectors; ++v) {
        const Index at = row * step + v * kLanes;
        const Floats power = exp_below_zero(load_up_to(x + at, count) - top[v]);
        if (!logarithm) store_columns(y + at, power, count);
        part[v] += power;
      }
    }
    for (int v = 0; v < vectors; ++v) sum[v] += part[v];
  }
  for (int v = 0; v < vectors; ++v) {
    if (logarithm) {
      for (int lane = 0; lane < kLanes; ++lane) sum[v][lane] = std::log(sum[v][lane]);
    } else {
      sum[v] = 1.0f / sum[v];
    }
  }
  for (Index row = 0; row < length; ++row) {
    for (int v = 0; v < vectors; ++v) {
      const Index at = row * step + v * kLanes;
      const Floats value = load_up_to((logarithm ? x : y) + at, count);
      store_columns(y + at, logarithm ? (value - top[v]) - sum[v] : value * sum[v], count);
    }
  }
}

template <bool logarithm, int vectors>
void slope_columns(const float* grad, const float* y, float* result, Index length, Index step, Index count) {
  Floats sum[vectors] = {};
  for (Index first = 0; first < length; first += kRows) {
    Floats part[vectors] = {};
    for (Index row = first; row < std::min(length, first + kRows); ++row) {
      for (int v = 0; v < vectors; ++v) {
        const Index at = row * step + v * kLanes;
        const Floats g = load_up_to(grad + at, count);
        part[v] += logarithm ? g : g * load_up_to(y + at, count);
      }
    }
    for (int v = 0; v < vectors; ++v) sum[v] += part[v];
  }
  for (Index row = 0; row < length; ++row) {
    for (int v = 0; v < vectors; ++v) {
      const Index at = row * step + v * kLanes;
      const Floats g = load_up_to(grad + at, count), value = load_up_to(y + at, count);
      store_columns(result + at, logarithm ? g - exp_below_zero(value) * sum[v] : value * (g - sum[v]), count);
    }
  }
}

// The logarithm of the sum of exponentials of elements `step` apart, whatever they are.
float logsumexp_of_any(const float* x, Index length, Index step) {
  double sum = 0;
  for (Index i = 0; i < length; ++i) sum += std::exp(static_cast<double>(x[i * step]));
  return static_cast<float>(std::log(sum));
}

float logsumexp_of_row(const float* x, Index length) {
  const float top = largest_of_row(x, length);
  if (!std::isfinite(top)) return logsumexp_of_any(x, length, 1);
  return static_cast<float>(std::log(sum_of_powers<false>(x, top, nullptr, length)) + top);
}

template <int vectors>
void logsumexp_of_columns(const float* x, float* result, Index length, Index step, Index count) {
  Floats top[vectors], sum[vectors] = {};
  for (Floats& each : top) each = all(-INFINITY);
  for (Index row = 0; row < length; ++row) {
    for (int v = 0; v < vectors; ++v) top[v] = maximum(top[v], load_up_to(x + row * step + v * kLanes, count));
  }
  for (Index first = 0; first < length; first += kRows) {
    Floats part[vectors] = {};
    for (Index row = first; row < std::min(length, first + kRows); ++row) {
      for (int v = 0; v < vectors; ++v) part[v] += exp_below_zero(load_up_to(x + row * step + v * kLanes, count) - top[v]);
    }
    for (int v = 0; v < vectors; ++v) sum[v] += part[v];
  }
  for (int v = 0; v < vectors; ++v) {
    for (Index lane = 0; lane < count; ++lane) {
      const Index at = v * kLanes + lane;
      result[at] = std::isfinite(top[v][lane]) ? std::log(sum[v][lane]) + top[v][lane] : logsumexp_of_any(x + at, length, step);
    }
  }
}

// Calls `row(offset)` for each row of neighbours, or `columns(offset, count, many)` for each few columns: `many` vectors
// (1 or kMany), `count` elements of each.
constexpr int kMany = 4;

template <class Row, class Columns>
void for_each_row(const Along& shape, const Row& row, const Columns& columns) {
  const Index size = shape.outer * shape.length * shape.inner;
  if (size == 0) return;
  WithoutGil unlocked(size > kElementsPerThread / 2);
  if (shape.inner == 1) {
    parallel_for(shape.outer, rows_per_thread(shape.length), [&](Index begin, Index end) {
      for (Index at = begin; at < end; ++at) row(at * shape.length);
    });
    return;
  }
  const Index width = kMany * kLanes;
  const Index tiles = (shape.inner + width - 1) / width;
  parallel_for(shape.outer * tiles, rows_per_thread(shape.length * std::min(width, shape.inner)), [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      const Index first = at % tiles * width;
      const Index offset = at / tiles * shape.length * shape.inner + first;
      const Index here = std::min(width, shape.inner - first);
      if (here == width) {
        columns(offset, Index{kLanes}, kMany);
        continue;
      }
      for (Index done = 0; done < here; done += kLanes) columns(offset + done, std::min<Index>(kLanes, here - done), 1);
    }
  });
}

template <bool logarithm>
PyObject* softmax(PyObject* const* args, Py_ssize_t count) {
  if (count != 2 || !is_array(args[0]) || Array(args[0]).type() != Type::float32) return declined();
  Index dim;
  if (!read_dim(args[1], Array(args[0]), &dim)) return declined();
  const Dense x(args[0]);
  if (!x) return nullptr;
  Array y = Array::like(*x);
  if (!y) return nullptr;
  const Along shape = along(*x, dim);
  const float* from = x->data<float>();
  float* to = y.data<float>();
  for_each_row(
      shape, [&](Index at) { softmax_row<logarithm>(from + at, to + at, shape.length); },
      [&](Index at, Index lanes, int vectors) {
        if (vectors == kMany) {
          softmax_columns<logarithm, kMany>(from + at, to + at, shape.length, shape.inner, kLanes);
        } else {
          softmax_columns<logarithm, 1>(from + at, to + at, shape.length, shape.inner, lanes);
        }
      });
  return y.release();
}

template <bool logarithm>
PyObject* softmax_gradient(PyObject* const* args, Py_ssize_t count) {
  if (count != 3 || !is_array(args[0]) || !is_array(args[1])) return declined();
  const Array left(args[0]), right(args[1]);
  if (left.type() != Type::float32 || right.type() != Type::float32 || !left.same_shape(right)) return declined();
  Index dim;
  if (!read_dim(args[2], left, &dim)) return declined();
  const Dense grad(args[0]), y(args[1]);
  if (!grad || !y) return nullptr;
  Array result = Array::like(*y);
  if (!result) return nullptr;
  const Along shape = along(*y, dim);
  const float* from = grad->data<float>();
  const float* shares = y->data<float>();
  float* to = result.data<float>();
  for_each_row(
      shape, [&](Index at) { slope_row<logarithm>(from + at, shares + at, to + at, shape.length); },
      [&](Index at, Index lanes, int vectors) {
        if (vectors == kMany) {
          slope_columns<logarithm, kMany>(from + at, shares + at, to + at, shape.length, shape.inner, kLanes);
        } else {
          slope_columns<logarithm, 1>(from + at, shares + at, to + at, shape.length, shape.inner, lanes);
        }
      });
  return result.release();
}

}  // namespace

KERNEL(softmax, "softmax(x, dim): powers of e, divided by their sum along a dimension") { return softmax<false>(args, count); }

KERNEL(log_softmax, "log_softmax(x, dim): the logarithm of softmax") { return softmax<true>(args, count); }

KERNEL(logsumexp, "logsumexp(x, dim, keepdim): the logarithm of the sum of exponentials along a dimension") {
  if (count != 3 || !is_array(args[0]) || Array(args[0]).type() != Type::float32 || Array(args[0]).size() == 0) return declined();
  Index dim;
  if (!read_dim(args[1], Array(args[0]), &dim)) return declined();
  const Dense x(args[0]);
  if (!x) return nullptr;
  const bool keep = args[2] == Py_True;
  npy_intp lengths[NPY_MAXDIMS];
  int dims = 0;
  for (int at = 0; at < x->dims(); ++at) {
    if (at != dim) {
      lengths[dims++] = x->shape(at);
    } else if (keep) {
      lengths[dims++] = 1;
    }
  }
  Array y = Array::empty(dims, lengths, Type::float32);
  if (!y) return nullptr;
  const Along shape = along(*x, dim);
  const float* from = x->data<float>();
  float* to = y.data<float>();
  const auto result_of = [&](Index at) { return to + at / (shape.length * shape.inner) * shape.inner + at % (shape.length * shape.inner); };
  for_each_row(
      shape, [&](Index at) { to[at / shape.length] = logsumexp_of_row(from + at, shape.length); },
      [&](Index at, Index lanes, int vectors) {
        if (vectors == kMany) {
          logsumexp_of_columns<kMany>(from + at, result_of(at), shape.length, shape.inner, kLanes);
        } else {
          logsumexp_of_columns<1>(from + at, result_of(at), shape.length, shape.inner, lanes);
        }
      });
  return y.release();
}

KERNEL(softmax_gradient, "softmax_gradient(grad, y, dim): the gradient of softmax, whose result is y") {
  return softmax_gradient<false>(args, count);
}

KERNEL(log_softmax_gradient, "log_softmax_gradient(grad, y, dim): the gradient of log_softmax, whose result is y") {
  return softmax_gradient<true>(args, count);
}

}  // namespace facula
