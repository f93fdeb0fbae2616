// Matrix products of float32: of two matrices, with either transposed, of batches, and of layers with a bias.
#include "array.h"
#include "gemm.h"

namespace facula {
namespace {

using gemm::Finish;
using gemm::Matrix;

constexpr Index kItem = sizeof(float);

bool is_usable(const Array& x) {
  if (x.type() != Type::float32) return false;
  for (int dim = 0; dim < x.dims(); ++dim) {
    if (x.stride(dim) % kItem != 0) return false;
  }
  return true;
}

// The matrix of the last two dimensions.
Matrix matrix_of(const Array& x, bool transposed = false) {
  const Index row = x.stride(-2) / kItem;
  const Index column = x.stride(-1) / kItem;
  return transposed ? Matrix{x.data<float>(), column, row} : Matrix{x.data<float>(), row, column};
}

PyObject* out_of_memory() { return PyErr_NoMemory(); }

PyObject* two_matrices(PyObject* const* args, Py_ssize_t count, bool left_transposed, bool right_transposed) {
  if (count != 2 || !is_array(args[0]) || !is_array(args[1])) return declined();
  const Array x(args[0]);
  const Array y(args[1]);
  if (x.dims() != 2 || y.dims() != 2 || !is_usable(x) || !is_usable(y)) return declined();
  const Index m = x.shape(left_transposed ? 1 : 0);
  const Index k = x.shape(left_transposed ? 0 : 1);
  const Index n = y.shape(right_transposed ? 0 : 1);
  if (y.shape(right_transposed ? 1 : 0) != k) return declined();  // NumPy has the words for it
  const npy_intp shape[2] = {m, n};
  Array result = Array::empty(2, shape, Type::float32);
  if (!result) return nullptr;
  const Matrix a = matrix_of(x, left_transposed);
  const Matrix b = matrix_of(y, right_transposed);
  bool done = false;
  {
    WithoutGil unlocked(m * n * k > 32768);
    done = gemm::product(m, n, k, a, b, result.data<float>(), n, Finish{});
  }
  return done ? result.release() : out_of_memory();
}

// Whether the leading dimensions of `x` may be folded into the rows of its last matrix, and how far these rows are apart.
bool folds(const Array& x, Index& rows, Index& row_stride) {
  rows = 1;
  row_stride = x.stride(-2) / kItem;
  Index expected = 0;
  for (int dim = x.dims() - 2; dim >= 0; --dim) {
    if (x.shape(dim) == 1) continue;
    if (rows == 1) {
      row_stride = x.stride(dim) / kItem;
    } else if (x.stride(dim) != expected) {
      return false;
    }
    expected = x.stride(dim) * x.shape(dim);
    rows *= x.shape(dim);
  }
  return true;
}

}  // namespace

KERNEL(mm, "mm(x, other): the product of two matrices") { return two_matrices(args, count, false, false); }

KERNEL(mm_nt, "mm_nt(x, other): x times the transpose of other") { return two_matrices(args, count, false, true); }

KERNEL(mm_tn, "mm_tn(x, other): the transpose of x times other") { return two_matrices(args, count, true, false); }

KERNEL(linear, "linear(x, weight, bias): x times the transpose of weight, plus bias or None") {
  if (count != 3 || !is_array(args[0]) || !is_array(args[1]) || !is_array_or_none(args[2])) return declined();
  const Array x(args[0]);
  const Array weight(args[1]);
  if (!is_usable(x) || !is_usable(weight) || weight.dims() != 2 || x.dims() < 1) return declined();
  Finish finish;
  if (args[2] != Py_None) {
    const Array bias(args[2]);
    if (bias.dims() != 1 || !is_usable(bias) || !bias.contiguous() || bias.shape(0) != weight.shape(0)) return declined();
    finish.of_column = bias.data<float>();
  }
  const Index k = weight.shape(1);
  const Index n = weight.shape(0);
  Index m = 1;
  Index row = 0;
  if (x.shape(-1) != k) return declined();
  if (x.dims() > 1 && !folds(x, m, row)) {
    // Rows that are not equally far apart, as in a transposed batch: a copy of them is little beside the product.
    PyObject* const copy = PyArray_NewCopy(reinterpret_cast<PyArrayObject*>(args[0]), NPY_CORDER);
    if (copy == nullptr) return nullptr;
    PyObject* const again[3] = {copy, args[1], args[2]};
    PyObject* const result = linear_kernel(module, again, 3);
    Py_DECREF(copy);
    return result;
  }
  npy_intp shape[NPY_MAXDIMS];
  std::copy(x.shape(), x.shape() + x.dims(), shape);
  shape[x.dims() - 1] = n;
  Array result = Array::empty(x.dims(), shape, Type::float32);
  if (!result) return nullptr;
  const Matrix a = {x.data<float>(), row, x.stride(-1) / kItem};
  const Matrix b = matrix_of(weight, true);
  bool done = false;
  {
    WithoutGil unlocked(m * n * k > 32768);
    done = gemm::product(m, n, k, a, b, result.data<float>(), n, finish);
  }
  return done ? result.release() : out_of_memory();
}

KERNEL(matvec, "matvec(x, other): a matrix times a vector, or a vector times a matrix, or two vectors' dot product") {
  if (count != 2 || !is_array(args[0]) || !is_array(args[1])) return declined();
  const Array x(args[0]);
  const Array y(args[1]);
  if (x.dims() < 1 || y.dims() < 1 || x.dims() > 2 || y.dims() > 2 || x.dims() + y.dims() > 3) return declined();
  if (!is_usable(x) || !is_usable(y)) return declined();
  const Index m = x.dims() == 2 ? x.shape(0) : 1;
  const Index k = x.shape(-1);
  const Index n = y.dims() == 2 ? y.shape(1) : 1;
  if (y.shape(0) != k) return declined();
  const npy_intp shape[1] = {x.dims() == 2 ? m : n};
  Array result = Array::empty(x.dims() + y.dims() - 2, shape, Type::float32);
  if (!result) return nullptr;
  const Matrix a = x.dims() == 2 ? matrix_of(x) : Matrix{x.data<float>(), 1, x.stride(0) / kItem};
  const Matrix b = y.dims() == 2 ? matrix_of(y) : Matrix{y.data<float>(), y.stride(0) / kItem, 1};
  bool done = false;
  {
    WithoutGil unlocked(m * n * k > 32768);
    done = gemm::product(m, n, k, a, b, result.data<float>(), n, Finish{});
  }
  return done ? result.release() : out_of_memory();
}

KERNEL(matmul, "matmul(x, other): products of the last two dimensions, those before broadcast") {
  if (count != 2 || !is_array(args[0]) || !is_array(args[1])) return declined();
  const Array x(args[0]);
  const Array y(args[1]);
  if (x.dims() < 2 || y.dims() < 2 || !is_usable(x) || !is_usable(y)) return declined();
  const Index m = x.shape(-2);
  const Index k = x.shape(-1);
  const Index n = y.shape(-1);
  if (y.shape(-2) != k) return declined();
  const int dims = std::max(x.dims(), y.dims());
  const int batch_dims = dims - 2;
  npy_intp shape[NPY_MAXDIMS];
  Index left_step[NPY_MAXDIMS];
  Index right_step[NPY_MAXDIMS];
  Index batches = 1;
  for (int dim = 0; dim < batch_dims; ++dim) {
    const int in_x = dim - (dims - x.dims());
    const int in_y = dim - (dims - y.dims());
    const Index of_x = in_x < 0 ? 1 : x.shape(in_x);
    const Index of_y = in_y < 0 ? 1 : y.shape(in_y);
    if (of_x != of_y && of_x != 1 && of_y != 1) return declined();
    shape[dim] = of_x == 1 ? of_y : of_x;
    left_step[dim] = of_x == 1 ? 0 : x.stride(in_x) / kItem;
    right_step[dim] = of_y == 1 ? 0 : y.stride(in_y) / kItem;
    batches *= shape[dim];
  }
  shape[dims - 2] = m;
  shape[dims - 1] = n;
  Array result = Array::empty(dims, shape, Type::float32);
  if (!result) return nullptr;
  float* to = result.data<float>();
  Matrix a = matrix_of(x);
  const Matrix b = matrix_of(y);
  bool done = true;
  {
    WithoutGil released(batches * m * n * k > 32768);
    Index rows = 0;
    Index row = 0;
    if (y.dims() == 2 && folds(x, rows, row)) {
      a.row = row;
      done = gemm::product(rows, n, k, a, b, to, n, Finish{});
    } else {
      const auto one = [&](Index batch) {
        Index left = 0;
        Index right = 0;
        Index rest = batch;
        for (int dim = batch_dims - 1; dim >= 0; --dim) {
          const Index at = rest % shape[dim];
          rest /= shape[dim];
          left += at * left_step[dim];
          right += at * right_step[dim];
        }
        const bool fine = gemm::product(m, n, k, {a.data + left, a.row, a.column}, {b.data + right, b.row, b.column},
                                        to + batch * m * n, n, Finish{});
        if (!fine) done = false;
      };
      if (batches >= threads() && batches * m * n * k > 100000) {
        parallel_tasks(batches, one);
      } else {
        for (Index batch = 0; batch < batches; ++batch) one(batch);
      }
    }
  }
  return done ? result.release() : out_of_memory();
}

}  // namespace facula
