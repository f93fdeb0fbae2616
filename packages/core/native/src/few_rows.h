// Matrix products with few rows, at the speed at which the other matrix is read; sums are float32.
#pragma once

#include <algorithm>

#include "halves.h"
#include "matrix.h"
#include "parallel.h"
#include "scratch.h"
#include "vector.h"

namespace facula {
namespace gemm {

constexpr Index kFewRows = 4;
// Columns of B that are read side by side: memory answers several requests in the time of one.
constexpr int kTogether = 4;

// Sums of `rows` lines of A with `columns` lines of B, `apart` elements from each other, all in one piece each.
template <class Right, int rows, int columns>
static void dots(Index depth, const float* const* left, const typename Right::Number* right, Index apart,
                 float (*sums)[kTogether]) {
  Floats found[rows][columns];
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) found[i][j] = Floats{};
  }
  Index k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
    for (int j = 0; j < columns; ++j) {
      const auto* at = right + j * apart + k;
      // A little ahead, which is in the columns that come next where these are short; an address past the end is harmless.
      __builtin_prefetch(at + 256);
      const Floats x = Right::load(at);
      for (int i = 0; i < rows; ++i) found[i][j] += x * load(left[i] + k);
    }
  }
  if (k < depth) {
    for (int j = 0; j < columns; ++j) {
      const Floats x = Right::load_part(right + j * apart + k, depth - k);
      for (int i = 0; i < rows; ++i) found[i][j] += x * load_part(left[i] + k, depth - k);
    }
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) sums[i][j] = total(found[i][j]);
  }
}

template <class Right, int columns>
static inline void dots_of(Index rows, Index depth, const float* const* left, const typename Right::Number* right, Index apart,
                           float (*sums)[kTogether]) {
  switch (rows) {
    case 1: return dots<Right, 1, columns>(depth, left, right, apart, sums);
    case 2: return dots<Right, 2, columns>(depth, left, right, apart, sums);
    case 3: return dots<Right, 3, columns>(depth, left, right, apart, sums);
    default: return dots<Right, 4, columns>(depth, left, right, apart, sums);
  }
}

static inline Index grain_of(Index m, Index k) { return std::max<Index>(16, 65536 / std::max<Index>(1, k * m)); }

// `put(i, j, sum)` for every row of A, `a_row` apart, with every column of B, `apart`, each in one piece.
template <class Right, class Put>
static void dot_products(Index m, Index n, Index k, const float* a, Index a_row, const typename Right::Number* b, Index apart,
                         const Put& put) {
  parallel_for(n, grain_of(m, k), [&](Index begin, Index end) {
    const float* lines[kFewRows];
    for (Index i = 0; i < m; ++i) lines[i] = a + i * a_row;
    float sums[kFewRows][kTogether];
    for (Index j = begin; j < end;) {
      const Index wide = end - j >= kTogether ? kTogether : 1;
      if (wide == kTogether) {
        dots_of<Right, kTogether>(m, k, lines, b + j * apart, apart, sums);
      } else {
        dots_of<Right, 1>(m, k, lines, b + j * apart, apart, sums);
      }
      for (Index i = 0; i < m; ++i) {
        for (Index at = 0; at < wide; ++at) put(i, j + at, sums[i][at]);
      }
      j += wide;
    }
  });
}

// y[i] += the sum of `steps` rows of B, each times a number of row i of A, for columns 0 … n: rows of B are read as they lie.
template <int rows, int steps>
static void add_rows(Index n, const float* a, Index a_row, const float* b, Index b_row, float* y, Index y_row) {
  float left[rows][steps];
  for (int i = 0; i < rows; ++i) {
    for (int k = 0; k < steps; ++k) left[i][k] = a[i * a_row + k];
  }
  for (Index j = 0; j < n; j += kLanes) {
    const bool whole = j + kLanes <= n;
    Floats sums[rows];
    for (int i = 0; i < rows; ++i) sums[i] = whole ? load(y + i * y_row + j) : load_part(y + i * y_row + j, n - j);
    for (int k = 0; k < steps; ++k) {
      const Floats x = whole ? load(b + k * b_row + j) : load_part(b + k * b_row + j, n - j);
      for (int i = 0; i < rows; ++i) sums[i] += left[i][k] * x;
    }
    for (int i = 0; i < rows; ++i) {
      if (whole) {
        store(y + i * y_row + j, sums[i]);
      } else {
        store_part(y + i * y_row + j, sums[i], n - j);
      }
    }
  }
}

template <int rows>
static void all_rows(Index n, Index depth, const float* a, Index a_row, const float* b, Index b_row, float* y, Index y_row) {
  Index k = 0;
  for (; k + 8 <= depth; k += 8) add_rows<rows, 8>(n, a + k, a_row, b + k * b_row, b_row, y, y_row);
  for (; k < depth; ++k) add_rows<rows, 1>(n, a + k, a_row, b + k * b_row, b_row, y, y_row);
}

// C = A B for at most kFewRows rows of A, at the speed at which B is read, whose rows or columns lie in one piece each.
// C's element (i, j) is at c[i * c_row + j * c_column]. False where memory is short.
static inline bool multiply_few_rows(Index m, Index n, Index k, const Matrix& a, const Matrix& b, float* c, Index c_row,
                                     Index c_column, const Finish& finish) {
  const float* left = a.data;
  Index left_row = a.row;
  if (a.column != 1) {
    float* copy = scratch<float>(Purpose::left_panels, static_cast<size_t>(m * k + kLanes));
    if (copy == nullptr) return false;
    for (Index i = 0; i < m; ++i) {
      for (Index at = 0; at < k; ++at) copy[i * k + at] = *a.at(i, at);
    }
    left = copy;
    left_row = k;
  }
  const auto finished = [&](Index i, Index j, float sum) {
    float* to = c + i * c_row + j * c_column;
    if (finish.add) sum += *to;
    if (finish.of_column != nullptr) sum += finish.of_column[j];
    if (finish.of_row != nullptr) sum += finish.of_row[i];
    *to = finish.relu && sum <= 0.0f ? 0.0f : sum;
  };
  if (b.row == 1) {
    dot_products<Singles>(m, n, k, left, left_row, b.data, b.column, finished);
    return true;
  }
  bool done = true;
  // In whole vectors, so that parts do not share lines of memory.
  const Index blocks = (n + 63) / 64;
  parallel_for(blocks, std::max<Index>(1, grain_of(m, k) / 64), [&](Index begin, Index end) {
    // Columns whose sums stay in the nearest cache while rows of B pass by.
    constexpr Index kWidth = 1024;
    float* sums = scratch<float>(Purpose::accumulated, kFewRows * kWidth);
    if (sums == nullptr) {
      done = false;
      return;
    }
    const Index last = std::min(n, end * 64);
    for (Index j = begin * 64; j < last; j += kWidth) {
      const Index wide = std::min(kWidth, last - j);
      std::memset(sums, 0, sizeof(float) * static_cast<size_t>(m * kWidth));
      switch (m) {
        case 1: all_rows<1>(wide, k, left, left_row, b.at(0, j), b.row, sums, kWidth); break;
        case 2: all_rows<2>(wide, k, left, left_row, b.at(0, j), b.row, sums, kWidth); break;
        case 3: all_rows<3>(wide, k, left, left_row, b.at(0, j), b.row, sums, kWidth); break;
        default: all_rows<4>(wide, k, left, left_row, b.at(0, j), b.row, sums, kWidth); break;
      }
      for (Index i = 0; i < m; ++i) {
        for (Index at = 0; at < wide; ++at) finished(i, j + at, sums[i * kWidth + at]);
      }
    }
  });
  return done;
}

// The same of numbers of 16 bits, for columns of B that lie in one piece each: C's rows do, and `bias` may be null.
template <class Kind>
static bool multiply_few_rows_of(Index m, Index n, Index k, const uint16_t* a, Index a_row, Index a_column, const uint16_t* b,
                                 Index b_column, const uint16_t* bias, uint16_t* c) {
  float* left = scratch<float>(Purpose::left_panels, static_cast<size_t>(m * k + kLanes));
  if (left == nullptr) return false;
  for (Index i = 0; i < m; ++i) {
    for (Index at = 0; at < k; ++at) left[i * k + at] = Kind::load_part(a + i * a_row + at * a_column, 1)[0];
  }
  dot_products<Kind>(m, n, k, left, k, b, b_column, [&](Index i, Index j, float sum) {
    if (bias != nullptr) sum += Kind::load_part(bias + j, 1)[0];
    c[i * n + j] = Kind::rounded(all(sum))[0];
  });
  return true;
}

}  // namespace gemm
}  // namespace facula
