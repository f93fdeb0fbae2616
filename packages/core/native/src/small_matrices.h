// Batches of small square matrices, as many at once as a vector has lanes: elimination and Cholesky factors.
#pragma once

#include <cmath>

#include "array.h"
#include "matrices.h"
#include "squares.h"
#include "vector.h"

namespace facula {
namespace {

// Up to this many rows, matrices are worked on side by side; there must be enough of them to fill the lanes.
constexpr Index kSmallMatrix = 8;
constexpr Index kFewMatrices = 8;

inline bool is_small_batch(Index count, Index rows, Index columns) {
  return rows <= kSmallMatrix && columns <= kSmallMatrix && count >= kFewMatrices;
}

template <class V>
ALWAYS_INLINE V size_of(V x) { return x < V{} ? -x : x; }

// Exchanges x and y in the lanes of the mask.
template <class V, class M>
ALWAYS_INLINE void exchange(M mask, V& x, V& y) {
  const V before = x;
  x = mask ? y : x;
  y = mask ? before : y;
}

// Whether the first `count` lanes hold finite numbers that are not 0.
template <class T, class V>
ALWAYS_INLINE bool all_regular(V x, int count) {
  bool regular = true;
  for (int lane = 0; lane < count; ++lane) regular = regular && x[lane] != 0 && std::isfinite(x[lane]);
  return regular;
}

// Matrices with their right sides in every lane.
template <class T>
struct Lanes {
  using V = typename VectorOf<T>::type;
  static constexpr int lanes = VectorOf<T>::lanes;
  V a[kSmallMatrix * kSmallMatrix];
  V x[kSmallMatrix * kSmallMatrix];

  // Gaussian elimination with partial pivoting of A, and of the `columns` columns of X; the product of the pivots, with the
  // sign of the exchanges, is the determinant. False where one of the first `count` matrices has no pivot.
  bool eliminate(Index size, Index columns, int count, V* determinant) {
    V product = V{} + T(1);
    for (Index k = 0; k < size; ++k) {
      // The largest goes up by one comparison after the other.
      for (Index i = k + 1; i < size; ++i) {
        const auto larger = size_of(a[i * size + k]) > size_of(a[k * size + k]);
        for (Index j = k; j < size; ++j) exchange(larger, a[k * size + j], a[i * size + j]);
        for (Index j = 0; j < columns; ++j) exchange(larger, x[k * columns + j], x[i * columns + j]);
        product = larger ? -product : product;
      }
      const V pivot = a[k * size + k];
      if (!all_regular<T>(pivot, count)) return false;
      product *= pivot;
      for (Index i = k + 1; i < size; ++i) {
        const V factor = a[i * size + k] / pivot;
        for (Index j = k + 1; j < size; ++j) a[i * size + j] -= factor * a[k * size + j];
        for (Index j = 0; j < columns; ++j) x[i * columns + j] -= factor * x[k * columns + j];
      }
    }
    *determinant = product;
    return true;
  }

  // Solves the upper triangle that is left.
  void substitute(Index size, Index columns) {
    for (Index k = size - 1; k >= 0; --k) {
      const V inverse = T(1) / a[k * size + k];
      for (Index j = 0; j < columns; ++j) {
        const V value = x[k * columns + j] * inverse;
        x[k * columns + j] = value;
        for (Index i = 0; i < k; ++i) x[i * columns + j] -= a[i * size + k] * value;
      }
    }
  }

  // The lower factor, zeros above it; false where a matrix is not positive definite.
  bool factor_positive(Index size, int count) {
    for (Index j = 0; j < size; ++j) {
      V rest = a[j * size + j];
      for (Index k = 0; k < j; ++k) rest -= a[j * size + k] * a[j * size + k];
      V root;
      for (int lane = 0; lane < lanes; ++lane) root[lane] = std::sqrt(rest[lane]);
      if (!all_regular<T>(root, count)) return false;
      a[j * size + j] = root;
      const V inverse = T(1) / root;
      for (Index i = j + 1; i < size; ++i) {
        V value = a[i * size + j];
        for (Index k = 0; k < j; ++k) value -= a[i * size + k] * a[j * size + k];
        a[i * size + j] = value * inverse;
        a[j * size + i] = V{};
      }
    }
    return true;
  }
};

template <class T, class V>
__attribute__((noinline)) void read_group(const T* from, int count, Index length, V* to) {
  const T* rows[VectorOf<T>::lanes];
  for (int row = 0; row < count; ++row) rows[row] = from + row * length;
  rows_to_lanes<T>(rows, count, length, to);
}
template <class T, class V>
__attribute__((noinline)) void write_group(const V* from, int count, Index length, T* to) {
  T* rows[VectorOf<T>::lanes];
  for (int row = 0; row < count; ++row) rows[row] = to + row * length;
  lanes_to_rows<T>(from, rows, count, length);
}

// Calls `body(lanes, first, count)` for groups of matrices, and reads A of each; false where one call said so.
template <class T, class Function>
bool for_small_matrices(const T* a, Index matrices, Index size, const Function& body) {
  constexpr int lanes = VectorOf<T>::lanes;
  std::atomic<bool> done{true};
  parallel_for((matrices + lanes - 1) / lanes, std::max<Index>(1, 4096 / (size * size * size)), [&](Index begin, Index end) {
    Lanes<T> group;
    for (Index at = begin; at < end; ++at) {
      const Index first = at * lanes;
      const int count = static_cast<int>(std::min<Index>(lanes, matrices - first));
      read_group(a + first * size * size, count, size * size, group.a);
      if (!body(group, first, count)) {
        done = false;
        return;
      }
    }
  });
  return done;
}

// X in place of right sides, which are those of an identity matrix where `identity`.
template <class T>
bool solve_small(const T* a, Index matrices, Index size, T* x, Index columns, bool identity) {
  return for_small_matrices<T>(a, matrices, size, [=](Lanes<T>& group, Index first, int count) {
    using V = typename VectorOf<T>::type;
    T* own = x + first * size * columns;
    if (identity) {
      for (Index i = 0; i < size * columns; ++i) group.x[i] = V{} + (i % (size + 1) == 0 ? T(1) : T(0));
    } else {
      read_group(own, count, size * columns, group.x);
    }
    V determinant;
    if (!group.eliminate(size, columns, count, &determinant)) return false;
    group.substitute(size, columns);
    write_group(group.x, count, size * columns, own);
    return true;
  });
}

template <class T>
bool determinants_of_small(const T* a, Index matrices, Index size, T* to) {
  return for_small_matrices<T>(a, matrices, size, [=](Lanes<T>& group, Index first, int count) {
    typename VectorOf<T>::type determinant;
    if (!group.eliminate(size, 0, count, &determinant)) return false;
    for (int lane = 0; lane < count; ++lane) to[first + lane] = determinant[lane];
    return true;
  });
}

template <class T>
bool factor_small(T* a, Index matrices, Index size) {
  return for_small_matrices<T>(a, matrices, size, [=](Lanes<T>& group, Index first, int count) {
    if (!group.factor_positive(size, count)) return false;
    write_group(group.a, count, size * size, a + first * size * size);
    return true;
  });
}

}  // namespace
}  // namespace facula
