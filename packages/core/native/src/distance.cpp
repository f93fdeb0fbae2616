// Distances between rows.
#include <cmath>
#include <vector>

#include "map.h"
#include "matrices.h"

namespace facula {
namespace {

// The squares of rows, added up, of `rows` rows; always in the same order.
template <class T>
__attribute__((noinline)) void squares_of_rows(const T* x, Index rows, Index columns, T* to) {
  using V = typename VectorOf<T>::type;
  constexpr Index lanes = VectorOf<T>::lanes;
  for (Index row = 0; row < rows; ++row, x += columns) {
    V sum{};
    Index i = 0;
    for (; i + lanes <= columns; i += lanes) sum += load(x + i) * load(x + i);
    T rest = 0;
    for (; i < columns; ++i) rest += x[i] * x[i];
    to[row] = total(sum) + rest;
  }
}

// The root of |x|^2 - 2 x y + |y|^2 for a row of products.
template <class T>
__attribute__((noinline)) void finish_row(T own, const T* others, Index count, T* products) {
  for (Index j = 0; j < count; ++j) {
    const T square = products[j] * T(-2) + own + others[j];
    products[j] = std::sqrt(square < 0 ? T(0) : square);
  }
}

template <class T>
void finish(const Array& x, const Array& other, Array& products) {
  const Index columns = x.shape(-1), left = x.shape(-2), right = other.shape(-2);
  const Index blocks = x.size() / std::max<Index>(1, left * columns);
  std::vector<T> squares(static_cast<size_t>(blocks * (left + right)));
  T *of_left = squares.data(), *of_right = of_left + blocks * left;
  squares_of_rows(x.data<T>(), blocks * left, columns, of_left);
  squares_of_rows(other.data<T>(), blocks * right, columns, of_right);
  T* to = products.data<T>();
  parallel_for(blocks * left, std::max<Index>(1, kGrain / right), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) finish_row(of_left[row], of_right + row / left * right, right, to + row * right);
  });
}

// The roots of the sums of squared differences of all pairs of rows.
template <class T>
__attribute__((noinline)) void distances_of_row(const T* x, const T* others, Index rows, Index columns, T* to) {
  for (Index j = 0; j < rows; ++j, others += columns) {
    T sum = 0;
    for (Index i = 0; i < columns; ++i) sum += (x[i] - others[i]) * (x[i] - others[i]);
    to[j] = std::sqrt(sum);
  }
}

template <class T>
void measure(const Array& x, const Array& other, Array& y) {
  const Index columns = x.shape(-1), left = x.shape(-2), right = other.shape(-2), rows = x.size() / (left * columns) * left;
  parallel_for(rows, std::max<Index>(1, kGrain / (right * columns)), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      distances_of_row(x.data<T>() + row * columns, other.data<T>() + row / left * right * columns, right, columns,
                       y.data<T>() + row * right);
    }
  });
}

// Whether two arrays hold rows of one type and length, in C order, for the same batches.
bool are_points(PyObject* first, PyObject* second) {
  Matrices shape;
  if (!read_matrices(first, &shape) || !read_matrices(second, &shape)) return false;
  const Array x(first), other(second);
  return same_batch(x, other) && x.shape(-1) == other.shape(-1) && x.contiguous() && other.contiguous();
}

}  // namespace

KERNEL(distances_of_products, "distances_of_products(x, other, products): distances of rows, in place of their products") {
  if (count != 3 || !are_points(args[0], args[1]) || !is_array(args[2])) return declined();
  const Array x(args[0]), other(args[1]);
  Array products(args[2]);
  if (products.type() != x.type() || !products.contiguous()) return declined();
  if (products.size() * x.shape(-1) != x.size() * other.shape(-2)) return declined();
  {
    WithoutGil unlocked(products.size() > kGrain);
    if (x.type() == Type::float32) {
      finish<float>(x, other, products);
    } else {
      finish<double>(x, other, products);
    }
  }
  Py_INCREF(args[2]);
  return args[2];
}

KERNEL(distances, "distances(x, other): Euclidean distances of all pairs of rows, by differences") {
  if (count != 2 || !are_points(args[0], args[1])) return declined();
  const Array x(args[0]), other(args[1]);
  npy_intp shape[NPY_MAXDIMS];
  std::copy(x.shape(), x.shape() + x.dims(), shape);
  shape[x.dims() - 1] = other.shape(-2);
  Array y = Array::empty(x.dims(), shape, x.type());
  if (!y) return nullptr;
  WithoutGil unlocked(y.size() > kGrain);
  if (x.type() == Type::float32) {
    measure<float>(x, other, y);
  } else {
    measure<double>(x, other, y);
  }
  return y.release();
}

}  // namespace facula
