// What is standardised together, and which weight belongs to which element.
#pragma once

#include "rows.h"

namespace facula {

// By rows: `outer` times `groups` rows of `channels` runs of `run` elements, each row with statistics of its own, and a
// weight for each group and channel. By batch: `outer` samples of `channels` runs, each channel with its statistics
// and its weight.
struct Together {
  bool batch = false;
  Index outer = 1;
  Index groups = 1;
  Index channels = 1;
  Index run = 1;

  Index row() const { return channels * run; }
  Index rows() const { return batch ? channels : outer * groups; }
  Index together() const { return batch ? outer * run : row(); }
  Index weights() const { return groups * channels; }
};

// Reads the dimensions that are standardised over and how `weight` (or null) lies on them; false for what these kernels
// do not do.
static inline bool read_together(const Array& x, PyObject* dims, const Array* weight, Together* result) {
  if (!PyTuple_Check(dims) || x.dims() == 0 || x.dims() > 16) return false;
  unsigned reduced = 0;
  for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(dims); ++at) {
    Index dim;
    if (!read_dim(PyTuple_GET_ITEM(dims, at), x, &dim)) return false;
    reduced |= 1u << dim;
  }
  const int rank = x.dims();
  int first = rank;
  while (first > 0 && (reduced >> (first - 1) & 1)) --first;
  const auto product = [&](int from, int to) {
    Index all = 1;
    for (int dim = from; dim < to; ++dim) all *= x.shape(dim);
    return all;
  };
  if (weight != nullptr && (weight->dims() > rank || !weight->contiguous())) return false;
  const auto weights_at = [&](int dim) {
    const int at = dim - (rank - weight->dims());
    return at < 0 ? Index{1} : Index{weight->shape(at)};
  };
  if (reduced != (~0u >> (32 - rank) & ~((1u << first) - 1))) {
    // Not the last dimensions: then all but the second, or nothing we know.
    if (rank < 2 || (reduced | 2u) != (~0u >> (32 - rank)) || (reduced & 2u)) return false;
    for (int dim = 0; weight != nullptr && dim < rank; ++dim) {
      if (weights_at(dim) != (dim == 1 ? x.shape(1) : 1)) return false;
    }
    result->batch = true;
    result->outer = x.shape(0);
    result->channels = x.shape(1);
    result->run = product(2, rank);
    return true;
  }
  if (first == rank) return false;
  // The weight has an element for each place in dimensions begin … end, and one for all places in the others.
  int begin = first, end = first;
  if (weight != nullptr) {
    while (begin > 0 && weights_at(begin - 1) == x.shape(begin - 1) && x.shape(begin - 1) != 1) --begin;
    while (end < rank && weights_at(end) == x.shape(end)) ++end;
    if (weight->size() != product(begin, end)) return false;
  }
  result->outer = product(0, begin);
  result->groups = product(begin, first);
  result->channels = product(first, end);
  result->run = product(end, rank);
  return true;
}

// Two sums over a row at once, in blocks so that long ones stay exact. `add(i, a, b)` adds the vectors that start at i,
// `rest(i, count, a, b)` those that are not whole.
struct Pair {
  double first = 0;
  double second = 0;
};

template <class Whole, class Part>
ALWAYS_INLINE Pair sums_of_row(Index length, const Whole& add, const Part& rest) {
  Pair result;
  for (Index i = 0; i < length;) {
    const Index end = std::min(length, i + kBlock);
    Floats a{}, b{}, c{}, d{};
    for (; i + 2 * kLanes <= end; i += 2 * kLanes) {
      add(i, a, b);
      add(i + kLanes, c, d);
    }
    for (; i + kLanes <= end; i += kLanes) add(i, a, b);
    if (i < end) {
      rest(i, end - i, c, d);
      i = end;
    }
    result.first += sum_across(a + c);
    result.second += sum_across(b + d);
  }
  return result;
}

}  // namespace facula
