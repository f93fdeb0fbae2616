// Matrix products of float32, float64, float16 and bfloat16: of two matrices, with either transposed, of batches, and of layers
// with a bias. Sums of numbers of 16 bits are float32.
#include "array.h"
#include "gemm.h"
#include "tiles.h"

namespace facula {
namespace {

// A matrix of any type in memory: how far its rows and its columns are apart, in elements.
struct View {
  const char* data;
  Index row;
  Index column;
};

Index item(const Array& x) { return x.type() == Type::float64 ? 8 : x.type() == Type::float32 ? 4 : 2; }

bool is_usable(const Array& x) {
  switch (x.type()) {
    case Type::float64:
    case Type::float32:
    case Type::float16:
    case Type::bfloat16: break;
    default: return false;
  }
  for (int dim = 0; dim < x.dims(); ++dim) {
    if (x.stride(dim) % item(x) != 0) return false;
  }
  return true;
}

bool are_usable(const Array& x, const Array& y) { return x.type() == y.type() && is_usable(x) && is_usable(y); }

// The matrix of the last two dimensions.
View view_of(const Array& x, bool transposed = false) {
  const Index row = x.stride(-2) / item(x);
  const Index column = x.stride(-1) / item(x);
  return transposed ? View{x.data<char>(), column, row} : View{x.data<char>(), row, column};
}

// C (m x n, in one piece) = A B plus a number for each column, or null. False where memory is short.
using Product = bool (*)(Index m, Index n, Index k, const View& a, const View& b, const char* bias, char* c);

template <class T>
bool of_whole(Index m, Index n, Index k, const View& a, const View& b, const char* bias, char* c) {
  gemm::FinishOf<T> finish;
  finish.of_column = reinterpret_cast<const T*>(bias);
  const gemm::MatrixOf<T> left = {reinterpret_cast<const T*>(a.data), a.row, a.column};
  const gemm::MatrixOf<T> right = {reinterpret_cast<const T*>(b.data), b.row, b.column};
  return gemm::product(m, n, k, left, right, reinterpret_cast<T*>(c), n, finish);
}

template <class Kind>
bool of_few_rows(Index m, Index n, Index k, const View& a, const View& b, const char* bias, char* c) {
  return gemm::multiply_few_rows_of<Kind>(m, n, k, reinterpret_cast<const uint16_t*>(a.data), a.row, a.column,
                                          reinterpret_cast<const uint16_t*>(b.data), b.column,
                                          reinterpret_cast<const uint16_t*>(bias), reinterpret_cast<uint16_t*>(c));
}

bool by_tiles(Index m, Index n, Index k, const View& a, const View& b, const char* bias, char* c) {
  return tiles::product(m, n, k, {reinterpret_cast<const uint16_t*>(a.data), a.row, a.column},
                        {reinterpret_cast<const uint16_t*>(b.data), b.row, b.column}, reinterpret_cast<const uint16_t*>(bias),
                        reinterpret_cast<uint16_t*>(c));
}

// The way to multiply numbers of this type; null where they are better multiplied as float32, or by NumPy.
Product product_of(Type type, Index m, Index n, const View& b) {
  if (type == Type::float32) return of_whole<float>;
  // NumPy reads a matrix once for a few rows or columns, too.
  if (type == Type::float64) return m > gemm::kFewRows && n > gemm::kFewRows ? of_whole<double> : nullptr;
  const bool few = m <= gemm::kFewRows && b.row == 1;
  if (type == Type::bfloat16) return few ? of_few_rows<BrainHalves> : tiles::are_there() ? by_tiles : nullptr;
#if defined(__F16C__)
  if (few) return of_few_rows<IeeeHalves>;
#endif
  return nullptr;
}

// The product, unless nothing is to be computed.
bool multiply(Product product, Index m, Index n, Index k, const View& a, const View& b, const char* bias, char* c) {
  return m == 0 || n == 0 || product(m, n, k, a, b, bias, c);
}

PyObject* out_of_memory() { return PyErr_NoMemory(); }

PyObject* two_matrices(PyObject* const* args, Py_ssize_t count, bool left_transposed, bool right_transposed) {
  if (count != 2 || !is_array(args[0]) || !is_array(args[1])) return declined();
  const Array x(args[0]);
  const Array y(args[1]);
  if (x.dims() != 2 || y.dims() != 2 || !are_usable(x, y)) return declined();
  const Index m = x.shape(left_transposed ? 1 : 0);
  const Index k = x.shape(left_transposed ? 0 : 1);
  const Index n = y.shape(right_transposed ? 0 : 1);
  if (y.shape(right_transposed ? 1 : 0) != k) return declined();  // NumPy has the words for it
  const View a = view_of(x, left_transposed);
  const View b = view_of(y, right_transposed);
  const Product product = product_of(x.type(), m, n, b);
  if (product == nullptr) return declined();
  const npy_intp shape[2] = {m, n};
  Array result = Array::empty(2, shape, x.type());
  if (!result) return nullptr;
  bool done = false;
  {
    WithoutGil unlocked(m * n * k > 32768);
    done = multiply(product, m, n, k, a, b, nullptr, result.data<char>());
  }
  return done ? result.release() : out_of_memory();
}

// Whether the leading dimensions of `x` may be folded into the rows of its last matrix, and how far these rows are apart.
bool folds(const Array& x, Index& rows, Index& row_stride) {
  rows = 1;
  row_stride = x.stride(-2) / item(x);
  Index expected = 0;
  for (int dim = x.dims() - 2; dim >= 0; --dim) {
    if (x.shape(dim) == 1) continue;
    if (rows == 1) {
      row_stride = x.stride(dim) / item(x);
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
  if (!are_usable(x, weight) || weight.dims() != 2 || x.dims() < 1) return declined();
  const char* added = nullptr;
  if (args[2] != Py_None) {
    const Array bias(args[2]);
    if (bias.dims() != 1 || !are_usable(x, bias) || !bias.contiguous() || bias.shape(0) != weight.shape(0)) return declined();
    added = bias.data<char>();
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
  const View a = {x.data<char>(), row, x.stride(-1) / item(x)};
  const View b = view_of(weight, true);
  const Product product = product_of(x.type(), m, n, b);
  if (product == nullptr) return declined();
  Array result = Array::empty(x.dims(), shape, x.type());
  if (!result) return nullptr;
  bool done = false;
  {
    WithoutGil unlocked(m * n * k > 32768);
    done = multiply(product, m, n, k, a, b, added, result.data<char>());
  }
  return done ? result.release() : out_of_memory();
}

KERNEL(matvec, "matvec(x, other): a matrix times a vector, or a vector times a matrix, or two vectors' dot product") {
  if (count != 2 || !is_array(args[0]) || !is_array(args[1])) return declined();
  const Array x(args[0]);
  const Array y(args[1]);
  if (x.dims() < 1 || y.dims() < 1 || x.dims() > 2 || y.dims() > 2 || x.dims() + y.dims() > 3) return declined();
  if (!are_usable(x, y)) return declined();
  const Index m = x.dims() == 2 ? x.shape(0) : 1;
  const Index k = x.shape(-1);
  const Index n = y.dims() == 2 ? y.shape(1) : 1;
  if (y.shape(0) != k) return declined();
  View a = x.dims() == 2 ? view_of(x) : View{x.data<char>(), 1, x.stride(0) / item(x)};
  View b = y.dims() == 2 ? view_of(y) : View{y.data<char>(), y.stride(0) / item(x), 1};
  Index rows = m;
  Index columns = n;
  if (x.type() != Type::float32 && n == 1) {
    // The vector taken for a row: the matrix is read as it lies.
    const View turned = {a.data, a.column, a.row};
    a = {b.data, b.column, b.row};
    b = turned;
    std::swap(rows, columns);
  }
  const Product product = product_of(x.type(), rows, columns, b);
  if (product == nullptr) return declined();
  const npy_intp shape[1] = {x.dims() == 2 ? m : n};
  Array result = Array::empty(x.dims() + y.dims() - 2, shape, x.type());
  if (!result) return nullptr;
  bool done = false;
  {
    WithoutGil unlocked(m * n * k > 32768);
    done = multiply(product, rows, columns, k, a, b, nullptr, result.data<char>());
  }
  return done ? result.release() : out_of_memory();
}

KERNEL(matmul, "matmul(x, other): products of the last two dimensions, those before broadcast") {
  if (count != 2 || !is_array(args[0]) || !is_array(args[1])) return declined();
  const Array x(args[0]);
  const Array y(args[1]);
  if (x.dims() < 2 || y.dims() < 2 || !are_usable(x, y)) return declined();
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
    left_step[dim] = of_x == 1 ? 0 : x.stride(in_x) / item(x);
    right_step[dim] = of_y == 1 ? 0 : y.stride(in_y) / item(x);
    batches *= shape[dim];
  }
  shape[dims - 2] = m;
  shape[dims - 1] = n;
  View a = view_of(x);
  const View b = view_of(y);
  Index rows = 0;
  Index row = 0;
  const bool one_matrix = y.dims() == 2 && folds(x, rows, row);
  // Many small matrices of float64 would cost NumPy a call each.
  const bool doubles = x.type() == Type::float64 && !one_matrix && batches > 1;
  const Product product = doubles ? of_whole<double> : product_of(x.type(), one_matrix ? rows : m, n, b);
  if (product == nullptr) return declined();
  Array result = Array::empty(dims, shape, x.type());
  if (!result) return nullptr;
  char* to = result.data<char>();
  const Index size = item(x);
  bool done = true;
  {
    WithoutGil released(batches * m * n * k > 32768);
    if (one_matrix) {
      a.row = row;
      done = multiply(product, rows, n, k, a, b, nullptr, to);
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
        const bool fine = multiply(product, m, n, k, {a.data + left * size, a.row, a.column},
                                   {b.data + right * size, b.row, b.column}, nullptr, to + batch * m * n * size);
        if (!fine) done = false;
      };
      if (batches >= threads() && batches * m * n * k > 100000) {
        // Neighbours on one thread, which then reads on where it is, and a few parts for each, so that none waits long.
        const Index parts = std::min<Index>(batches, 4 * threads());
        parallel_tasks(parts, [&](Index part) {
          for (Index batch = batches * part / parts; batch < batches * (part + 1) / parts; ++batch) one(batch);
        });
      } else {
        for (Index batch = 0; batch < batches; ++batch) one(batch);
      }
    }
  }
  return done ? result.release() : out_of_memory();
}

}  // namespace facula
