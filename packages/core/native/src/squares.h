// Rows in memory as vectors of which each holds one element of every row, and back.
#pragma once

#include <algorithm>
#include <type_traits>

#include "array.h"
#include "vector.h"

namespace facula {

// Rows and columns of a square of vectors change places: blocks of half its side, then within those blocks.
template <class T, int width, class V>
ALWAYS_INLINE void turn_blocks(V* rows) {
  constexpr int lanes = VectorOf<T>::lanes;
  using Places = std::conditional_t<sizeof(T) == 4, Ints, Longs>;
  Places low, high;
  for (int lane = 0; lane < lanes; ++lane) {
    low[lane] = (lane & width) == 0 ? lane : lanes + (lane - width);
    high[lane] = (lane & width) == 0 ? lane + width : lanes + lane;
  }
#pragma GCC unroll 16
  for (int row = 0; row < lanes; ++row) {
    if ((row & width) != 0) continue;
    const V a = rows[row], b = rows[row + width];
    rows[row] = __builtin_shuffle(a, b, low);
    rows[row + width] = __builtin_shuffle(a, b, high);
  }
}

template <class T, class V>
ALWAYS_INLINE void turn_square(V* rows) {
  constexpr int lanes = VectorOf<T>::lanes;
  if constexpr (lanes >= 16) turn_blocks<T, 8>(rows);
  if constexpr (lanes >= 8) turn_blocks<T, 4>(rows);
  if constexpr (lanes >= 4) turn_blocks<T, 2>(rows);
  if constexpr (lanes >= 2) turn_blocks<T, 1>(rows);
}

// The first `count` elements from an address, zeros in other lanes; and back.
template <class T>
ALWAYS_INLINE typename VectorOf<T>::type load_beginning(const T* from, Index count) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
  } else {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), from);
  }
#else
  typename VectorOf<T>::type x{};
  for (Index i = 0; i < count; ++i) x[i] = from[i];
  return x;
#endif
}
template <class T, class V>
ALWAYS_INLINE void store_beginning(T* to, V x, Index count) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), x);
  } else {
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1), x);
  }
#else
  for (Index i = 0; i < count; ++i) to[i] = x[i];
#endif
}

// From rows to those of the next group, which is asked for while this one is worked on, as if all lay equally far apart.
template <class T, class Pointer>
ALWAYS_INLINE Index distance_to_next(const Pointer* rows, int count) {
  return count < 2 ? 0 : (rows[1] - rows[0]) * VectorOf<T>::lanes;
}

// The numbers of `count` rows, at most one a lane, as vectors: to[i] is element i of all rows, times that of a window. Other
// lanes hold what nobody reads.
template <class T, class V>
void rows_to_lanes(const T* const* rows, int count, Index length, V* to, const T* window = nullptr) {
  constexpr int lanes = VectorOf<T>::lanes;
  const T* from[lanes];
  for (int row = 0; row < lanes; ++row) from[row] = rows[row < count ? row : 0];
  const Index next = distance_to_next<T>(rows, count);
  Index i = 0;
  for (; i < length && length >= lanes; i += lanes) {
    i = std::min(i, length - lanes);  // the last square overlaps the one before
    V square[lanes];
#pragma GCC unroll 16
    for (int row = 0; row < lanes; ++row) {
      square[row] = load(from[row] + i);
      __builtin_prefetch(from[row] + i + next, 0, 2);
    }
    if (window != nullptr) {
      const V factors = load(window + i);
#pragma GCC unroll 16
      for (int row = 0; row < lanes; ++row) square[row] *= factors;
    }
    turn_square<T>(square);
#pragma GCC unroll 16
    for (int row = 0; row < lanes; ++row) to[i + row] = square[row];
  }
  if (i < length) {
    V square[lanes];
    for (int row = 0; row < lanes; ++row) square[row] = load_beginning(from[row], length);
    turn_square<T>(square);
    for (; i < length; ++i) to[i] = window == nullptr ? square[i] : square[i] * window[i];
  }
}

template <class T, class V>
void lanes_to_rows(const V* from, T* const* rows, int count, Index length) {
  constexpr int lanes = VectorOf<T>::lanes;
  const Index next = distance_to_next<T>(rows, count);
  Index i = 0;
  for (; i < length && length >= lanes; i += lanes) {
    i = std::min(i, length - lanes);
    V square[lanes];
#pragma GCC unroll 16
    for (int row = 0; row < lanes; ++row) square[row] = from[i + row];
    turn_square<T>(square);
#pragma GCC unroll 16
    for (int row = 0; row < lanes; ++row) {
      if (row >= count) continue;
      store(rows[row] + i, square[row]);
      __builtin_prefetch(rows[row] + i + next, 0, 2);
    }
  }
  if (i < length) {
    V square[lanes];
    for (int row = 0; row < lanes; ++row) square[row] = row < length ? from[row] : V{};
    turn_square<T>(square);
    for (int row = 0; row < count; ++row) store_beginning(rows[row], square[row], length);
  }
}

}  // namespace facula
