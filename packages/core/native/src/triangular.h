// Factors of square matrices that lie by rows, of float32 and float64: triangular systems and Gaussian elimination, by
// halves (Toledo 1997, doi:10.1137/S0895479896297744), so that nearly all of the work is matrix products.
//
// Threads have strips of columns to themselves, which are as wide for any number of threads: so are the bits of results.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "array.h"
#include "gemm.h"
#include "matrices.h"
#include "parallel.h"
#include "scratch.h"
#include "vector.h"

namespace facula {
namespace {

// Rows solved for one after the other, and columns eliminated one after the other.
constexpr Index kFewRows = 16;
// Columns of a strip.
constexpr Index kStrip = 64;

// A matrix in memory: element (i, k) is at data[i * row + k * column], one of the steps being 1.
template <class T>
struct Part {
  const T* data;
  Index row;
  Index column;
  Part from(Index i, Index k) const { return {data + i * row + k * column, row, column}; }
  T at(Index i, Index k) const { return data[i * row + k * column]; }
};

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

template <class T>
bool large_product(T* c, Index c_row, const Part<T>& a, const T* b, Index b_row, Index rows, Index columns, Index depth) {
  // Of the sums, which are added, one factor is turned about.
  T* room = scratch<T>(Purpose::transformed, static_cast<size_t>(columns * depth));
  if (room == nullptr) return false;
  for (Index k = 0; k < depth; ++k) {
    for (Index j = 0; j < columns; ++j) room[k * columns + j] = -b[k * b_row + j];
  }
  gemm::FinishOf<T> finish;
  finish.add = true;
  const gemm::MatrixOf<T> left = {a.data, a.row, a.column}, right = {room, columns, 1};
  if (rows * columns * depth <= gemm::kSmall) return gemm::multiply_small(rows, columns, depth, left, right, c, c_row, finish);
  return gemm::multiply_alone(rows, columns, depth, left, gemm::FromMatrixOf<T>{right}, 0, c, c_row, finish);
}

// C -= A B on this thread: C of `rows` by `columns`, A of `rows` by `depth`; rows of C and B lie so far apart. False where
// memory is short.
template <class T>
bool subtract_product(T* c, Index c_row, const Part<T>& a, const T* b, Index b_row, Index rows, Index columns, Index depth) {
  if (rows == 0 || columns == 0 || depth == 0) return true;
  constexpr Index few = 4;
  if (columns <= few) {
    // Column by column, of which copies lie side by side.
    T* room = scratch<T>(Purpose::transformed, static_cast<size_t>(depth + rows));
    if (room == nullptr) return false;
    T* sums = room + depth;
    for (Index j = 0; j < columns; ++j) {
      for (Index k = 0; k < depth; ++k) room[k] = b[k * b_row + j];
      if (a.column == 1) {
        for (Index i = 0; i < rows; ++i) c[i * c_row + j] -= dot(a.data + i * a.row, room, depth);
      } else {
        std::fill(sums, sums + rows, T(0));
        for (Index k = 0; k < depth; ++k) subtract_row(a.data + k * a.column, room[k], sums, rows);
        for (Index i = 0; i < rows; ++i) c[i * c_row + j] += sums[i];
      }
    }
    return true;
  }
  if (rows * columns * depth <= 16 * 16 * 16) {
    for (Index i = 0; i < rows; ++i) {
      for (Index k = 0; k < depth; ++k) subtract_row(b + k * b_row, a.at(i, k), c + i * c_row, columns);
    }
    return true;
  }
  return large_product(c, c_row, a, b, b_row, rows, columns, depth);
}

// A triangle: whether it is the upper one, and whether its diagonal is taken for ones.
template <class T>
struct Triangle {
  Part<T> part;
  bool upper;
  bool unit;
};

// Solves `triangle` X = B for kFewRows rows or fewer, in place of B.
template <class T>
void substitute_few(const Triangle<T>& triangle, Index size, T* b, Index b_row, Index columns) {
  constexpr Index wide = 4 * VectorOf<T>::lanes;
  T x[kFewRows][wide];
  for (Index from = 0; from < columns; from += wide) {
    const Index count = std::min(wide, columns - from);
    for (Index step = 0; step < size; ++step) {
      const Index i = triangle.upper ? size - 1 - step : step;
      const Index first = triangle.upper ? i + 1 : 0, last = triangle.upper ? size : i;
      const T divisor = triangle.part.at(i, i);
      T* to = b + i * b_row + from;
      if (count == wide) {
        T value[wide];
        for (Index j = 0; j < wide; ++j) value[j] = to[j];
        for (Index k = first; k < last; ++k) {
          const T factor = triangle.part.at(i, k);
          for (Index j = 0; j < wide; ++j) value[j] -= factor * x[k][j];
        }
        for (Index j = 0; j < wide; ++j) to[j] = x[i][j] = triangle.unit ? value[j] : value[j] / divisor;
      } else {
        for (Index j = 0; j < count; ++j) x[i][j] = to[j];
        for (Index k = first; k < last; ++k) subtract_row(x[k], triangle.part.at(i, k), x[i], count);
        for (Index j = 0; j < count; ++j) to[j] = x[i][j] = triangle.unit ? x[i][j] : x[i][j] / divisor;
      }
    }
  }
}

// Solves `triangle` X = B in place of B, of `columns` columns, on this thread; false where memory is short.
template <class T>
bool substitute_alone(const Triangle<T>& triangle, Index size, T* b, Index b_row, Index columns) {
  if (size <= kFewRows) {
    substitute_few(triangle, size, b, b_row, columns);
    return true;
  }
  const Index middle = (size / 2 + kFewRows - 1) / kFewRows * kFewRows, rest = size - middle;
  const Part<T>& part = triangle.part;
  const Triangle<T> low = {part.from(middle, middle), triangle.upper, triangle.unit};
  T* below = b + middle * b_row;
  if (triangle.upper) {
    return substitute_alone(low, rest, below, b_row, columns) &&
           subtract_product(b, b_row, part.from(0, middle), below, b_row, middle, columns, rest) &&
           substitute_alone(triangle, middle, b, b_row, columns);
  }
  return substitute_alone(triangle, middle, b, b_row, columns) &&
         subtract_product(below, b_row, part.from(middle, 0), b, b_row, rest, columns, middle) &&
         substitute_alone(low, rest, below, b_row, columns);
}

// Calls `body(first, count)` for strips of columns, several at a time where this many multiplications are made for each
// column; false where one call said so.
template <class Function>
bool for_strips(Index columns, Index work, const Function& body) {
  std::atomic<bool> done{true};
  const Index strips = (columns + kStrip - 1) / kStrip;
  parallel_for(strips, std::max<Index>(1, 4 * kWorkOfThread / std::max<Index>(1, work * kStrip)), [&](Index begin, Index end) {
    for (Index strip = begin; strip < end; ++strip) {
      if (!body(strip * kStrip, std::min(kStrip, columns - strip * kStrip))) done = false;
    }
  });
  return done;
}

// Solves `triangle` X = B in place of B; false where memory is short.
template <class T>
bool substitute(const Triangle<T>& triangle, Index size, T* b, Index b_row, Index columns) {
  return for_strips(columns, size * size / 2, [&](Index first, Index count) {
    return substitute_alone(triangle, size, b + first, b_row, count);
  });
}

template <class T>
void exchange_rows(T* x, Index row, Index columns, const int32_t* pivots, Index first, Index last) {
  for (Index i = first; i < last; ++i) {
    if (pivots[i] != i) std::swap_ranges(x + i * row, x + i * row + columns, x + pivots[i] * row);
  }
}

// Where the largest size in a column is, and what it is; nan is passed over.
template <class T>
Index place_of_largest(const T* column, Index first, Index rows, T* found) {
  using V = typename VectorOf<T>::type;
  constexpr Index lanes = VectorOf<T>::lanes;
  V most{};
  Index i = first;
  for (; i + lanes <= rows; i += lanes) {
    const V value = load(column + i), size = value < T(0) ? -value : value;
    most = size > most ? size : most;
  }
  T largest = 0;
  for (Index lane = 0; lane < lanes; ++lane) largest = std::max(largest, T(most[lane]));
  for (; i < rows; ++i) largest = std::max(largest, std::abs(column[i]));
  *found = largest;
  Index at = first;
  while (at < rows - 1 && std::abs(column[at]) != largest) ++at;
  return at;
}

// Eliminates up to kFewRows columns, which are copied side by side for it; row i changed places with row pivots[i]. False
// where there is no pivot, the matrix being singular, or not finite, or memory is short.
template <class T>
bool eliminate_few(T* a, Index row, Index rows, Index columns, int32_t* pivots) {
  // Not a power of two: else all columns would share a few places of the cache.
  const Index length = (rows + 15) / 16 * 16 + 16;
  T* room = scratch<T>(Purpose::accumulated, static_cast<size_t>(length * columns));
  if (room == nullptr) return false;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) room[j * length + i] = a[i * row + j];
  }
  for (Index j = 0; j < std::min(rows, columns); ++j) {
    T* column = room + j * length;
    T largest;
    const Index pivot = place_of_largest(column, j, rows, &largest);
    if (!(largest > 0) || !std::isfinite(largest)) return false;
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
  // Right of it strip by strip: rows change places, the upper ones are solved for, and taken from the lower ones.
  const bool done = for_strips(right, left * rows, [&](Index first, Index width) {
    T* strip = a + left + first;
    exchange_rows(strip, row, width, pivots, 0, left);
    return substitute_alone<T>({{a, row, 1}, false, true}, left, strip, row, width) &&
           subtract_product(strip + left * row, row, Part<T>{a + left * row, row, 1}, strip, row, rows - left, width, left);
  });
  if (!done) return false;
  if (rows == left) return true;
  if (!eliminate(a + left * row + left, row, rows - left, right, pivots + left)) return false;
  exchange_rows(a + left * row, row, left, pivots + left, 0, count - left);
  for (Index i = left; i < count; ++i) pivots[i] += static_cast<int32_t>(left);
  return true;
}

}  // namespace
}  // namespace facula
