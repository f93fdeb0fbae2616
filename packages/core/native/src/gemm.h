// Matrix products of float32: C = A B, or C += A B, from matrices with any strides.
//
// As in Goto and van de Geijn 2008 (doi:10.1145/1356052.1356053): a block of B is copied into panels of kColumns columns
// and shared, a block of A into panels of kRows rows, and a kernel holds kRows x kColumns sums in registers.
#pragma once

#include <algorithm>

#include "array.h"
#include "parallel.h"
#include "scratch.h"
#include "vector.h"

namespace facula {
namespace gemm {

#if defined(__AVX512F__)
constexpr int kRows = 12;
#else
constexpr int kRows = 6;
#endif
constexpr int kColumns = 2 * kLanes;
// Steps of the sum that one pass takes: a panel of B of this depth stays in the first cache.
constexpr Index kDepth = 320;
// Rows of A, and columns of B, that are copied at once.
constexpr Index kRowBlock = 20 * kRows;
constexpr Index kColumnBlock = 96 * kColumns;

// A matrix in memory: element (i, j) is at data[i * row + j * column].
struct Matrix {
  const float* data;
  Index row;
  Index column;
  const float* at(Index i, Index j) const { return data + i * row + j * column; }
  Matrix from(Index i, Index j) const { return {at(i, j), row, column}; }
};

// What becomes of the sums: added to what is there, or stored; then a number a column or a row, or a function.
struct Finish {
  bool add = false;
  const float* of_column = nullptr;
  const float* of_row = nullptr;
  bool relu = false;
};

// Turn a square of vectors about its diagonal.
ALWAYS_INLINE void transpose(Floats (&rows)[kLanes]) {
#pragma GCC unroll 8
  for (int half = kLanes / 2; half > 0; half /= 2) {
    Ints first = {}, second = {};
    for (int lane = 0; lane < kLanes; ++lane) {
      first[lane] = (lane & half) == 0 ? lane : lane - half + kLanes;
      second[lane] = (lane & half) == 0 ? lane + half : lane + kLanes;
    }
#pragma GCC unroll 16
    for (int at = 0; at < kLanes; ++at) {
      if ((at & half) != 0) continue;
      const Floats upper = rows[at];
      const Floats lower = rows[at + half];
      rows[at] = __builtin_shuffle(upper, lower, first);
      rows[at + half] = __builtin_shuffle(upper, lower, second);
    }
  }
}

// Copy `count` lines of `depth` elements, `line` apart, so that elements of equal place lie together, `width` apart:
// to[k * width + i] = from[i * line + k * step]. Lines from `count` to `width` are zero.
template <int width>
static void interleave(const float* from, Index line, Index step, Index count, Index depth, float* to) {
  Index k = 0;
  if (line == 1 && count == width) {
    for (; k < depth; ++k) {
      static_assert(width % 2 == 0, "panels are of even width");
      std::memcpy(to + k * width, from + k * step, width * sizeof(float));
    }
    return;
  }
  if (step == 1) {
    // Squares at a time; the last lines of a square that is too high are written over by the next.
    for (; k + kLanes <= depth; k += kLanes) {
      for (Index start = 0; start < width; start += kLanes) {
        Floats rows[kLanes];
        for (int i = 0; i < kLanes; ++i) {
          rows[i] = start + i < count ? load(from + (start + i) * line + k) : Floats{};
        }
        transpose(rows);
        const Index wide = std::min<Index>(width - start, kLanes);
        for (int i = 0; i < kLanes; ++i) {
          if (wide == kLanes) {
            store(to + (k + i) * width + start, rows[i]);
          } else {
            store_part(to + (k + i) * width + start, rows[i], wide);
          }
        }
      }
    }
  }
  for (; k < depth; ++k) {
    for (Index i = 0; i < count; ++i) to[k * width + i] = from[i * line + k * step];
    for (Index i = count; i < width; ++i) to[k * width + i] = 0.0f;
  }
}

// Sums of `rows` x (`vectors` vectors): A's element (i, k) at a[i * a_row + k * a_column], B's row k at b + k * b_row.
// The last vector of each row counts `last` elements.
template <int rows, int vectors, bool packed>
static void kernel(Index depth, const float* a, Index a_row, Index a_column, const float* b, Index b_row, float* c,
                   Index c_row, Index last, const Finish& finish) {
  if (packed) {
    a_row = 1;
    a_column = kRows;
    b_row = kColumns;
  }
  Floats sums[rows][vectors];
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < vectors; ++j) sums[i][j] = Floats{};
  }
  for (Index k = 0; k < depth; ++k) {
    Floats right[vectors];
    for (int j = 0; j < vectors; ++j) right[j] = load(b + k * b_row + j * kLanes);
#pragma GCC unroll 12
    for (int i = 0; i < rows; ++i) {
      const float left = a[i * a_row + k * a_column];
      for (int j = 0; j < vectors; ++j) sums[i][j] += left * right[j];
    }
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < vectors; ++j) {
      float* to = c + i * c_row + j * kLanes;
      const bool whole = j + 1 < vectors || last == kLanes;
      Floats sum = sums[i][j];
      if (finish.add) sum += whole ? load(to) : load_part(to, last);
      if (finish.of_column != nullptr) {
        sum += whole ? load(finish.of_column + j * kLanes) : load_part(finish.of_column + j * kLanes, last);
      }
      if (finish.of_row != nullptr) sum += finish.of_row[i];
      if (finish.relu) sum = sum <= 0.0f ? Floats{} : sum;
      if (whole) {
        store(to, sum);
      } else {
        store_part(to, sum, last);
      }
    }
  }
}

using Kernel = void (*)(Index, const float*, Index, Index, const float*, Index, float*, Index, Index, const Finish&);

template <bool packed, int rows>
struct Kernels {
  static Kernel of(Index count, bool two) {
    if (count == rows) return two ? kernel<rows, 2, packed> : kernel<rows, 1, packed>;
    return Kernels<packed, rows - 1>::of(count, two);
  }
};
template <bool packed>
struct Kernels<packed, 0> {
  static Kernel of(Index, bool) { return nullptr; }
};

// The kernel for a tile of `rows` x `columns`, and how many elements its last vector counts.
template <bool packed>
static inline Kernel kernel_for(Index rows, Index columns, Index& last) {
  const bool two = columns > kLanes;
  last = two ? columns - kLanes : columns;
  return Kernels<packed, kRows>::of(rows, two);
}

static inline Finish moved(Finish finish, Index i, Index j) {
  if (finish.of_row != nullptr) finish.of_row += i;
  if (finish.of_column != nullptr) finish.of_column += j;
  return finish;
}

// Only the first pass over the depth may store without adding, only the last may finish.
static inline Finish for_pass(const Finish& whole, bool first, bool last) {
  Finish finish;
  if (last) finish = whole;
  finish.add = whole.add || !first;
  return finish;
}

// B in memory, as one of the sources that `multiply` copies panels from.
struct FromMatrix {
  Matrix b;
  // Rows k … k + depth of columns j … j + count, as a panel.
  void panel(Index k, Index depth, Index j, Index count, float* to) const {
    const Matrix part = b.from(k, j);
    interleave<kColumns>(part.data, part.column, part.row, count, depth, to);
  }
};

static inline Index round_up(Index size, Index step) { return (size + step - 1) / step * step; }

// Passes over the depth are of about the same length.
static inline Index depth_of_pass(Index k) {
  const Index passes = std::max<Index>(1, (k + kDepth - 1) / kDepth);
  return passes == 1 ? k : round_up((k + passes - 1) / passes, 8);
}

// How many floats `pack_left` writes, and room for the last vector.
static inline size_t packed_size(Index m, Index k) { return static_cast<size_t>(round_up(m, kRows) * k + kLanes); }

// Copy all of A (m x k) into panels, for products with many B: pass by pass, in each pass tile by tile.
[[maybe_unused]] static void pack_left(Index m, Index k, const Matrix& a, float* to) {
  const Index depth_block = depth_of_pass(k);
  for (Index k0 = 0; k0 < k; k0 += depth_block) {
    const Index depth = std::min(depth_block, k - k0);
    for (Index i = 0; i < m; i += kRows) {
      const Matrix part = a.from(i, k0);
      interleave<kRows>(part.data, part.row, part.column, std::min<Index>(kRows, m - i), depth,
                        to + k0 * round_up(m, kRows) + i * depth);
    }
  }
}

// C (m x n, rows `c_row` apart) from A that `pack_left` copied and columns of B from `b_from` on, on the calling thread.
template <class Right>
static bool multiply_packed(Index m, Index n, Index k, const float* left, const Right& b, Index b_from, float* c, Index c_row,
                            const Finish& finish) {
  const Index depth_block = depth_of_pass(k);
  float* right = scratch<float>(Purpose::right_panels, static_cast<size_t>((depth_block + kLanes) * kColumns + kLanes));
  if (right == nullptr) return false;
  for (Index k0 = 0; k0 < k; k0 += depth_block) {
    const Index depth = std::min(depth_block, k - k0);
    const Finish pass = for_pass(finish, k0 == 0, k0 + depth >= k);
    for (Index j = 0; j < n; j += kColumns) {
      const Index wide = std::min<Index>(kColumns, n - j);
      b.panel(k0, depth, b_from + j, wide, right);
      for (Index i = 0; i < m; i += kRows) {
        Index last = 0;
        const Kernel run = kernel_for<true>(std::min<Index>(kRows, m - i), wide, last);
        run(depth, left + k0 * round_up(m, kRows) + i * depth, 1, kRows, right, kColumns, c + i * c_row + j, c_row, last,
            moved(pass, i, j));
      }
    }
  }
  return true;
}

// C (m x n, rows `c_row` apart) from A (m x k) and B (k x n), on the calling thread. False where memory is short.
template <class Right>
static bool multiply_alone(Index m, Index n, Index k, const Matrix& a, const Right& b, Index b_from, float* c, Index c_row,
                           const Finish& finish) {
  const Index depth_block = depth_of_pass(k);
  const Index column_block = std::min(round_up(n, kColumns), kColumnBlock);
  const Index row_block = std::min(round_up(m, kRows), kRowBlock);
  const Index deep = std::max<Index>(depth_block, 1);
  float* right = scratch<float>(Purpose::right_panels, static_cast<size_t>((deep + kLanes) * column_block + kLanes));
  float* left = scratch<float>(Purpose::left_panels, static_cast<size_t>(deep * row_block + kLanes));
  if (right == nullptr || left == nullptr) return false;
  for (Index j0 = 0; j0 < n; j0 += column_block) {
    const Index columns = std::min(column_block, n - j0);
    Index k0 = 0;
    do {
      const Index depth = std::min(depth_block, k - k0);
      const Finish pass = for_pass(finish, k0 == 0, k0 + depth >= k);
      for (Index i0 = 0; i0 < m; i0 += row_block) {
        const Index rows = std::min(row_block, m - i0);
        for (Index i = 0; i < rows; i += kRows) {
          const Matrix part = a.from(i0 + i, k0);
          interleave<kRows>(part.data, part.row, part.column, std::min<Index>(kRows, rows - i), depth, left + i * depth);
        }
        for (Index j = 0; j < columns; j += kColumns) {
          const Index wide = std::min<Index>(kColumns, columns - j);
          // Copied when first needed, so that the kernels find it in the nearest cache.
          if (i0 == 0) b.panel(k0, depth, b_from + j0 + j, wide, right + j * depth);
          for (Index i = 0; i < rows; i += kRows) {
            Index last = 0;
            const Kernel run = kernel_for<true>(std::min<Index>(kRows, rows - i), wide, last);
            run(depth, left + i * depth, 1, kRows, right + j * depth, kColumns, c + (i0 + i) * c_row + j0 + j, c_row, last,
                moved(pass, i0 + i, j0 + j));
          }
        }
      }
      k0 += depth_block;
    } while (k0 < k);
  }
  return true;
}

// The same on all threads: each computes a part of C from copies of its own, so that none waits for another.
template <class Right>
static bool multiply(Index m, Index n, Index k, const Matrix& a, const Right& b, float* c, Index c_row, const Finish& finish) {
  const Index workers = threads();
  const Index row_tiles = (m + kRows - 1) / kRows;
  const Index column_tiles = (n + kColumns - 1) / kColumns;
  // The grid of parts in which the largest is smallest, and what is copied twice is least.
  Index best_rows = 1;
  double best = 1e300;
  for (Index rows = 1; rows <= workers; ++rows) {
    const Index columns = workers / rows;
    const double high = static_cast<double>((row_tiles + rows - 1) / rows) * kRows;
    const double wide = static_cast<double>((column_tiles + columns - 1) / columns) * kColumns;
    const double cost = high * wide + 4.0 * (high + wide);
    if (cost < best) {
      best = cost;
      best_rows = rows;
    }
  }
  const Index parts_down = std::min(best_rows, std::max<Index>(row_tiles, 1));
  const Index parts_across = std::min(workers / best_rows, std::max<Index>(column_tiles, 1));
  bool done = true;
  const auto part = [&](Index number) {
    const Index i = row_tiles * (number / parts_across) / parts_down * kRows;
    const Index i_end = std::min(m, row_tiles * (number / parts_across + 1) / parts_down * kRows);
    const Index j = column_tiles * (number % parts_across) / parts_across * kColumns;
    const Index j_end = std::min(n, column_tiles * (number % parts_across + 1) / parts_across * kColumns);
    if (i >= i_end || j >= j_end) return;
    if (!multiply_alone(i_end - i, j_end - j, k, a.from(i, 0), b, j, c + i * c_row + j, c_row, moved(finish, i, j))) done = false;
  };
  parallel_tasks(parts_down * parts_across, part);
  return done;
}

// The same for small matrices, where copying would take as long as the product: A is read where it lies, and of B only
// what has no rows of its own is copied.
static bool multiply_small(Index m, Index n, Index k, const Matrix& a, const Matrix& b, float* c, Index c_row, const Finish& finish) {
  float* panel = nullptr;
  const bool direct = b.column == 1;
  if (!direct || n % kColumns != 0) {
    panel = scratch<float>(Purpose::right_panels, static_cast<size_t>(k * kColumns + kLanes));
    if (panel == nullptr) return false;
  }
  for (Index j = 0; j < n; j += kColumns) {
    const Index wide = std::min<Index>(kColumns, n - j);
    const float* right = b.at(0, j);
    Index right_row = b.row;
    if (!direct || wide < kColumns) {
      FromMatrix{b}.panel(0, k, j, wide, panel);
      right = panel;
      right_row = kColumns;
    }
    for (Index i = 0; i < m; i += kRows) {
      Index last = 0;
      const Kernel run = kernel_for<false>(std::min<Index>(kRows, m - i), wide, last);
      run(k, a.at(i, 0), a.row, a.column, right, right_row, c + i * c_row + j, c_row, last, moved(finish, i, j));
    }
  }
  return true;
}

// Sums of `rows` lines of A with one contiguous vector each: the product with B's column, for matrices of few rows.
template <int rows>
static void dots(Index depth, const float* const* left, const float* right, float* sums) {
  Floats found[rows];
  for (int i = 0; i < rows; ++i) found[i] = Floats{};
  Index k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
    const Floats x = load(right + k);
    for (int i = 0; i < rows; ++i) found[i] += x * load(left[i] + k);
  }
  if (k < depth) {
    const Floats x = load_part(right + k, depth - k);
    for (int i = 0; i < rows; ++i) found[i] += x * load_part(left[i] + k, depth - k);
  }
  for (int i = 0; i < rows; ++i) sums[i] = total(found[i]);
}

constexpr Index kFewRows = 4;

// C = A B for at most kFewRows rows of A, where the columns of B and the rows of A lie in one piece each: a sum for
// each element, read at the speed of memory. C's element (i, j) is at c[i * c_row + j * c_column].
static inline void multiply_few_rows(Index m, Index n, Index k, const Matrix& a, const Matrix& b, float* c, Index c_row,
                                     Index c_column, const Finish& finish) {
  parallel_for(n, std::max<Index>(16, 65536 / std::max<Index>(1, k * m)), [&](Index begin, Index end) {
    const float* left[kFewRows];
    for (Index i = 0; i < m; ++i) left[i] = a.at(i, 0);
    float sums[kFewRows];
    for (Index j = begin; j < end; ++j) {
      const float* right = b.at(0, j);
      switch (m) {
        case 1: dots<1>(k, left, right, sums); break;
        case 2: dots<2>(k, left, right, sums); break;
        case 3: dots<3>(k, left, right, sums); break;
        default: dots<4>(k, left, right, sums); break;
      }
      for (Index i = 0; i < m; ++i) {
        float* to = c + i * c_row + j * c_column;
        float sum = sums[i] + (finish.add ? *to : 0.0f);
        if (finish.of_column != nullptr) sum += finish.of_column[j];
        if (finish.of_row != nullptr) sum += finish.of_row[i];
        *to = finish.relu && sum <= 0.0f ? 0.0f : sum;
      }
    }
  });
}

constexpr Index kSmall = 64 * 64 * 64;

// C = A B on one thread or several, whichever way suits the sizes.
static inline bool product(Index m, Index n, Index k, const Matrix& a, const Matrix& b, float* c, Index c_row, const Finish& finish) {
  if (m <= kFewRows && a.column == 1 && b.row == 1) {
    multiply_few_rows(m, n, k, a, b, c, c_row, 1, finish);
    return true;
  }
  if (n <= kFewRows && a.column == 1 && b.row == 1 && finish.of_column == nullptr && finish.of_row == nullptr) {
    // The transposed product: B's columns are few, A's rows many.
    multiply_few_rows(n, m, k, {b.data, b.column, 1}, {a.data, 1, a.row}, c, 1, c_row, finish);
    return true;
  }
  if (m * n * k <= kSmall) return multiply_small(m, n, k, a, b, c, c_row, finish);
  return multiply(m, n, k, a, FromMatrix{b}, c, c_row, finish);
}

}  // namespace gemm
}  // namespace facula
