// Fourier transforms: complex ones along any dimensions, those of real numbers along the last one, and back to real numbers.
#include <atomic>

#include "fourier_arrays.h"
#include "rows.h"

namespace facula {
namespace {

// Whether elements of the last dimension lie side by side, and rows at multiples of their size.
bool has_plain_rows(const Array& x) {
  return x.dims() >= 1 && x.size() > 0 && (x.shape(-1) == 1 || x.stride(-1) == x.item_bytes());
}

// The shape of an array with another last length.
void copy_shape(const Array& x, Index last, npy_intp* shape) {
  std::copy(x.shape(), x.shape() + x.dims(), shape);
  shape[x.dims() - 1] = last;
}

bool read_scale(PyObject* object, double* scale) {
  if (!PyFloat_Check(object)) return false;
  *scale = PyFloat_AS_DOUBLE(object);
  return true;
}

// Which of the dimensions of an array a tuple names; false where it is none, or they cannot be transformed here.
struct Axes {
  bool wanted[NPY_MAXDIMS] = {};
  Way last = Way::not_here;
};
template <class T>
bool read_axes(PyObject* object, const Array& x, Axes* axes) {
  if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) == 0) return false;
  for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(object); ++at) {
    Index axis;
    if (!read_dim(PyTuple_GET_ITEM(object, at), x, &axis)) return false;
    axes->wanted[axis] = true;
    const Index length = x.shape(static_cast<int>(axis));
    if (axis == x.dims() - 1) {
      axes->last = way_of<T>(length, x.size() / length);
      if (axes->last == Way::not_here) return false;
    } else if (length > 4 * kLongest || !has_passes(length)) {
      return false;
    }
  }
  return true;
}

// Transforms along dimensions, the last first; where the last two are among them, both of one plane after the other, while
// it is in the cache.
template <class T, bool inverse>
bool transform(const Array& x, const Axes& axes, Array& y, T scale) {
  using Of = Transform<T>;
  const int dims = x.dims(), last = dims - 1;
  const T* source = x.data<T>();
  T* to = y.data<T>();
  int next = last;
  if (axes.wanted[last]) {
    const Index columns = x.shape(last);
    next = last - 1;
    const Index rows = dims > 1 ? x.shape(next) : 1, plane = 2 * rows * columns, planes = x.size() / (rows * columns);
    if (dims > 1 && axes.wanted[next] && planes > 1 && axes.last != Way::as_matrix && x.contiguous()) {
      std::atomic<bool> done{true};
      parallel_for(planes, std::max<Index>(1, 8192 / plane), [&](Index begin, Index end) {
        for (Index at = begin; at < end; ++at) {
          if (!Of::template complex_rows<inverse>(Rows(source + at * plane, rows, columns), columns, to + at * plane, scale, axes.last)) {
            done = false;
          }
          Of::template complex_columns<inverse>(to + at * plane, 1, rows, columns, to + at * plane, T(1));
        }
      });
      if (!done) return false;
      --next;
    } else if (!Of::template complex_rows<inverse>(Rows(x), columns, to, scale, axes.last)) {
      return false;
    }
    source = to;
    scale = 1;
  }
  for (int axis = next; axis >= 0; --axis) {
    if (!axes.wanted[axis]) continue;
    const Along shape = along(x, axis);
    Of::template complex_columns<inverse>(source, shape.outer, shape.length, shape.inner, to, scale);
    source = to;
    scale = 1;
  }
  return true;
}

template <class T>
PyObject* transformed(PyObject* const* args) {
  const bool inverse = args[1] == Py_True;
  const Array given(args[0]);
  Axes axes;
  double scale;
  if (!read_axes<T>(args[2], given, &axes) || !read_scale(args[3], &scale)) return declined();
  const bool only_last = axes.wanted[given.dims() - 1] && PyTuple_GET_SIZE(args[2]) == 1;
  const bool plain = only_last ? has_plain_rows(given) : given.contiguous();
  if (!plain) {
    const Dense copied(args[0]);
    if (!copied) return nullptr;
    PyObject* again[] = {copied->object(), args[1], args[2], args[3]};
    return transformed<T>(again);
  }
  Array y = Array::like(given);
  if (!y) return nullptr;
  bool done;
  {
    WithoutGil unlocked(given.size() > 4096);
    done = (inverse ? transform<T, true> : transform<T, false>)(given, axes, y, static_cast<T>(scale));
  }
  return done ? y.release() : PyErr_NoMemory();
}

template <class T>
PyObject* transformed_real(const Array& x, const T* window, double scale) {
  const Index n = x.shape(-1);
  const Way way = way_of_real<T>(n, x.size() / n);
  if (way == Way::not_here) return declined();
  npy_intp shape[NPY_MAXDIMS];
  copy_shape(x, n / 2 + 1, shape);
  Array y = Array::empty(x.dims(), shape, sizeof(T) == 8 ? Type::complex128 : Type::complex64);
  if (!y) return nullptr;
  bool done;
  {
    WithoutGil unlocked(x.size() > 4096);
    done = Transform<T>::real_rows(Rows(x), n, window, y.data<T>(), static_cast<T>(scale), way);
  }
  return done ? y.release() : PyErr_NoMemory();
}

template <class T>
PyObject* transformed_to_real(const Array& x, Index n, double scale) {
  const Way way = way_of_real<T>(n, x.size() / x.shape(-1));
  if (way == Way::not_here) return declined();
  npy_intp shape[NPY_MAXDIMS];
  copy_shape(x, n, shape);
  Array y = Array::empty(x.dims(), shape, sizeof(T) == 8 ? Type::float64 : Type::float32);
  if (!y) return nullptr;
  bool done;
  {
    WithoutGil unlocked(x.size() > 4096);
    done = Transform<T>::back_to_real_rows(Rows(x), n, y.data<T>(), static_cast<T>(scale), way);
  }
  return done ? y.release() : PyErr_NoMemory();
}

}  // namespace

KERNEL(fft, "fft(x, inverse, axes, scale): the transform of complex numbers along dimensions, times a number") {
  if (count != 4 || !is_array(args[0])) return declined();
  const Array x(args[0]);
  if (x.dims() < 1 || x.size() == 0) return declined();
  if (x.type() == Type::complex64) return transformed<float>(args);
  return x.type() == Type::complex128 ? transformed<double>(args) : declined();
}

KERNEL(rfft, "rfft(x, scale, window=None): half the transform of real numbers, times a window, along the last dimension") {
  double scale;
  if (count < 2 || count > 3 || !is_array(args[0]) || !read_scale(args[1], &scale)) return declined();
  const Array x(args[0]);
  const bool wide = x.type() == Type::float64;
  if ((!wide && x.type() != Type::float32) || !has_plain_rows(x)) return declined();
  const void* window = nullptr;
  if (count == 3) {
    if (!is_array(args[2])) return declined();
    const Array given(args[2]);
    if (given.type() != x.type() || given.dims() != 1 || given.size() != x.shape(-1) || !given.contiguous()) return declined();
    window = given.data<void>();
  }
  return wide ? transformed_real<double>(x, static_cast<const double*>(window), scale)
              : transformed_real<float>(x, static_cast<const float*>(window), scale);
}

KERNEL(irfft, "irfft(x, n, scale): n times the n real numbers whose transform along the last dimension starts as x, times scale") {
  double scale;
  if (count != 3 || !is_array(args[0]) || !PyLong_Check(args[1]) || !read_scale(args[2], &scale)) return declined();
  const Array x(args[0]);
  const bool wide = x.type() == Type::complex128;
  if ((!wide && x.type() != Type::complex64) || !has_plain_rows(x)) return declined();
  const Index n = PyLong_AsLongLong(args[1]);
  if (n < 1 || x.shape(-1) != n / 2 + 1) return declined();
  return wide ? transformed_to_real<double>(x, n, scale) : transformed_to_real<float>(x, n, scale);
}

}  // namespace facula
