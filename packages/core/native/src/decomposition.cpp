// Cholesky, QR, eigenvalues and singular values of batches of float32 and float64, by LAPACK (see lapack.h), in the type
// that is given: NumPy computes in float64 always. Each matrix is one thread's work, and several are several threads'.
//
// What LAPACK does not solve (not positive definite, not finite, no convergence) is declined, for the array code to say.
#include <cmath>
#include <limits>
#include <vector>

#include "matrices.h"
#include "reflectors.h"
#include "small_matrices.h"
#include "triangular.h"

namespace facula {
namespace {

using lapack::Integer;

// to[j * to_row + i] = from[i * from_row + j]: from rows to columns, or back.
template <class T>
void turn(const T* from, Index from_row, Index rows, Index columns, T* to, Index to_row) {
  constexpr Index side = 16;
  for (Index i0 = 0; i0 < rows; i0 += side) {
    for (Index j0 = 0; j0 < columns; j0 += side) {
      for (Index j = j0; j < std::min(columns, j0 + side); ++j) {
        for (Index i = i0; i < std::min(rows, i0 + side); ++i) to[j * to_row + i] = from[i * from_row + j];
      }
    }
  }
}

// Working memory of one matrix, made once for each thread's share.
template <class T>
struct Room {
  std::vector<T> numbers;
  std::vector<Integer> integers;
  T* at_least(Integer count) {
    if (static_cast<Integer>(numbers.size()) < count) numbers.resize(static_cast<size_t>(count));
    return numbers.data();
  }
};

template <class T>
bool all_finite(const T* x, Index count) {
  T sum = 0;
  for (Index i = 0; i < count; ++i) sum += x[i] * T(0);
  return sum == 0;
}

// Larger matrices are factorized a block of columns at a time, since the rest is then products on all threads.
constexpr Index kBlockOfFactor = 256;

// L of A = L L^T in place of the lower triangle. To LAPACK, which has it by columns, the matrix is its transpose, and L is
// the upper factor.
template <class T>
bool factor_positive(const lapack::Functions<T>& known, T* a, Index size) {
  for (Index first = 0; first < size; first += kBlockOfFactor) {
    const Integer count = size - first <= 2 * kBlockOfFactor ? size - first : kBlockOfFactor, row = size;
    Integer info = 0;
    T* corner = a + first * size + first;
    known.potrf("U", &count, corner, &row, &info);
    if (info != 0) return false;
    const Index done = first + count, rest = size - done;
    if (rest == 0) break;
    // X L^T = A for the rows below, that is L X^T = A^T.
    std::vector<T> turned(static_cast<size_t>(count * rest));
    turn(a + done * size + first, size, rest, count, turned.data(), rest);
    if (!substitute<T>({{corner, size, 1}, false, false}, count, turned.data(), rest, rest)) return false;
    turn(turned.data(), rest, count, rest, a + done * size + first, size);
    // The lower triangle of what is left, a strip of columns at a time, from its diagonal.
    const bool subtracted = for_strips(rest, count * rest, [&](Index from, Index width) {
      return subtract_product(a + (done + from) * size + done + from, size, Part<T>{turned.data() + from, 1, rest},
                              turned.data() + from, rest, rest - from, width, count);
    });
    if (!subtracted) return false;
  }
  for (Index i = 0; i < size; ++i) {
    if (!std::isfinite(a[i * size + i])) return false;
    std::fill(a + i * size + i + 1, a + (i + 1) * size, T(0));
  }
  return true;
}

template <class T>
PyObject* cholesky_of(const Array& x, const Matrices& shape) {
  const auto* known = lapack::functions<T>();
  if (known == nullptr) return declined();
  Array result = copy_of(x);
  if (!result) return nullptr;
  bool done;
  {
    WithoutGil unlocked;
    done = is_small_batch(shape.count, shape.rows, shape.rows)
               ? factor_small(result.data<T>(), shape.count, shape.rows)
               : for_each_matrix(shape.count, shape.rows * shape.size(),
                           [&](Index at) { return factor_positive(*known, result.data<T>() + at * shape.size(), shape.rows); });
  }
  return done ? result.release() : declined();
}

// The shape of an array with other last dimensions.
Array with_last(const Array& x, Index rows, Index columns) {
  npy_intp lengths[NPY_MAXDIMS];
  std::copy(x.shape(), x.shape() + x.dims() - 2, lengths);
  lengths[x.dims() - 2] = rows;
  lengths[x.dims() - 1] = columns;
  return Array::empty(x.dims(), lengths, x.type());
}
Array with_last(const Array& x, Index length) {
  npy_intp lengths[NPY_MAXDIMS];
  std::copy(x.shape(), x.shape() + x.dims() - 2, lengths);
  lengths[x.dims() - 2] = length;
  return Array::empty(x.dims() - 1, lengths, x.type());
}

template <class T>
bool orthogonalize(const lapack::Functions<T>& known, const T* x, Integer rows, Integer columns, Integer wide, T* q, T* r, Index r_rows) {
  const Integer count = std::min(rows, columns), blocks = 64 * std::max(columns, wide);
  Room<T> room;
  T* a = room.at_least(rows * std::max(columns, wide) + count + blocks);
  T* tau = a + rows * std::max(columns, wide);
  T* work = tau + count;
  turn(x, columns, rows, columns, a, rows);
  Integer info = 0;
  known.geqrf(&rows, &columns, a, &rows, tau, work, &blocks, &info);
  if (info != 0) return false;
  for (Index i = 0; i < r_rows; ++i) {
    for (Index j = 0; j < columns; ++j) r[i * columns + j] = i <= j && i < count ? a[j * rows + i] : T(0);
  }
  known.orgqr(&rows, &wide, &count, a, &rows, tau, work, &blocks, &info);
  turn(a, rows, wide, rows, q, wide);
  return info == 0;
}

// The same for larger matrices, by blocks of reflections.
template <class T>
bool orthogonalize_by_blocks(const T* x, Index rows, Index columns, Index wide, T* q, T* r) {
  Blocks<T> blocks;
  std::vector<T> a(x, x + rows * columns);
  if (!factor_orthogonal(a.data(), columns, rows, columns, &blocks)) return false;
  for (Index i = 0; i < wide; ++i) {
    for (Index j = 0; j < columns; ++j) r[i * columns + j] = i <= j && i < rows ? a[static_cast<size_t>(i * columns + j)] : T(0);
  }
  std::fill(q, q + rows * wide, T(0));
  for (Index i = 0; i < std::min(rows, wide); ++i) q[i * wide + i] = 1;
  return reflect_all(blocks, q, wide, wide, false, true);
}

// From how many columns and rows on blocks repay.
constexpr Index kSideOfBlocks = 48;

template <class T>
PyObject* qr_of(const Array& x, const Matrices& shape, bool complete) {
  const auto* known = lapack::functions<T>();
  if (known == nullptr) return declined();
  const Index rows = shape.rows, columns = shape.columns, wide = complete ? rows : std::min(rows, columns);
  Array q = with_last(x, rows, wide), r = with_last(x, wide, columns);
  if (!q || !r) return nullptr;
  bool done;
  {
    WithoutGil unlocked;
    done = for_each_matrix(shape.count, shape.size() * wide, [&](Index at) {
      const T* from = x.data<T>() + at * shape.size();
      T *own_q = q.data<T>() + at * rows * wide, *own_r = r.data<T>() + at * wide * columns;
      return (std::min(rows, columns) >= kSideOfBlocks && orthogonalize_by_blocks(from, rows, columns, wide, own_q, own_r)) ||
             orthogonalize(*known, from, rows, columns, wide, own_q, own_r, wide);
    });
  }
  return done ? Py_BuildValue("(NN)", q.release(), r.release()) : declined();
}

// Eigenvalues and eigenvectors (as rows' columns) as syevd takes its way, but with the turn back from the tridiagonal form by
// blocks. False where syevd would scale the matrix first.
template <class T>
bool decompose_symmetric(const lapack::Functions<T>& known, T* a, bool lower, Integer size, T* values, T* vectors) {
  T largest = 0;
  for (Index i = 0; i < size * size; ++i) largest = std::max(largest, std::abs(a[i]));
  const T small = std::sqrt(std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon());
  if (!(largest > small && largest < 1 / small)) return false;
  // LAPACK's lower triangle, by columns, is the upper one by rows: its reflections come in order.
  if (lower) {
    for (Index i = 0; i < size; ++i) {
      for (Index j = 0; j < i; ++j) a[j * size + i] = a[i * size + j];
    }
  }
  const Integer work_size = std::max<Integer>(1 + 4 * size + size * size, 64 * size), integers = 3 + 5 * size;
  Room<T> room;
  T* work = room.at_least(2 * size + work_size + size * size);
  T *beside = work + work_size, *factors = beside + size, *by_columns = factors + size;
  room.integers.resize(static_cast<size_t>(integers));
  Integer info = 0;
  known.sytrd("L", &size, a, &size, values, beside, factors, work, &work_size, &info);
  if (info != 0) return false;
  known.stedc("I", &size, values, beside, by_columns, &size, work, &work_size, room.integers.data(), &integers, &info);
  if (info != 0) return false;
  turn(by_columns, size, size, size, vectors, size);
  return reflect_all(blocks_of(a, size, size, size - 1, 1, factors), vectors, size, size, false);
}

// Eigenvalues of a symmetric matrix of which one triangle is looked at, and eigenvectors as columns where wanted.
template <class T>
bool eigenvalues_of(const lapack::Functions<T>& known, const T* x, Integer size, bool lower, T* values, T* vectors) {
  if (!all_finite(x, size * size)) return false;
  const Integer work_size = 1 + 6 * size + 2 * size * size + 64 * size, integers = 3 + 5 * size;
  Room<T> room;
  T* a = room.at_least(size * size + work_size);
  std::copy_n(x, size * size, a);
  if (vectors != nullptr && size > 64) {
    if (decompose_symmetric(known, a, lower, size, values, vectors)) return true;
    std::copy_n(x, size * size, a);
  }
  room.integers.resize(static_cast<size_t>(integers));
  Integer info = 0;
  // By columns, the lower triangle is the upper one.
  known.syevd(vectors == nullptr ? "N" : "V", lower ? "U" : "L", &size, a, &size, values, a + size * size, &work_size,
              room.integers.data(), &integers, &info);
  if (info != 0) return false;
  if (vectors != nullptr) turn(a, size, size, size, vectors, size);
  return true;
}

template <class T>
PyObject* eigh_of(const Array& x, const Matrices& shape, bool lower, bool with_vectors) {
  const auto* known = lapack::functions<T>();
  if (known == nullptr) return declined();
  Array values = with_last(x, shape.rows), vectors = with_last(x, with_vectors ? shape.rows : 0, shape.rows);
  if (!values || !vectors) return nullptr;
  bool done;
  {
    WithoutGil unlocked;
    done = for_each_matrix(shape.count, shape.rows * shape.size(), [&](Index at) {
      return eigenvalues_of(*known, x.data<T>() + at * shape.size(), shape.rows, lower, values.data<T>() + at * shape.rows,
                            with_vectors ? vectors.data<T>() + at * shape.size() : nullptr);
    });
  }
  if (!done) return declined();
  return with_vectors ? Py_BuildValue("(NN)", values.release(), vectors.release()) : values.release();
}

// Singular values and vectors of a square matrix by columns, as gesdd takes its way, but with the two turns back from the
// bidiagonal form by blocks; U by rows and V^T by columns, which is V by rows. False where gesdd would scale the matrix first.
template <class T>
bool decompose_square(const lapack::Functions<T>& known, T* a, Integer size, T* values, T* u, T* v) {
  T largest = 0;
  for (Index i = 0; i < size * size; ++i) largest = std::max(largest, std::abs(a[i]));
  const T small = std::sqrt(std::numeric_limits<T>::min()) / std::numeric_limits<T>::epsilon();
  if (!(largest > small && largest < 1 / small)) return false;
  const Integer work_size = std::max<Integer>(3 * size * size + 4 * size, 128 * size);
  Room<T> room;
  T* work = room.at_least(3 * size + work_size + size * size);
  T *beside = work + work_size, *left = beside + size, *right = left + size, *by_columns = right + size;
  room.integers.resize(static_cast<size_t>(8 * size));
  Integer info = 0;
  known.gebrd(&size, &size, a, &size, values, beside, left, right, work, &work_size, &info);
  if (info != 0) return false;
  known.bdsdc("U", "I", &size, values, beside, by_columns, &size, v, &size, nullptr, nullptr, work, room.integers.data(), &info);
  if (info != 0) return false;
  turn(by_columns, size, size, size, u, size);
  return reflect_all(blocks_of(a, size, size, size, 0, left), u, size, size, false) &&
         reflect_all(blocks_of(a, size, size, size - 1, 1, right, true), v, size, size, false);
}

template <class T>
bool singular_values_of(const lapack::Functions<T>& known, const T* x, Integer rows, Integer columns, bool full, T* values, T* u, T* vh) {
  if (!all_finite(x, rows * columns)) return false;
  const Integer count = std::min(rows, columns), most = std::max(rows, columns);
  const Integer u_wide = u == nullptr ? 1 : full ? rows : count, v_high = u == nullptr ? 1 : full ? columns : count;
  const Integer work_size = 4 * count * count + 7 * count + 64 * (most + count);
  Room<T> room;
  T* a = room.at_least(rows * columns + rows * u_wide + v_high * columns + work_size);
  T *left = a + rows * columns, *right = left + rows * u_wide, *work = right + v_high * columns;
  room.integers.resize(static_cast<size_t>(8 * count));
  turn(x, columns, rows, columns, a, rows);
  const bool in_parts = u != nullptr && rows == columns && count > 32;
  if (in_parts && decompose_square(known, a, count, values, u, right)) {
    turn(right, count, count, count, vh, count);
    return true;
  } else {
    if (in_parts) turn(x, columns, rows, columns, a, rows);
    Integer info = 0;
    known.gesdd(u == nullptr ? "N" : full ? "A" : "S", &rows, &columns, a, &rows, values, left, &rows, right, &v_high, work, &work_size,
                room.integers.data(), &info);
    if (info != 0) return false;
  }
  if (u != nullptr) {
    turn(left, rows, u_wide, rows, u, u_wide);
    turn(right, v_high, columns, v_high, vh, columns);
  }
  return true;
}

template <class T>
PyObject* svd_of(const Array& x, const Matrices& shape, bool full, bool with_vectors) {
  const auto* known = lapack::functions<T>();
  if (known == nullptr) return declined();
  const Index rows = shape.rows, columns = shape.columns, count = std::min(rows, columns);
  const Index u_wide = with_vectors ? (full ? rows : count) : 0, v_high = with_vectors ? (full ? columns : count) : 0;
  Array values = with_last(x, count), u = with_last(x, rows, u_wide), vh = with_last(x, v_high, columns);
  if (!values || !u || !vh) return nullptr;
  bool done;
  {
    WithoutGil unlocked;
    done = for_each_matrix(shape.count, 4 * shape.size() * count, [&](Index at) {
      return singular_values_of(*known, x.data<T>() + at * shape.size(), rows, columns, full, values.data<T>() + at * count,
                                with_vectors ? u.data<T>() + at * rows * u_wide : nullptr, vh.data<T>() + at * v_high * columns);
    });
  }
  if (!done) return declined();
  return with_vectors ? Py_BuildValue("(NNN)", u.release(), values.release(), vh.release()) : values.release();
}

// The X for which A X is nearest to B, by a QR decomposition whose Q is never made: in place of the first rows of B. False
// where columns of A may depend on each other: singular values lie between 1 / |inverse of R| and |R|, of which the
// Frobenius norm is a bound.
template <class T>
bool least_squares_of(const T* x, Index rows, Index columns, T* b, Index wide, double tolerance) {
  std::vector<T> a(x, x + rows * columns);
  Blocks<T> blocks;
  if (!factor_orthogonal(a.data(), columns, rows, columns, &blocks)) return false;
  std::vector<T> inverse(static_cast<size_t>(columns * columns));
  for (Index i = 0; i < columns; ++i) inverse[static_cast<size_t>(i * columns + i)] = 1;
  const Triangle<T> upper = {{a.data(), columns, 1}, true, false};
  if (!substitute(upper, columns, inverse.data(), columns, columns)) return false;
  double largest = 0, least = 0;
  for (Index i = 0; i < columns; ++i) {
    for (Index j = i; j < columns; ++j) {
      const double value = a[static_cast<size_t>(i * columns + j)], other = inverse[static_cast<size_t>(i * columns + j)];
      largest += value * value;
      least += other * other;
    }
  }
  if (!(1 / std::sqrt(least) > tolerance * std::sqrt(largest))) return false;
  return reflect_all(blocks, b, wide, wide, true) && substitute(upper, columns, b, wide, wide);
}

template <class T>
PyObject* least_squares_of_all(const Array& x, const Array& b, const Matrices& shape, double tolerance) {
  const Index rows = shape.rows, columns = shape.columns, wide = b.shape(-1);
  Array result = with_last(b, columns, wide);
  if (!result) return nullptr;
  bool done;
  {
    WithoutGil unlocked;
    done = for_each_matrix(shape.count, 2 * shape.size() * columns, [&](Index at) {
      const T* right = b.data<T>() + at * rows * wide;
      std::vector<T> room(right, right + rows * wide);
      if (!least_squares_of(x.data<T>() + at * shape.size(), rows, columns, room.data(), wide, tolerance)) return false;
      std::copy_n(room.data(), columns * wide, result.data<T>() + at * columns * wide);
      return true;
    });
  }
  return done ? result.release() : declined();
}

// Calls `body(dense, shape, number)` for matrices in a type LAPACK has, with a 0 of that type.
template <class Function>
PyObject* of_matrices(PyObject* object, bool square, const Function& body) {
  Matrices shape;
  if (!read_matrices(object, &shape) || (square && shape.rows != shape.columns)) return declined();
  const Dense x(object);
  if (!x) return nullptr;
  return x->type() == Type::float32 ? body(*x, shape, 0.0f) : body(*x, shape, 0.0);
}

}  // namespace

KERNEL(cholesky, "cholesky(a): the lower triangular l with l @ l.T = a") {
  if (count != 1) return declined();
  return of_matrices(args[0], true, [](const Array& x, const Matrices& shape, auto zero) {
    return cholesky_of<decltype(zero)>(x, shape);
  });
}

KERNEL(least_squares, "least_squares(a, b, tolerance): the x with a @ x nearest to b, of independent columns") {
  Matrices shape, right;
  if (count != 3 || !read_matrices(args[0], &shape) || !read_matrices(args[1], &right) || !PyFloat_Check(args[2])) return declined();
  if (shape.rows < shape.columns || right.rows != shape.rows || !same_batch(Array(args[0]), Array(args[1]))) return declined();
  const Dense a(args[0]), b(args[1]);
  if (!a || !b) return nullptr;
  const double tolerance = PyFloat_AS_DOUBLE(args[2]);
  return a->type() == Type::float32 ? least_squares_of_all<float>(*a, *b, shape, tolerance)
                                    : least_squares_of_all<double>(*a, *b, shape, tolerance);
}

KERNEL(qr, "qr(a, complete): orthonormal q and upper triangular r with q @ r = a") {
  if (count != 2) return declined();
  return of_matrices(args[0], false, [&](const Array& x, const Matrices& shape, auto zero) {
    return qr_of<decltype(zero)>(x, shape, args[1] == Py_True);
  });
}

KERNEL(eigh, "eigh(a, lower): eigenvalues, ascending, and eigenvectors of symmetric matrices") {
  if (count != 2) return declined();
  return of_matrices(args[0], true, [&](const Array& x, const Matrices& shape, auto zero) {
    return eigh_of<decltype(zero)>(x, shape, args[1] == Py_True, true);
  });
}

KERNEL(eigvalsh, "eigvalsh(a, lower): eigenvalues of symmetric matrices, ascending") {
  if (count != 2) return declined();
  return of_matrices(args[0], true, [&](const Array& x, const Matrices& shape, auto zero) {
    return eigh_of<decltype(zero)>(x, shape, args[1] == Py_True, false);
  });
}

KERNEL(svd, "svd(a, full): u, the singular values descending, and vh") {
  if (count != 2) return declined();
  return of_matrices(args[0], false, [&](const Array& x, const Matrices& shape, auto zero) {
    return svd_of<decltype(zero)>(x, shape, args[1] == Py_True, true);
  });
}

KERNEL(svdvals, "svdvals(a): singular values, descending") {
  if (count != 1) return declined();
  return of_matrices(args[0], false, [](const Array& x, const Matrices& shape, auto zero) {
    return svd_of<decltype(zero)>(x, shape, false, false);
  });
}

}  // namespace facula
