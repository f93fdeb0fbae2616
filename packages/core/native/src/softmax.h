// What the softmax of a row and the cross-entropy of one are made of.
#pragma once

#include "rows.h"

namespace facula {

// The largest element of a row; a nan may be passed over.
static inline float largest_of_row(const float* x, Index length) {
  Floats a = all(-INFINITY), b = a, c = a, d = a;
  Index i = 0;
  for (; i + 4 * kLanes <= length; i += 4 * kLanes) {
    a = maximum(a, load(x + i));
    b = maximum(b, load(x + i + kLanes));
    c = maximum(c, load(x + i + 2 * kLanes));
    d = maximum(d, load(x + i + 3 * kLanes));
  }
  for (; i + kLanes <= length; i += kLanes) a = maximum(a, load(x + i));
  if (i < length) b = maximum(b, load_filled(x + i, length - i, -INFINITY));
  return largest_across(maximum(maximum(a, b), maximum(c, d)));
}

// `exp` where x is never far above 0, with half the instructions.
ALWAYS_INLINE Floats exp_below_zero(Floats x) {
#if defined(__AVX512F__)
  const Floats clamped = x < -104.0f ? all(-104.0f) : x;  // nan stays
  Floats n;
  const Floats rest = exp_of_rest(clamped, n);
  return scaled(rest + 1.0f, n);
#else
  return exp(x);
#endif
}

// The sum of exp(x - top) over a row, each of which is kept in `y` with `keep`. A nan in x is one in the sum.
template <bool keep>
static inline double sum_of_powers(const float* x, float top, float* y, Index length) {
  return sum_of_row(
      length,
      [=](Index i) __attribute__((always_inline)) {
        const Floats power = exp_below_zero(load(x + i) - top);
        if (keep) store(y + i, power);
        return power;
      },
      [=](Index i, Index count) __attribute__((always_inline)) {
        const Floats power = exp_below_zero(load_filled(x + i, count, 0) - top);
        if (keep) store_first(y + i, power, count);
        float lanes[kLanes] = {};
        store_first(lanes, power, count);
        return load(lanes);
      });
}

// to[i] = function(i, count) for the vectors of a row, of `count` elements each.
template <class Function>
static inline void write_row(float* to, Index length, const Function& function) {
  Index i = 0;
  for (; i + kLanes <= length; i += kLanes) store(to + i, function(i, Index{kLanes}));
  if (i < length) store_first(to + i, function(i, length - i), length - i);
}

ALWAYS_INLINE Floats load_up_to(const float* from, Index count) {
  return count == kLanes ? load(from) : load_filled(from, count, 0);
}

}  // namespace facula
