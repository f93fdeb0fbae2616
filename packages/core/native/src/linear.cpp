// Systems of linear equations in float32, by Gaussian elimination with partial pivoting, a strip of columns at a time
// (Golub and Van Loan, Matrix Computations, 3.4.8): nearly all of the work is matrix products.
#include <algorithm>
#include <cmath>

#include "array.h"
#include "gemm.h"
#include "parallel.h"
#include "scratch.h"
#include "vector.h"

namespace facula {
namespace {

// Columns of a strip.
constexpr Index kStrip = 32;
// Smaller systems are quick with any method.
constexpr Index kSmallest = 48;

// y -= factor * x.
static inline void subtract_row(const float* x, float factor, float* y, Index count) {
  for (Index i = 0; i < count; ++i) y[i] -= factor * x[i];
}

// Eliminates what is below the diagonal in columns `first` to `last`, within these columns; rows change places as a
// whole. False where there is no pivot, the matrix being singular, or not finite.
bool eliminate_strip(float* w, Index size, Index width, Index first, Index last) {
  for (Index j = first; j < last; ++j) {
    Index pivot = j;
    float largest = std::abs(w[j * width + j]);
    for (Index i = j + 1; i < size; ++i) {
      const float found = std::abs(w[i * width + j]);
      if (found > largest) {
        largest = found;
        pivot = i;
      }
    }
    if (!(largest > 0) || !std::isfinite(largest)) return false;
    if (pivot != j) std::swap_ranges(w + j * width, w + (j + 1) * width, w + pivot * width);
    // The row of the pivot right of it, with zeros before: so that whole vectors are taken from each row.
    float row[kStrip] = {};
    for (Index k = j + 1; k < last; ++k) row[k - first] = w[j * width + k];
    const float inverse = 1.0f / w[j * width + j];
    const bool divides = std::isfinite(inverse);
    for (Index i = j + 1; i < size; ++i) {
      float* below = w + i * width + first;
      const float factor = divides ? below[j - first] * inverse : below[j - first] / w[j * width + j];
      if (last - first == kStrip) {
        for (Index k = (j + 1 - first) / kLanes * kLanes; k < kStrip; k += kLanes) {
          store(below + k, load(below + k) - factor * load(row + k));
        }
      } else {
        subtract_row(row, factor, below, last - first);
      }
      below[j - first] = factor;
    }
  }
  return true;
}

// C -= A B for the first `rows` rows of C from `c`, with A `depth` wide; all are parts of one array with rows `width` apart.
bool subtract_product(float* c, const float* a, const float* b, Index rows, Index columns, Index depth, Index width) {
  if (rows == 0 || columns == 0) return true;
  float* room = scratch<float>(Purpose::transformed, static_cast<size_t>(rows * depth));
  if (room == nullptr) return false;
  for (Index i = 0; i < rows; ++i) {
    for (Index k = 0; k < depth; ++k) room[i * depth + k] = -a[i * width + k];
  }
  gemm::Finish finish;
  finish.add = true;
  return gemm::multiply(rows, columns, depth, {room, depth, 1}, gemm::FromMatrix{{b, width, 1}}, c, width, finish);
}

// Solves A X = B in place: `w` holds the rows of A, and after them those of B.
bool solve_in_place(float* w, Index size, Index columns) {
  const Index width = size + columns;
  for (Index first = 0; first < size; first += kStrip) {
    const Index last = std::min(size, first + kStrip);
    if (!eliminate_strip(w, size, width, first, last)) return false;
    // The rows of the strip right of it, in parts so that several threads have some.
    parallel_for((width - last + 63) / 64, 4, [&](Index begin, Index end) {
      const Index from = last + begin * 64, to = std::min(width, last + end * 64);
      for (Index i = first + 1; i < last; ++i) {
        for (Index k = first; k < i; ++k) subtract_row(w + k * width + from, w[i * width + k], w + i * width + from, to - from);
      }
    });
    if (!subtract_product(w + last * width + last, w + last * width + first, w + first * width + last, size - last,
                          width - last, last - first, width)) {
      return false;
    }
  }
  // Back from the last strip to the first.
  for (Index first = (size - 1) / kStrip * kStrip; first >= 0; first -= kStrip) {
    const Index last = std::min(size, first + kStrip);
    for (Index i = last - 1; i >= first; --i) {
      float* row = w + i * width + size;
      for (Index k = i + 1; k < last; ++k) subtract_row(w + k * width + size, w[i * width + k], row, columns);
      for (Index j = 0; j < columns; ++j) row[j] /= w[i * width + i];
    }
    if (!subtract_product(w + size, w + first, w + first * width + size, first, columns, last - first, width)) return false;
  }
  return true;
}

bool is_matrix(PyObject* object) {
  if (!is_array(object)) return false;
  const Array x(object);
  return x.type() == Type::float32 && x.dims() == 2 && x.contiguous();
}

}  // namespace

KERNEL(solve, "solve(a, b): the x with a @ x = b, of a regular matrix") {
  if (count != 2 || !is_matrix(args[0]) || !is_matrix(args[1])) return declined();
  const Array a(args[0]), b(args[1]);
  const Index size = a.shape(0), columns = b.shape(1);
  if (a.shape(1) != size || b.shape(0) != size || size < kSmallest || columns == 0) return declined();
  Array x = Array::like(b);
  if (!x) return nullptr;
  const Index width = size + columns;
  float* w = scratch<float>(Purpose::gathered, static_cast<size_t>(size * width));
  if (w == nullptr) return PyErr_NoMemory();
  bool done;
  {
    WithoutGil unlocked;
    for (Index i = 0; i < size; ++i) {
      std::copy_n(a.data<float>() + i * size, size, &w[i * width]);
      std::copy_n(b.data<float>() + i * columns, columns, &w[i * width + size]);
    }
    done = solve_in_place(w, size, columns);
    for (Index i = 0; done && i < size; ++i) std::copy_n(&w[i * width + size], columns, x.data<float>() + i * columns);
  }
  // What is singular is for the array code to say.
  return done ? x.release() : declined();
}

}  // namespace facula
