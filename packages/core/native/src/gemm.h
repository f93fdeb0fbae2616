// Matrix products of float32 and float64: C = A B, or C += A B, from matrices with any strides.
//
// As in Goto and van de Geijn 2008 (doi:10.1145/1356052.1356053): a block of B is copied into panels of kColumns columns
// and shared, a block of A into panels of kRows rows, and a kernel holds kRows x kColumns sums in registers.
#pragma once

#include <algorithm>
#include <type_traits>

#include "array.h"
#include "few_rows.h"
#include "matrix.h"
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
template <class T>
constexpr int kColumnsOf = 2 * VectorOf<T>::lanes;
constexpr int kColumns = kColumnsOf<float>;
// Steps of the sum of float32 that one pass takes: a panel of B of this depth stays in the first cache.
constexpr Index kDepth = 320;
// The same where panels of B come from the second cache, and only a tile of A stays in the first.
constexpr Index kDepthOfTiles = 512;
// Elements of float32 in a block of B that is kept in the second cache: about half of it.
#if defined(__AVX512F__)
constexpr Index kBlock = Index{1} << 18;
#else
constexpr Index kBlock = Index{1} << 16;
#endif
// Up to so many tiles of A stay in the second cache themselves.
constexpr Index kFewTiles = 20;
// Elements of A that, copied, leave room for what goes past them in the second cache.
constexpr Index kTurned = kBlock + kBlock / 2;
// What of such numbers holds for another type.
template <class T>
constexpr Index fewer(Index of_floats) {
  return of_floats * static_cast<Index>(sizeof(float)) / static_cast<Index>(sizeof(T));
}
// Tiles of a transposed A that are copied together, so that its lines of memory are read whole.
constexpr Index kTilesTogether = 4;

// Turn a square of vectors of T about its diagonal.
template <class T = float>
ALWAYS_INLINE void transpose(typename VectorOf<T>::type (&rows)[VectorOf<T>::lanes]) {
  constexpr int lanes = VectorOf<T>::lanes;
#pragma GCC unroll 8
  for (int half = lanes / 2; half > 0; half /= 2) {
    typename VectorOf<T>::places first = {}, second = {};
    for (int lane = 0; lane < lanes; ++lane) {
      first[lane] = (lane & half) == 0 ? lane : lane - half + lanes;
      second[lane] = (lane & half) == 0 ? lane + half : lane + lanes;
    }
#pragma GCC unroll 16
    for (int at = 0; at < lanes; ++at) {
      if ((at & half) != 0) continue;
      const auto upper = rows[at];
      const auto lower = rows[at + half];
      rows[at] = __builtin_shuffle(upper, lower, first);
      rows[at + half] = __builtin_shuffle(upper, lower, second);
    }
  }
}

// Copy `count` lines of `depth` elements, `line` apart, so that elements of equal place lie together, `width` apart:
// to[k * width + i] = from[i * line + k * step]. Lines from `count` to `width` are zero.
template <int width, class T>
static void interleave(const T* from, Index line, Index step, Index count, Index depth, T* to) {
  using Vector = typename VectorOf<T>::type;
  constexpr Index lanes = VectorOf<T>::lanes;
  Index k = 0;
  if (line == 1 && count == width) {
    for (; k < depth; ++k) {
      static_assert(width % 2 == 0, "panels are of even width");
      // Lines far apart, which the processor does not foresee; an address past the end is harmless.
      __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + (k + 16) * step * sizeof(T)));
      __builtin_prefetch(
          reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + ((k + 16) * step + width - 1) * sizeof(T)));
      std::memcpy(to + k * width, from + k * step, width * sizeof(T));
    }
    return;
  }
  if (step == 1) {
    // Squares at a time.
    for (; k + lanes <= depth; k += lanes) {
      for (Index start = 0; start < width; start += lanes) {
        Vector rows[lanes];
        for (int i = 0; i < lanes; ++i) {
          rows[i] = start + i < count ? load(from + (start + i) * line + k) : Vector{};
        }
        transpose<T>(rows);
        for (int i = 0; i < lanes; ++i) {
          T* line_to = to + (k + i) * width + start;
          if (start + lanes <= width) {
            store(line_to, rows[i]);
          } else {
            std::memcpy(line_to, &rows[i], width % lanes * sizeof(T));
          }
        }
      }
    }
  }
  for (; k < depth; ++k) {
    for (Index i = 0; i < count; ++i) to[k * width + i] = from[i * line + k * step];
    for (Index i = count; i < width; ++i) to[k * width + i] = 0;
  }
}

// The same for the columns of kTilesTogether tiles that lie side by side: tile after tile.
template <class T>
static inline void interleave_together(const T* from, Index step, Index depth, T* to) {
  constexpr Index width = kRows * kTilesTogether;
  for (Index k = 0; k < depth; ++k) {
    const auto soon = reinterpret_cast<uintptr_t>(from + k * step) + 16 * step * sizeof(T);
    for (Index at = 0; at < width; at += 64 / sizeof(T)) __builtin_prefetch(reinterpret_cast<const void*>(soon + at * sizeof(T)));
    for (Index tile = 0; tile < kTilesTogether; ++tile) {
      std::memcpy(to + (tile * depth + k) * kRows, from + k * step + tile * kRows, kRows * sizeof(T));
    }
  }
}

template <class T>
static inline FinishOf<T> moved(FinishOf<T> finish, Index i, Index j) {
  if (finish.of_row != nullptr) finish.of_row += i;
  if (finish.of_column != nullptr) finish.of_column += j;
  return finish;
}

// What `finish` makes of `count` sums of a row of C, of which it is the `row`th.
template <class T>
ALWAYS_INLINE void finish_line(const FinishOf<T>& finish, Index row, Index count, typename VectorOf<T>::type sum, T* to) {
  const bool whole = count == VectorOf<T>::lanes;
  if (finish.add) sum += whole ? load(to) : load_part(to, count);
  if (finish.of_column != nullptr) sum += whole ? load(finish.of_column) : load_part(finish.of_column, count);
  if (finish.of_row != nullptr) sum += finish.of_row[row];
  if (finish.relu) sum = sum <= T(0) ? typename VectorOf<T>::type{} : sum;
  if (whole) {
    store(to, sum);
  } else {
    store_part(to, sum, count);
  }
}

// Sums of `rows` x (`vectors` vectors): A's element (i, k) at a[i * a_row + k * a_column], B's row k at b + k * b_row.
// The last vector of each row counts `last` elements.
template <class T, int rows, int vectors, bool left_packed, bool right_packed>
static void kernel(Index depth, const T* a, Index a_row, Index a_column, const T* b, Index b_row, T* c, Index c_row, Index last,
                   const FinishOf<T>& finish) {
  using Vector = typename VectorOf<T>::type;
  constexpr Index lanes = VectorOf<T>::lanes;
  if (left_packed) {
    a_row = 1;
    a_column = kRows;
  }
  if (right_packed) b_row = kColumnsOf<T>;
  Vector sums[rows][vectors];
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < vectors; ++j) sums[i][j] = Vector{};
    // What is added to, or written, should be near when the sums are done.
    if (right_packed) {
      __builtin_prefetch(c + i * c_row, 1);
      __builtin_prefetch(c + i * c_row + (vectors - 1) * lanes, 1);
    }
  }
  // Two steps at a time: fewer instructions for addresses where A is read in place.
#pragma GCC unroll 2
  for (Index k = 0; k < depth; ++k) {
    Vector right[vectors];
    for (int j = 0; j < vectors; ++j) right[j] = load(b + k * b_row + j * lanes);
#pragma GCC unroll 12
    for (int i = 0; i < rows; ++i) {
      const T left = a[i * a_row + k * a_column];
      for (int j = 0; j < vectors; ++j) sums[i][j] += left * right[j];
    }
  }
  if (last == lanes && finish.only_stores()) {
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < vectors; ++j) store(c + i * c_row + j * lanes, sums[i][j]);
    }
    return;
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < vectors; ++j) {
      const Index count = j + 1 < vectors ? lanes : last;
      finish_line(moved(finish, 0, j * lanes), i, count, sums[i][j], c + i * c_row + j * lanes);
    }
  }
}

template <class T>
using KernelOf = void (*)(Index, const T*, Index, Index, const T*, Index, T*, Index, Index, const FinishOf<T>&);
using Kernel = KernelOf<float>;

template <class T, bool left_packed, bool right_packed, int rows>
struct Kernels {
  static KernelOf<T> of(Index count, bool two) {
    if (count == rows) return two ? kernel<T, rows, 2, left_packed, right_packed> : kernel<T, rows, 1, left_packed, right_packed>;
    return Kernels<T, left_packed, right_packed, rows - 1>::of(count, two);
  }
};
template <class T, bool left_packed, bool right_packed>
struct Kernels<T, left_packed, right_packed, 0> {
  static KernelOf<T> of(Index, bool) { return nullptr; }
};

// The kernel for a tile of `rows` x `columns`, and how many elements its last vector counts.
template <bool left_packed, bool right_packed, class T = float>
static inline KernelOf<T> kernel_for(Index rows, Index columns, Index& last) {
  constexpr Index lanes = VectorOf<T>::lanes;
  const bool two = columns > lanes;
  last = two ? columns - lanes : columns;
  return Kernels<T, left_packed, right_packed, kRows>::of(rows, two);
}

// Only the first pass over the depth may store without adding, only the last may finish.
template <class T>
static inline FinishOf<T> for_pass(const FinishOf<T>& whole, bool first, bool last) {
  FinishOf<T> finish;
  if (last) finish = whole;
  finish.add = whole.add || !first;
  return finish;
}

// B in memory, as one of the sources that `multiply` copies panels from.
template <class T>
struct FromMatrixOf {
  MatrixOf<T> b;
  // Rows k … k + depth of columns j … j + count, as a panel.
  void panel(Index k, Index depth, Index j, Index count, T* to) const {
    const MatrixOf<T> part = b.from(k, j);
    interleave<kColumnsOf<T>>(part.data, part.column, part.row, count, depth, to);
  }
};
using FromMatrix = FromMatrixOf<float>;

// Ask the memory for one of `parts` parts of what a panel is copied from soon; a source need not.
template <class Right>
static inline void announce(const Right&, Index, Index, Index, Index, Index, Index) {}

template <class T>
static inline void announce(const FromMatrixOf<T>& from, Index k, Index depth, Index j, Index count, Index part, Index parts) {
  constexpr Index line = 64 / sizeof(T);
  const MatrixOf<T>& b = from.b;
  if (b.column == 1) {
    for (Index i = k + depth * part / parts, end = k + depth * (part + 1) / parts; i < end; ++i) {
      for (Index at = 0; at < count; at += line) __builtin_prefetch(b.at(i, j + at));
    }
  } else if (b.row == 1) {
    for (Index i = j + count * part / parts, end = j + count * (part + 1) / parts; i < end; ++i) {
      for (Index at = 0; at < depth; at += line) __builtin_prefetch(b.at(k + at, i));
    }
  }
}

static inline Index round_up(Index size, Index step) { return (size + step - 1) / step * step; }

// Passes over the depth are of about the same length.
static inline Index depth_of_pass(Index k, Index most = kDepth) {
  const Index passes = std::max<Index>(1, (k + most - 1) / most);
  return passes == 1 ? k : round_up((k + passes - 1) / passes, 8);
}

// Room for all rows of A as panels, pass by pass and in each pass tile by tile, and for the last vector.
static inline size_t packed_size(Index m, Index k) { return static_cast<size_t>(round_up(m, kRows) * k + kLanes); }

// C (m x n, rows `c_row` apart) from A (m x k) and B (k x n), on the calling thread. False where memory is short.
//
// A is read where it lies if its rows are in one piece. A block of B is kept in the second cache, and each tile of A goes past
// it from the nearest, so that C is written along its rows. If A is copied and has few rows, all of it is kept in the second
// cache, and each panel of B goes past it from the nearest.
template <class T, class Right>
static bool multiply_alone(Index m, Index n, Index k, const MatrixOf<T>& a, const Right& b, Index b_from, T* c, Index c_row,
                           const FinishOf<T>& finish) {
  constexpr Index kColumns = kColumnsOf<T>, kLanes = VectorOf<T>::lanes;
  const bool in_place = a.column == 1;
  const bool by_panel = !in_place && m <= kFewTiles * kRows;
  const Index depth_block = std::max<Index>(1, depth_of_pass(k, in_place ? fewer<T>(kDepthOfTiles) : kDepth));
  const Index most = by_panel ? n : std::max<Index>(kColumns, fewer<T>(kBlock) / depth_block / kColumns * kColumns);
  const Index blocks = std::max<Index>(1, (n + most - 1) / most);
  const Index column_block = round_up((n + blocks - 1) / blocks, kColumns);
  const Index copied_columns = by_panel ? kColumns : column_block;
  const Index together = by_panel || a.row != 1 ? 1 : kTilesTogether;
  const Index copied_rows = in_place ? 0 : by_panel ? round_up(m, kRows) : together * kRows;
  T* right = scratch<T>(Purpose::right_panels, static_cast<size_t>((depth_block + kLanes) * copied_columns + kLanes));
  T* left = scratch<T>(Purpose::left_panels, static_cast<size_t>(depth_block * copied_rows + kLanes));
  if (right == nullptr || left == nullptr) return false;
  for (Index j0 = 0; j0 < n; j0 += column_block) {
    const Index columns = std::min(column_block, n - j0);
    Index k0 = 0;
    do {
      const Index depth = std::min(depth_block, k - k0);
      const FinishOf<T> pass = for_pass(finish, k0 == 0, k0 + depth >= k);
      const auto copy_tile = [&](Index i, T* to) {
        const MatrixOf<T> part = a.from(i, k0);
        interleave<kRows>(part.data, part.row, part.column, std::min<Index>(kRows, m - i), depth, to);
      };
      const auto copy_tiles = [&](Index i, T* to) {
        if (together > 1 && i + together * kRows <= m) {
          interleave_together(a.at(i, k0), a.column, depth, to);
        } else {
          for (Index at = i; at < std::min(m, i + together * kRows); at += kRows) copy_tile(at, to + (at - i) * depth);
        }
      };
      const auto copy_panel = [&](Index j, T* to) {
        b.panel(k0, depth, b_from + j0 + j, std::min<Index>(kColumns, columns - j), to);
      };
      const auto tile = [&](Index i, Index j, const T* from, const T* panel) {
        const Index high = std::min<Index>(kRows, m - i);
        const Index wide = std::min<Index>(kColumns, columns - j);
        T* to = c + i * c_row + j0 + j;
        Index last = 0;
        if (in_place) {
          kernel_for<false, true, T>(high, wide, last)(depth, a.at(i, k0), a.row, 1, panel, kColumns, to, c_row, last,
                                                    moved(pass, i, j0 + j));
        } else {
          kernel_for<true, true, T>(high, wide, last)(depth, from, 1, kRows, panel, kColumns, to, c_row, last,
                                                   moved(pass, i, j0 + j));
        }
      };
      if (by_panel) {
        for (Index i = 0; i < copied_rows; i += kRows) copy_tile(i, left + i * depth);
        for (Index j = 0; j < columns; j += kColumns) {
          copy_panel(j, right);
          const Index next_wide = std::min<Index>(kColumns, columns - j - kColumns);
          for (Index i = 0; i < m; i += kRows) {
            if (next_wide > 0) announce(b, k0, depth, b_from + j0 + j + kColumns, next_wide, i / kRows, (m + kRows - 1) / kRows);
            tile(i, j, left + i * depth, right);
          }
        }
      } else {
        for (Index i = 0; i < m; i += kRows) {
          const Index number = i / kRows % together;
          if (!in_place && number == 0) copy_tiles(i, left);
          for (Index j = 0; j < columns; j += kColumns) {
            T* panel = right + j * depth;
            if (i == 0) copy_panel(j, panel);
            tile(i, j, left + number * kRows * depth, panel);
          }
        }
      }
      k0 += depth_block;
    } while (k0 < k);
  }
  return true;
}

// The same on all threads: each computes a part of C from copies of its own, so that none waits for another.
template <class T, class Right>
static bool multiply(Index m, Index n, Index k, const MatrixOf<T>& a, const Right& b, T* c, Index c_row, const FinishOf<T>& finish) {
  constexpr Index kColumns = kColumnsOf<T>;
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

// The same for small matrices, whose B stays in the nearest cache: A is read where it lies, and of B only what has no whole
// panels of its own is copied.
template <class T>
static bool multiply_small(Index m, Index n, Index k, const MatrixOf<T>& a, const MatrixOf<T>& b, T* c, Index c_row,
                           const FinishOf<T>& finish) {
  constexpr Index kColumns = kColumnsOf<T>, kLanes = VectorOf<T>::lanes;
  const Index in_place = b.column == 1 ? n / kColumns * kColumns : 0;
  T* copied = nullptr;
  if (in_place < n) {
    copied = scratch<T>(Purpose::right_panels, static_cast<size_t>(k * round_up(n - in_place, kColumns) + kLanes));
    if (copied == nullptr) return false;
    for (Index j = in_place; j < n; j += kColumns) {
      FromMatrixOf<T>{b}.panel(0, k, j, std::min<Index>(kColumns, n - j), copied + (j - in_place) * k);
    }
  }
  for (Index i = 0; i < m; i += kRows) {
    const Index high = std::min<Index>(kRows, m - i);
    for (Index j = 0; j < n; j += kColumns) {
      const Index wide = std::min<Index>(kColumns, n - j);
      T* to = c + i * c_row + j;
      Index last = 0;
      if (j < in_place) {
        const KernelOf<T> run = kernel_for<false, false, T>(high, wide, last);
        run(k, a.at(i, 0), a.row, a.column, b.at(0, j), b.row, to, c_row, last, moved(finish, i, j));
      } else {
        const KernelOf<T> run = kernel_for<false, true, T>(high, wide, last);
        run(k, a.at(i, 0), a.row, a.column, copied + (j - in_place) * k, kColumns, to, c_row, last, moved(finish, i, j));
      }
    }
  }
  return true;
}

// The same for fewer rows of A than B has columns, each in one piece: the transposed product, for which only A is copied.
// B's columns are read where they lie, and sums are turned on their way to C.
template <class T>
static bool multiply_turned(Index m, Index n, Index k, const MatrixOf<T>& a, const MatrixOf<T>& b, T* c, Index c_row,
                            const FinishOf<T>& finish) {
  constexpr Index kColumns = kColumnsOf<T>, kLanes = VectorOf<T>::lanes;
  const Index depth_block = depth_of_pass(k, fewer<T>(kDepthOfTiles));
  const Index width = round_up(m, kColumns);
  T* panels = scratch<T>(Purpose::right_panels, static_cast<size_t>(width * k + kLanes));
  if (panels == nullptr) return false;
  parallel_for(width / kColumns, std::max<Index>(1, 32768 / (kColumns * k)), [&](Index begin, Index end) {
    for (Index k0 = 0; k0 < k; k0 += depth_block) {
      const Index depth = std::min(depth_block, k - k0);
      for (Index j = begin * kColumns; j < end * kColumns; j += kColumns) {
        interleave<kColumns>(a.at(j, k0), a.row, 1, std::min<Index>(kColumns, m - j), depth, panels + k0 * width + j * depth);
      }
    }
  });
  // Rows of the transposed product, whole vectors of C, for which a pass over the depth is made before the next begins: few
  // where all panels stay in the second cache, else as many as have their sums there beside the panels of one pass.
  constexpr Index kGroup = 4 * kRows;
  static_assert(kGroup % kLanes == 0, "tiles fill vectors of C");
  constexpr Index block = fewer<T>(kBlock);
  const Index most = width * k <= block ? kGroup : std::max<Index>(1, block / 4 / width / kGroup) * kGroup;
  bool done = true;
  parallel_tasks((n + most - 1) / most, [&](Index task) {
    const Index first = task * most;
    const Index rows = std::min(most, n - first);
    T* sums = scratch<T>(Purpose::accumulated, static_cast<size_t>(round_up(rows, kLanes) * width));
    if (sums == nullptr) {
      done = false;
      return;
    }
    for (Index k0 = 0; k0 < k; k0 += depth_block) {
      const Index depth = std::min(depth_block, k - k0);
      FinishOf<T> pass;
      pass.add = k0 > 0;
      for (Index i = 0; i < rows; i += kRows) {
        for (Index j = 0; j < m; j += kColumns) {
          Index last = 0;
          const KernelOf<T> run = kernel_for<false, true, T>(std::min<Index>(kRows, rows - i), std::min<Index>(kColumns, m - j), last);
          run(depth, b.at(k0, first + i), b.column, 1, panels + k0 * width + j * depth, kColumns, sums + i * width + j, width, last,
              pass);
        }
      }
    }
    for (Index j = 0; j < m; j += kLanes) {
      for (Index i = 0; i < rows; i += kLanes) {
        typename VectorOf<T>::type lines[kLanes];
        for (int at = 0; at < kLanes; ++at) lines[at] = load(sums + (i + at) * width + j);
        transpose<T>(lines);
        const FinishOf<T> here = moved(finish, j, first + i);
        for (Index at = 0; at < std::min<Index>(kLanes, m - j); ++at) {
          finish_line(here, at, std::min<Index>(kLanes, rows - i), lines[at], c + (j + at) * c_row + first + i);
        }
      }
    }
  });
  return done;
}

constexpr Index kSmall = 64 * 64 * 64;

// C = A B on one thread or several, whichever way suits the sizes.
template <class T>
static inline bool product(Index m, Index n, Index k, const MatrixOf<T>& a, const MatrixOf<T>& b, T* c, Index c_row,
                           const FinishOf<T>& finish) {
  if (m == 0 || n == 0) return true;
  if constexpr (std::is_same_v<T, float>) {
    if (m <= kFewRows && (b.row == 1 || b.column == 1)) return multiply_few_rows(m, n, k, a, b, c, c_row, 1, finish);
    if (n <= kFewRows && (a.row == 1 || a.column == 1)) {
      // The transposed product: B's columns are few, A's rows many.
      Finish turned = finish;
      std::swap(turned.of_row, turned.of_column);
      return multiply_few_rows(n, m, k, {b.data, b.column, b.row}, {a.data, a.column, a.row}, c, 1, c_row, turned);
    }
  }
  // In a loop over a batch each thread has its own matrices; then even larger ones are best multiplied so.
  const bool of_batch = threads() == 1 && k <= fewer<T>(kDepth) && k * n <= fewer<T>(8192) && m * n * k <= 8 * kSmall;
  if (of_batch || m * n * k <= kSmall) return multiply_small(m, n, k, a, b, c, c_row, finish);
  // Turning the sums costs less than copies of B where it comes from afar, its columns are long, and rows of A few.
  const bool few_rows = 4 * m <= k && 2 * m <= n && m * k <= fewer<T>(kTurned);
  const bool turned = few_rows && b.row == 1 && a.column == 1 && n * k > fewer<T>(kBlock);
  if (turned) return multiply_turned(m, n, k, a, b, c, c_row, finish);
  return multiply(m, n, k, a, FromMatrixOf<T>{b}, c, c_row, finish);
}

}  // namespace gemm
}  // namespace facula
