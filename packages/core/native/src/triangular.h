// Factors of square matrices that lie by rows, of float32 and float64: triangular systems and Gaussian elimination, by
// halves (Toledo 1997, doi:10.1137/S0895479896297744), so that nearly all of the work is matrix products.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "array.h"
#include "gemm.h"
#include "lapack.h"
#include "matrices.h"
#include "parallel.h"
#include "scratch.h"
#include "vector.h"

namespace facula {
namespace {

// Rows solved for one after the other, and columns eliminated one after the other.
constexpr Index kFewRows = 16;

template <class T>
ALWAYS_INLINE T dot(const T* x, const T* y, Index count) {
  using V = typename VectorOf<T>::type;
  constexpr Index lanes = VectorOf<T>::lanes;
  V a{}, b{};
  Index i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    a += load(x + i) * load(y + i);
    b += load(x + i + lanes) * load(y + i + lanes);
  }
  T rest = 0;
  for (; i < count; ++i) rest += x[i] * y[i];
  return total(a + b) + rest;
}

// y -= factor * x.
template <class T>
ALWAYS_INLINE void subtract_row(const T* x, T factor, T* y, Index count) {
  for (Index i = 0; i < count; ++i) y[i] -= factor * x[i];
}

// C -= A B: C of `rows` by `columns`, A of `rows` by `depth`, or its transpose where `turned`; rows of each array lie
// `c_row`, `a_row`, `b_row` apart.
inline bool large_product(float* c, Index c_row, const float* a, Index a_row, bool turned, const float* b, Index b_row, Index rows,
                          Index columns, Index depth) {
  float* room = scratch<float>(Purpose::transformed, static_cast<size_t>(rows * depth));
  if (room == nullptr) return false;
  for (Index i = 0; i < (turned ? depth : rows); ++i) {
    const Index length = turned ? rows : depth;
    for (Index k = 0; k < length; ++k) room[i * length + k] = -a[i * a_row + k];
  }
  gemm::Finish finish;
  finish.add = true;
  const gemm::Matrix left = turned ? gemm::Matrix{room, 1, rows} : gemm::Matrix{room, depth, 1};
  if (rows * columns * depth <= gemm::kSmall) {
    return gemm::multiply_small(rows, columns, depth, left, {b, b_row, 1}, c, c_row, finish);
  }
  return gemm::multiply(rows, columns, depth, left, gemm::FromMatrix{{b, b_row, 1}}, c, c_row, finish);
}
inline bool large_product(double* c, Index c_row, const double* a, Index a_row, bool turned, const double* b, Index b_row, Index rows,
                          Index columns, Index depth) {
  const auto* known = lapack::functions<double>();
  if (known == nullptr) return false;
  // Pieces of one size for any number of threads, since other pieces would be summed in another order.
  constexpr Index side = 128;
  const Index across = (columns + side - 1) / side, down = (rows + side - 1) / side;
  constexpr int by_rows = 101, as_it_is = 111, transposed = 112;
  parallel_for(across * down, std::max<Index>(1, kWorkOfThread / (side * side * depth)), [&](Index begin, Index end) {
    for (Index piece = begin; piece < end; ++piece) {
      const Index i = piece / across * side, j = piece % across * side;
      known->gemm(by_rows, turned ? transposed : as_it_is, as_it_is, std::min(side, rows - i), std::min(side, columns - j), depth,
                  -1.0, turned ? a + i : a + i * a_row, a_row, b + j, b_row, 1.0, c + i * c_row + j, c_row);
    }
  });
  return true;
}

template <class T>
bool subtract_product(T* c, Index c_row, const T* a, Index a_row, bool turned, const T* b, Index b_row, Index rows, Index columns,
                      Index depth) {
  if (rows == 0 || columns == 0 || depth == 0) return true;
  constexpr Index few = 4;
  if (columns <= few && !turned) {
    // Products of rows with columns, of which copies lie side by side.
    T* room = scratch<T>(Purpose::transformed, static_cast<size_t>(columns * depth));
    if (room == nullptr) return false;
    for (Index k = 0; k < depth; ++k) {
      for (Index j = 0; j < columns; ++j) room[j * depth + k] = b[k * b_row + j];
    }
    parallel_for(rows, std::max<Index>(1, kWorkOfThread / (columns * depth)), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        for (Index j = 0; j < columns; ++j) c[i * c_row + j] -= dot(a + i * a_row, room + j * depth, depth);
      }
    });
    return true;
  }
  if (rows * columns * depth <= 16 * 16 * 16) {
    for (Index i = 0; i < rows; ++i) {
      for (Index k = 0; k < depth; ++k) {
        subtract_row(b + k * b_row, turned ? a[k * a_row + i] : a[i * a_row + k], c + i * c_row, columns);
      }
    }
    return true;
  }
  return large_product(c, c_row, a, a_row, turned, b, b_row, rows, columns, depth);
}

// A triangle: its elements by rows, whether it is the upper one, and whether its diagonal is taken for ones.
template <class T>
struct Triangle {
  const T* data;
  Index row;
  bool upper;
  bool unit;
};

// Solves `triangle` X = B for kFewRows rows or fewer, in place of B.
template <class T>
void substitute_few(const Triangle<T>& triangle, Index size, T* b, Index b_row, Index columns) {
  T inverse[kFewRows];
  for (Index i = 0; i < size; ++i) inverse[i] = triangle.unit ? T(1) : triangle.data[i * triangle.row + i];
  const auto part = [&](Index begin, Index end) {
    constexpr Index wide = 4 * VectorOf<T>::lanes;
    T x[kFewRows][wide];
    for (Index from = begin; from < end; from += wide) {
      const Index count = std::min(wide, end - from);
      for (Index step = 0; step < size; ++step) {
        const Index i = triangle.upper ? size - 1 - step : step;
        const T* factors = triangle.data + i * triangle.row;
        T* to = b + i * b_row + from;
        if (count == wide) {
          T value[wide];
          for (Index j = 0; j < wide; ++j) value[j] = to[j];
          for (Index k = triangle.upper ? i + 1 : 0; k < (triangle.upper ? size : i); ++k) {
            for (Index j = 0; j < wide; ++j) value[j] -= factors[k] * x[k][j];
          }
          for (Index j = 0; j < wide; ++j) to[j] = x[i][j] = triangle.unit ? value[j] : value[j] / inverse[i];
        } else {
          for (Index j = 0; j < count; ++j) x[i][j] = to[j];
          for (Index k = triangle.upper ? i + 1 : 0; k < (triangle.upper ? size : i); ++k) {
            for (Index j = 0; j < count; ++j) x[i][j] -= factors[k] * x[k][j];
          }
          for (Index j = 0; j < count; ++j) to[j] = x[i][j] = triangle.unit ? x[i][j] : x[i][j] / inverse[i];
        }
      }
    }
  };
  constexpr Index strip = 4 * VectorOf<T>::lanes;
  parallel_for((columns + strip - 1) / strip, std::max<Index>(1, kWorkOfThread / (size * size * strip)), [&](Index begin, Index end) {
    part(begin * strip, std::min(columns, end * strip));
  });
}

// Solves `triangle` X = B in place of B, of `columns` columns; false where memory is short.
template <class T>
bool substitute(const Triangle<T>& triangle, Index size, T* b, Index b_row, Index columns) {
  if (size == 0 || columns == 0) return true;
  if (size <= kFewRows) {
    substitute_few(triangle, size, b, b_row, columns);
    return true;
  }
  const Index middle = (size / 2 + kFewRows - 1) / kFewRows * kFewRows;
  const Triangle<T> high = triangle;
  const Triangle<T> low = {triangle.data + middle * triangle.row + middle, triangle.row, triangle.upper, triangle.unit};
  T* below = b + middle * b_row;
  const Index rest = size - middle;
  if (triangle.upper) {
    return substitute(low, rest, below, b_row, columns) &&
           subtract_product(b, b_row, triangle.data + middle, triangle.row, false, below, b_row, middle, columns, rest) &&
           substitute(high, middle, b, b_row, columns);
  }
  return substitute(high, middle, b, b_row, columns) &&
         subtract_product(below, b_row, triangle.data + middle * triangle.row, triangle.row, false, b, b_row, rest, columns, middle) &&
         substitute(low, rest, below, b_row, columns);
}

template <class T>
void exchange_rows(T* x, Index row, Index columns, const int32_t* pivots, Index first, Index last) {
  for (Index i = first; i < last; ++i) {
    if (pivots[i] != i) std::swap_ranges(x + i * row, x + i * row + columns, x + pivots[i] * row);
  }
}

// Eliminates up to kFewRows columns, which are copied side by side for it; row i changed places with row pivots[i]. False
// where there is no pivot, the matrix being singular, or not finite, or memory is short.
template <class T>
bool eliminate_few(T* a, Index row, Index rows, Index columns, int32_t* pivots) {
  const Index length = (rows + 15) / 16 * 16;
  T* room = scratch<T>(Purpose::accumulated, static_cast<size_t>(length * columns));
  if (room == nullptr) return false;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) room[j * length + i] = a[i * row + j];
  }
  for (Index j = 0; j < std::min(rows, columns); ++j) {
    T* column = room + j * length;
    T largest = 0;
    for (Index i = j; i < rows; ++i) {
      const T size = std::abs(column[i]);
      largest = size > largest ? size : largest;
    }
    if (!(largest > 0) || !std::isfinite(largest)) return false;
    Index pivot = j;
    while (std::abs(column[pivot]) != largest) ++pivot;
    pivots[j] = static_cast<int32_t>(pivot);
    if (pivot != j) {
      for (Index k = 0; k < columns; ++k) std::swap(room[k * length + j], room[k * length + pivot]);
    }
    const T inverse = T(1) / column[j];
    if (std::isfinite(inverse)) {
      for (Index i = j + 1; i < rows; ++i) column[i] *= inverse;
    } else {
      for (Index i = j + 1; i < rows; ++i) column[i] /= column[j];
    }
    for (Index k = j + 1; k < columns; ++k) {
      T* other = room + k * length;
      subtract_row(column + j + 1, other[j], other + j + 1, rows - j - 1);
    }
  }
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) a[i * row + j] = room[j * length + i];
  }
  return true;
}

// A = P L U in place, rows and columns any; false as above.
template <class T>
bool eliminate(T* a, Index row, Index rows, Index columns, int32_t* pivots) {
  const Index count = std::min(rows, columns);
  if (columns <= kFewRows) return eliminate_few(a, row, rows, columns, pivots);
  const Index left = std::min(count, (count / 2 + kFewRows - 1) / kFewRows * kFewRows), right = columns - left;
  if (!eliminate(a, row, rows, left, pivots)) return false;
  exchange_rows(a + left, row, right, pivots, 0, left);
  if (!substitute<T>({a, row, false, true}, left, a + left, row, right)) return false;
  if (rows == left) return true;
  T* corner = a + left * row + left;
  if (!subtract_product(corner, row, a + left * row, row, false, a + left, row, rows - left, right, left)) return false;
  if (!eliminate(corner, row, rows - left, right, pivots + left)) return false;
  exchange_rows(a + left * row, row, left, pivots + left, 0, count - left);
  for (Index i = left; i < count; ++i) pivots[i] += static_cast<int32_t>(left);
  return true;
}

}  // namespace
}  // namespace facula
