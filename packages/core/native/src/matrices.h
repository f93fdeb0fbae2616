// Batches of matrices: what kernels of linear algebra share.
#pragma once

#include <algorithm>
#include <atomic>

#include "array.h"
#include "lapack.h"
#include "parallel.h"
#include "rows.h"

namespace facula {
namespace {

// This many multiplications are worth a thread.
constexpr Index kWorkOfThread = 1 << 17;

// Matrices of one type, one after the other in memory.
struct Matrices {
  Index count = 1;
  Index rows = 0;
  Index columns = 0;
  Index size() const { return rows * columns; }
};

inline bool read_matrices(PyObject* object, Matrices* found) {
  if (!is_array(object)) return false;
  const Array x(object);
  if ((x.type() != Type::float32 && x.type() != Type::float64) || x.dims() < 2 || x.size() == 0) return false;
  *found = {x.size() / (x.shape(-1) * x.shape(-2)), x.shape(-2), x.shape(-1)};
  return true;
}

inline bool same_batch(const Array& a, const Array& b) {
  return a.type() == b.type() && a.dims() == b.dims() &&
         std::memcmp(a.shape(), b.shape(), sizeof(npy_intp) * (a.dims() - 2)) == 0;
}

// Calls `body(matrix)` for each, several at a time where they are small; false where one call said so.
template <class Function>
bool for_each_matrix(Index count, Index work, const Function& body) {
  std::atomic<bool> done{true};
  const auto some = [&](Index begin, Index end) {
    for (Index at = begin; at < end && done.load(std::memory_order_relaxed); ++at) {
      if (!body(at)) done = false;
    }
  };
  const lapack::OneThread alone;
  if (count == 1) {
    some(0, 1);
  } else {
    parallel_for(count, std::max<Index>(1, kWorkOfThread / work), some);
  }
  return done;
}

// A new array with the elements of another.
inline Array copy_of(const Array& x) {
  Array copy = Array::like(x);
  if (copy) std::memcpy(copy.data<char>(), x.data<char>(), static_cast<size_t>(x.size() * x.item_bytes()));
  return copy;
}

}  // namespace
}  // namespace facula
