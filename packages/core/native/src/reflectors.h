// Products of Householder reflections H = I - tau v v^T, many at once: I - V T V^T (Schreiber and Van Loan 1989, "A storage-
// efficient WY representation for products of Householder transformations"). So QR decompositions, and the ways back from
// tridiagonal and bidiagonal forms, are nearly all matrix products, on all threads.
#pragma once

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "array.h"
#include "matrices.h"
#include "triangular.h"

namespace facula {
namespace {

// So many reflections are one block.
constexpr Index kReflections = 32;

// A block: the vectors as columns of a matrix, which are 0 above their own place and 1 there, and T.
template <class T>
struct Block {
  Index first;  // the row its first vector begins at
  Index rows;   // below which there are so many, that one included
  Index count;
  std::vector<T> v;  // by columns
  std::vector<T> t;  // upper triangle, by rows
  std::vector<T> turned;

  Block(Index from, Index height, Index number)
      : first(from), rows(height), count(number), v(static_cast<size_t>(height * number)), t(static_cast<size_t>(number * number)) {}
  T* column(Index j) { return v.data() + j * rows; }

  // T, from the vectors and their factors.
  void join(const T* tau) {
    for (Index j = 0; j < count; ++j) {
      T products[kReflections];
      for (Index i = 0; i < j; ++i) products[i] = -tau[j] * dot(column(i) + j, column(j) + j, rows - j);
      for (Index i = 0; i < j; ++i) {
        T sum = 0;
        for (Index k = i; k < j; ++k) sum += t[static_cast<size_t>(i * count + k)] * products[k];
        t[static_cast<size_t>(i * count + j)] = sum;
      }
      t[static_cast<size_t>(j * count + j)] = tau[j];
    }
    turned.resize(t.size());
    for (Index i = 0; i < count; ++i) {
      for (Index j = 0; j < count; ++j) turned[static_cast<size_t>(j * count + i)] = t[static_cast<size_t>(i * count + j)];
    }
  }

  // Takes V T V^T C from rows of C that begin at the first one's, or with T^T where `transposed`; on this thread.
  bool reflect(T* c, Index row, Index columns, bool transposed) const {
    T* room = scratch<T>(Purpose::accumulated, static_cast<size_t>(2 * count * columns));
    if (room == nullptr) return false;
    T *products = room, *joined = room + count * columns;
    std::fill(room, room + 2 * count * columns, T(0));
    return subtract_product(products, columns, Part<T>{v.data(), rows, 1}, c, row, count, columns, rows) &&
           subtract_product(joined, columns, Part<T>{(transposed ? turned : t).data(), count, 1}, products, columns, count, columns,
                            count) &&
           subtract_product(c, row, Part<T>{v.data(), 1, rows}, joined, columns, rows, columns, count);
  }
};

template <class T>
using Blocks = std::vector<Block<T>>;

// Q C in place of C by rows, or Q^T C where `transposed`; Q is the product of all reflections, the first outermost. What
// `identity` says is that C begins as one, of which columns left of a block stay as they are.
template <class T>
bool reflect_all(const Blocks<T>& blocks, T* c, Index row, Index columns, bool transposed, bool identity = false) {
  Index work = 0;
  for (const Block<T>& block : blocks) work += 2 * block.rows * block.count;
  return for_strips(columns, work, [&](Index first, Index width) {
    for (size_t at = 0; at < blocks.size(); ++at) {
      const Block<T>& block = blocks[transposed ? at : blocks.size() - 1 - at];
      if (identity && first + width <= block.first) continue;
      if (!block.reflect(c + block.first * row + first, row, width, transposed)) return false;
    }
    return true;
  });
}

// x -= tau v (v^T x) for four columns `step` apart, each part of v being read once for all.
template <class T>
void subtract_four(const T* v, T tau, T* x, Index step, Index count) {
  using V = typename VectorOf<T>::type;
  constexpr Index lanes = VectorOf<T>::lanes;
  V sums[4] = {};
  T products[4] = {};
  Index i = 0;
  for (; i + lanes <= count; i += lanes) {
    const V part = load(v + i);
    for (int k = 0; k < 4; ++k) sums[k] += part * load(x + k * step + i);
  }
  for (; i < count; ++i) {
    for (int k = 0; k < 4; ++k) products[k] += v[i] * x[k * step + i];
  }
  for (int k = 0; k < 4; ++k) products[k] = tau * (products[k] + total(sums[k]));
  for (i = 0; i + lanes <= count; i += lanes) {
    const V part = load(v + i);
    for (int k = 0; k < 4; ++k) store(x + k * step + i, load(x + k * step + i) - part * products[k]);
  }
  for (; i < count; ++i) {
    for (int k = 0; k < 4; ++k) x[k * step + i] -= v[i] * products[k];
  }
}

// Of up to kReflections columns, side by side in `block`, makes R above the diagonal and vectors below; `tau` are the
// factors. False where squares of numbers are too large or small to be added up.
template <class T>
bool factor_columns(Block<T>& block, T* tau) {
  const Index rows = block.rows;
  for (Index j = 0; j < block.count; ++j) {
    T* own = block.column(j);
    const T square = j + 1 < rows ? dot(own + j + 1, own + j + 1, rows - j - 1) : T(0);
    if (square == 0) {
      for (Index i = j + 1; i < rows; ++i) {
        if (own[i] != 0) return false;
      }
      tau[j] = 0;
      continue;
    }
    const T head = own[j], sum = square + head * head;
    if (!(square > std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon()) || !std::isfinite(sum)) return false;
    const T beta = head >= 0 ? -std::sqrt(sum) : std::sqrt(sum);
    tau[j] = (beta - head) / beta;
    const T scale = T(1) / (head - beta);
    if (!std::isfinite(scale)) return false;
    for (Index i = j + 1; i < rows; ++i) own[i] *= scale;
    // With a 1 at its place for the moment.
    own[j] = 1;
    Index k = j + 1;
    for (; k + 4 <= block.count; k += 4) subtract_four(own + j, tau[j], block.column(k) + j, rows, rows - j);
    for (; k < block.count; ++k) {
      T* other = block.column(k) + j;
      subtract_row(own + j, tau[j] * dot(own + j, other, rows - j), other, rows - j);
    }
    own[j] = beta;
  }
  return true;
}

// A = Q R by blocks of columns, R in place of the upper triangle of A by rows; what is below it is not cleared. False as
// above, or where memory is short.
template <class T>
bool factor_orthogonal(T* a, Index row, Index rows, Index columns, Blocks<T>* blocks) {
  const Index count = std::min(rows, columns);
  for (Index first = 0; first < count; first += kReflections) {
    const Index wide = std::min(kReflections, count - first), height = rows - first;
    Block<T> block(first, height, wide);
    T tau[kReflections];
    T* corner = a + first * row + first;
    for (Index i = 0; i < height; ++i) {
      for (Index j = 0; j < wide; ++j) block.column(j)[i] = corner[i * row + j];
    }
    if (!factor_columns(block, tau)) return false;
    for (Index j = 0; j < wide; ++j) {
      for (Index i = 0; i <= j; ++i) corner[i * row + j] = block.column(j)[i];
      std::fill(block.column(j), block.column(j) + j, T(0));
      block.column(j)[j] = 1;
    }
    block.join(tau);
    const Index rest = columns - first - wide;
    if (rest > 0) {
      const bool done = for_strips(rest, 2 * height * wide, [&](Index from, Index width) {
        return block.reflect(corner + wide + from, row, width, true);
      });
      if (!done) return false;
    }
    blocks->push_back(std::move(block));
  }
  return true;
}

// The blocks of reflections that LAPACK left in a matrix by columns: vector j begins at row j + `below`, where it is 1.
template <class T>
Blocks<T> blocks_of(const T* a, Index column, Index rows, Index count, Index below, const T* tau, bool by_rows = false) {
  Blocks<T> blocks;
  for (Index first = 0; first < count; first += kReflections) {
    const Index wide = std::min(kReflections, count - first);
    Block<T> block(first + below, rows - first - below, wide);
    for (Index j = 0; j < wide; ++j) {
      T* own = block.column(j);
      own[j] = 1;
      const Index at = first + j;
      for (Index i = j + 1; i < block.rows; ++i) {
        const Index place = block.first + i;
        own[i] = by_rows ? a[place * column + at] : a[at * column + place];
      }
    }
    block.join(tau + first);
    blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace
}  // namespace facula
