// Systems of linear equations, inverses, determinants and triangular factors of float32 and float64, by Gaussian
// elimination with partial pivoting (Golub and Van Loan, Matrix Computations, 3.4).
#include "matrices.h"
#include "small_matrices.h"
#include "triangular.h"

namespace facula {
namespace {

// Without LAPACK's products, float64 is done well only while it is small.
bool is_done_here(const Array& x) {
  return x.type() == Type::float32 || lapack::functions<double>() != nullptr;
}

// The matrices of an array again, or of more columns, to work in; kept for the next call of this thread.
template <class T>
T* working_copy(const T* from, Index size) {
  T* room = scratch<T>(Purpose::gathered, static_cast<size_t>(size));
  if (room != nullptr) std::copy_n(from, size, room);
  return room;
}

template <class T>
bool solve_one(const T* a, Index size, T* x, Index columns) {
  T* factors = working_copy(a, size * size);
  std::vector<int32_t> pivots(static_cast<size_t>(size));
  if (factors == nullptr || !eliminate(factors, size, size, size, pivots.data())) return false;
  exchange_rows(x, columns, columns, pivots.data(), 0, size);
  const Part<T> part = {factors, size, 1};
  return for_strips(columns, size * size, [&](Index first, Index width) {
    return substitute_alone<T>({part, false, true}, size, x + first, columns, width) &&
           substitute_alone<T>({part, true, false}, size, x + first, columns, width);
  });
}

template <class T>
bool solve_all(const Array& a, const Matrices& shape, T* x, Index columns) {
  const Index size = shape.rows;
  if (is_small_batch(shape.count, size, columns)) return solve_small(a.data<T>(), shape.count, size, x, columns, false);
  return for_each_matrix(shape.count, size * size * (size + columns), [&](Index at) {
    return solve_one(a.data<T>() + at * size * size, size, x + at * size * columns, columns);
  });
}

template <class T>
bool invert_all(const Array& a, const Matrices& shape, T* x) {
  const Index size = shape.rows;
  if (is_small_batch(shape.count, size, size)) return solve_small(a.data<T>(), shape.count, size, x, size, true);
  std::memset(x, 0, static_cast<size_t>(shape.count * size * size) * sizeof(T));
  for (Index at = 0; at < shape.count; ++at) {
    for (Index i = 0; i < size; ++i) x[(at * size + i) * size + i] = T(1);
  }
  return solve_all<T>(a, shape, x, size);
}

// The product of the diagonal of U with the sign of the exchanges, or its logarithm and sign.
template <class T>
bool determinants(const Array& a, const Matrices& shape, T* result, T* logarithm) {
  const Index size = shape.rows;
  if (logarithm == nullptr && is_small_batch(shape.count, size, size)) {
    return determinants_of_small(a.data<T>(), shape.count, size, result);
  }
  return for_each_matrix(shape.count, size * size * size, [&](Index at) {
    T* factors = working_copy(a.data<T>() + at * size * size, size * size);
    std::vector<int32_t> pivots(static_cast<size_t>(size));
    if (factors == nullptr || !eliminate(factors, size, size, size, pivots.data())) return false;
    double product = 1, sum = 0;
    for (Index i = 0; i < size; ++i) {
      const double pivot = factors[i * size + i];
      const double sign = pivots[i] != i ? -1 : 1;
      product *= logarithm == nullptr ? sign * pivot : (pivot < 0 ? -sign : sign);
      if (logarithm != nullptr) sum += std::log(std::abs(pivot));
    }
    result[at] = static_cast<T>(product);
    if (logarithm != nullptr) logarithm[at] = static_cast<T>(sum);
    return true;
  });
}

template <class T>
bool factorize_all(const Matrices& shape, T* factors, int32_t* pivots) {
  const Index count = std::min(shape.rows, shape.columns);
  return for_each_matrix(shape.count, shape.size() * count, [&](Index at) {
    int32_t* own = pivots + at * count;
    if (!eliminate(factors + at * shape.size(), shape.columns, shape.rows, shape.columns, own)) return false;
    for (Index i = 0; i < count; ++i) ++own[i];
    return true;
  });
}

// Whether each matrix is a transposed one in C order.
bool is_turned(const Array& x) {
  Index bytes = x.item_bytes();
  const int last = x.dims() - 1;
  if (x.stride(last - 1) != bytes || x.stride(last) != bytes * x.shape(last - 1)) return false;
  bytes *= x.shape(last) * x.shape(last - 1);
  for (int dim = last - 2; dim >= 0; --dim) {
    if (x.stride(dim) != bytes) return false;
    bytes *= x.shape(dim);
  }
  return true;
}

template <class T>
bool substitute_all(const T* a, bool turned, const Matrices& shape, T* x, Index columns, bool upper, bool unit) {
  const Index size = shape.rows;
  return for_each_matrix(shape.count, size * size * columns, [&](Index at) {
    const Part<T> part = {a + at * size * size, turned ? 1 : size, turned ? size : 1};
    return substitute<T>({part, upper, unit}, size, x + at * size * columns, columns, columns);
  });
}

bool is_square_batch(PyObject* object, Matrices* shape) {
  return read_matrices(object, shape) && shape->rows == shape->columns && is_done_here(Array(object));
}

}  // namespace

KERNEL(solve, "solve(a, b): the x with a @ x = b, of regular matrices") {
  Matrices shape, right;
  if (count != 2 || !is_square_batch(args[0], &shape) || !read_matrices(args[1], &right)) return declined();
  if (right.rows != shape.rows || !same_batch(Array(args[0]), Array(args[1]))) return declined();
  const Dense a(args[0]), b(args[1]);
  if (!a || !b) return nullptr;
  Array x = copy_of(*b);
  if (!x) return nullptr;
  bool done;
  {
    WithoutGil unlocked;
    done = x.type() == Type::float32 ? solve_all(*a, shape, x.data<float>(), right.columns)
                                     : solve_all(*a, shape, x.data<double>(), right.columns);
  }
  // What is singular is for the array code to say.
  return done ? x.release() : declined();
}

KERNEL(inverse, "inverse(a): the inverses of regular matrices") {
  Matrices shape;
  if (count != 1 || !is_square_batch(args[0], &shape)) return declined();
  const Dense a(args[0]);
  if (!a) return nullptr;
  Array x = Array::like(*a);
  if (!x) return nullptr;
  bool done;
  {
    WithoutGil unlocked;
    done = x.type() == Type::float32 ? invert_all(*a, shape, x.data<float>()) : invert_all(*a, shape, x.data<double>());
  }
  return done ? x.release() : declined();
}

KERNEL(determinant, "determinant(a): the determinants of regular matrices") {
  Matrices shape;
  if (count != 1 || !is_square_batch(args[0], &shape)) return declined();
  const Dense a(args[0]);
  if (!a) return nullptr;
  Array result = Array::empty(a->dims() - 2, a->shape(), a->type());
  if (!result) return nullptr;
  bool done;
  {
    WithoutGil unlocked;
    done = a->type() == Type::float32 ? determinants<float>(*a, shape, result.data<float>(), nullptr)
                                      : determinants<double>(*a, shape, result.data<double>(), nullptr);
  }
  return done ? result.release() : declined();
}

KERNEL(log_determinant, "log_determinant(a): the signs of the determinants of regular matrices, and logarithms of their sizes") {
  Matrices shape;
  if (count != 1 || !is_square_batch(args[0], &shape)) return declined();
  const Dense a(args[0]);
  if (!a) return nullptr;
  Array sign = Array::empty(a->dims() - 2, a->shape(), a->type()), size = Array::like(sign);
  if (!sign || !size) return nullptr;
  bool done;
  {
    WithoutGil unlocked;
    done = a->type() == Type::float32 ? determinants<float>(*a, shape, sign.data<float>(), size.data<float>())
                                      : determinants<double>(*a, shape, sign.data<double>(), size.data<double>());
  }
  return done ? Py_BuildValue("(NN)", sign.release(), size.release()) : declined();
}

KERNEL(lu_factor, "lu_factor(a): L and U of regular matrices in one, and the rows exchanged, counted from 1") {
  Matrices shape;
  if (count != 1 || !read_matrices(args[0], &shape) || !is_done_here(Array(args[0]))) return declined();
  const Dense a(args[0]);
  if (!a) return nullptr;
  Array factors = copy_of(*a);
  npy_intp lengths[NPY_MAXDIMS];
  std::copy(a->shape(), a->shape() + a->dims() - 2, lengths);
  lengths[a->dims() - 2] = std::min(shape.rows, shape.columns);
  Array pivots = Array::empty(a->dims() - 1, lengths, Type::int32);
  if (!factors || !pivots) return nullptr;
  bool done;
  {
    WithoutGil unlocked;
    done = a->type() == Type::float32 ? factorize_all(shape, factors.data<float>(), pivots.data<int32_t>())
                                      : factorize_all(shape, factors.data<double>(), pivots.data<int32_t>());
  }
  return done ? Py_BuildValue("(NN)", factors.release(), pivots.release()) : declined();
}

KERNEL(solve_triangular, "solve_triangular(a, b, upper, unit): the x with triangle(a) @ x = b") {
  Matrices shape, right;
  if (count != 4 || !is_square_batch(args[0], &shape) || !read_matrices(args[1], &right)) return declined();
  if (right.rows != shape.rows || !same_batch(Array(args[0]), Array(args[1]))) return declined();
  const bool turned = shape.rows > 1 && is_turned(Array(args[0]));
  const Dense copied(turned ? args[1] : args[0]), b(args[1]);
  if (!copied || !b) return nullptr;
  const Array a(turned ? args[0] : copied->object());
  Array x = copy_of(*b);
  if (!x) return nullptr;
  const bool upper = args[2] == Py_True, unit = args[3] == Py_True;
  bool done;
  {
    WithoutGil unlocked(x.size() * shape.rows > kWorkOfThread);
    done = x.type() == Type::float32 ? substitute_all(a.data<float>(), turned, shape, x.data<float>(), right.columns, upper, unit)
                                     : substitute_all(a.data<double>(), turned, shape, x.data<double>(), right.columns, upper, unit);
  }
  return done ? x.release() : declined();
}

}  // namespace facula
