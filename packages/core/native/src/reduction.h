// Which elements of an array go into which element of a reduction, and vectors of float32 and float64 alike.
#pragma once

#include "rows.h"

namespace facula {

// In the order of memory: `outer` times `rows` (reduced) times `kept` times `row` (reduced).
struct Reduced {
  Index outer = 1;
  Index rows = 1;
  Index kept = 1;
  Index row = 1;
  Index results() const { return outer * kept; }
  Index together() const { return rows * row; }
};

// Reads the dimensions (a tuple, or None for all) as bits; false where they are none of this array.
static inline bool read_dims(PyObject* dims, const Array& x, unsigned* reduced) {
  *reduced = 0;
  if (dims == Py_None) {
    *reduced = (1u << x.dims()) - 1;
    return true;
  }
  if (!PyTuple_Check(dims)) return false;
  for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(dims); ++at) {
    Index dim;
    if (!read_dim(PyTuple_GET_ITEM(dims, at), x, &dim)) return false;
    *reduced |= 1u << dim;
  }
  return true;
}

// False where the elements do not fill a piece of memory, or the dimensions change between kept and reduced too often.
static inline bool read_reduced(const Array& x, unsigned reduced, Reduced* result) {
  int order[32];
  int dims = 0;
  for (int dim = 0; dim < x.dims(); ++dim) {
    if (x.shape(dim) == 1) continue;
    int at = dims++;
    for (; at > 0 && x.stride(order[at - 1]) < x.stride(dim); --at) order[at] = order[at - 1];
    order[at] = dim;
  }
  Index size = x.item_bytes();
  Index* const runs[] = {&result->row, &result->kept, &result->rows, &result->outer};
  int run = 0, last_kept = x.dims();
  for (int at = dims - 1; at >= 0; --at) {
    const int dim = order[at];
    if (x.stride(dim) != size) return false;
    size *= x.shape(dim);
    const bool is_reduced = (reduced >> dim & 1) != 0;
    while (run < 4 && (run % 2 == 0) != is_reduced) ++run;
    if (run == 4) return false;
    *runs[run] *= x.shape(dim);
    // The results lie in the order of dimensions.
    if (!is_reduced && dim > last_kept) return false;
    if (!is_reduced) last_kept = dim;
  }
  return true;
}

// The new array of results.
static inline Array reduced_array(const Array& x, unsigned reduced, bool keep, Type type) {
  npy_intp shape[32];
  int dims = 0;
  for (int dim = 0; dim < x.dims(); ++dim) {
    if ((reduced >> dim & 1) == 0) {
      shape[dims++] = x.shape(dim);
    } else if (keep) {
      shape[dims++] = 1;
    }
  }
  return Array::empty(dims, shape, type);
}

ALWAYS_INLINE Doubles load_filled(const double* from, Index count, double fill) {
  Doubles x = all(fill);
  std::memcpy(&x, from, static_cast<size_t>(count) * sizeof(double));
  return x;
}
ALWAYS_INLINE void store_first(double* to, Doubles x, Index count) { std::memcpy(to, &x, static_cast<size_t>(count) * sizeof(double)); }

}  // namespace facula
