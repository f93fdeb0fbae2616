// Matrix products of float32 with few rows, at the speed at which the other matrix is read.
#pragma once

#include <algorithm>

#include "matrix.h"
#include "parallel.h"
#include "scratch.h"
#include "vector.h"

namespace facula {
namespace gemm {

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
  const Index grain = std::max<Index>(16, 65536 / std::max<Index>(1, k * m));
  if (b.row == 1) {
    parallel_for(n, grain, [&](Index begin, Index end) {
      const float* lines[kFewRows];
      for (Index i = 0; i < m; ++i) lines[i] = left + i * left_row;
      float sums[kFewRows];
      for (Index j = begin; j < end; ++j) {
        const float* right = b.at(0, j);
        switch (m) {
          case 1: dots<1>(k, lines, right, sums); break;
          case 2: dots<2>(k, lines, right, sums); break;
          case 3: dots<3>(k, lines, right, sums); break;
          default: dots<4>(k, lines, right, sums); break;
        }
        for (Index i = 0; i < m; ++i) finished(i, j, sums[i]);
      }
    });
    return true;
  }
  bool done = true;
  // In whole vectors, so that parts do not share lines of memory.
  const Index blocks = (n + 63) / 64;
  parallel_for(blocks, std::max<Index>(1, grain / 64), [&](Index begin, Index end) {
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

}  // namespace gemm
}  // namespace facula
