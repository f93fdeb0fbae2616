// NumPy arrays as kernels see them: what they are, their memory, and new ones.
//
// Every kernel file includes this first. A kernel takes only what it does well and declines the rest, for which the
// array code of the primitive is there:
//
//     KERNEL(relu, "relu(x): the larger of each element and 0") {
//         if (count != 1 || !is_array(args[0])) return declined();
//         Array x(args[0]);
//         if (x.type() != Type::float32 || !x.contiguous()) return declined();
//         Array y = Array::like(x);
//         if (!y) return nullptr;
//         ...
//         return y.release();
//     }
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL facula_numpy_api
#ifndef FACULA_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <cstdint>
#include <cstring>

namespace facula {

using Index = int64_t;

enum class Type { float32, float64, float16, bfloat16, int64, int32, int16, int8, uint8, boolean, complex64, complex128, other };

// The number NumPy gave to ml_dtypes' bfloat16 when it was registered; -1 where there is none.
extern int bfloat16_number;

inline Type type_of_number(int number) {
  switch (number) {
    case NPY_FLOAT: return Type::float32;
    case NPY_DOUBLE: return Type::float64;
    case NPY_HALF: return Type::float16;
    case NPY_BYTE: return Type::int8;
    case NPY_SHORT: return Type::int16;
    case NPY_INT: return Type::int32;
    case NPY_UBYTE: return Type::uint8;
    case NPY_BOOL: return Type::boolean;
    case NPY_CFLOAT: return Type::complex64;
    case NPY_CDOUBLE: return Type::complex128;
    default: break;
  }
  if (number == NPY_INT64) return Type::int64;
  if (number == NPY_LONG) return sizeof(long) == 8 ? Type::int64 : Type::int32;
  if (number == bfloat16_number) return Type::bfloat16;
  return Type::other;
}

// Whether an object is exactly a NumPy array, aligned and in this machine's byte order.
inline bool is_array(PyObject* object) {
  return Py_TYPE(object) == &PyArray_Type && PyArray_ISBEHAVED_RO(reinterpret_cast<PyArrayObject*>(object));
}

// What a kernel returns for what it does not do.
inline PyObject* declined() {
  Py_RETURN_NOTIMPLEMENTED;
}

// An array: borrowed from the caller, or new and owned here until `release`.
class Array {
 public:
  explicit Array(PyObject* object, bool owned = false) : array_(reinterpret_cast<PyArrayObject*>(object)), owned_(owned) {}
  Array(Array&& other) noexcept : array_(other.array_), owned_(other.owned_) {
    other.array_ = nullptr;
    other.owned_ = false;
  }
  Array& operator=(Array&& other) noexcept {
    if (this != &other) {
      if (owned_) Py_XDECREF(reinterpret_cast<PyObject*>(array_));
      array_ = other.array_;
      owned_ = other.owned_;
      other.array_ = nullptr;
      other.owned_ = false;
    }
    return *this;
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() {
    if (owned_) Py_XDECREF(reinterpret_cast<PyObject*>(array_));
  }

  // A new array without values, in C order or by columns; empty (false) with a Python error set where memory is short.
  static Array empty(int dims, const npy_intp* shape, Type type, bool by_columns = false) {
    const int flags = by_columns ? NPY_ARRAY_F_CONTIGUOUS : 0;
    return Array(reinterpret_cast<PyArrayObject*>(
        PyArray_NewFromDescr(&PyArray_Type, descriptor(type), dims, shape, nullptr, nullptr, flags, nullptr)));
  }
  static Array like(const Array& other) { return empty(other.dims(), other.shape(), other.type()); }
  static Array like(const Array& other, Type type) { return empty(other.dims(), other.shape(), type); }

  explicit operator bool() const { return array_ != nullptr; }
  PyObject* object() const { return reinterpret_cast<PyObject*>(array_); }
  // Hand the array to the caller, as a kernel's result.
  PyObject* release() {
    owned_ = false;
    return reinterpret_cast<PyObject*>(array_);
  }

  Type type() const { return type_of_number(PyArray_TYPE(array_)); }
  int dims() const { return PyArray_NDIM(array_); }
  const npy_intp* shape() const { return PyArray_DIMS(array_); }
  Index shape(int dim) const { return PyArray_DIM(array_, dim < 0 ? dim + dims() : dim); }
  // In bytes.
  const npy_intp* strides() const { return PyArray_STRIDES(array_); }
  Index stride(int dim) const { return PyArray_STRIDE(array_, dim < 0 ? dim + dims() : dim); }
  Index size() const { return PyArray_SIZE(array_); }
  Index item_bytes() const { return PyArray_ITEMSIZE(array_); }
  // Whether the elements lie one after the other in C order.
  bool contiguous() const { return PyArray_IS_C_CONTIGUOUS(array_); }
  bool same_shape(const Array& other) const {
    return dims() == other.dims() && std::memcmp(shape(), other.shape(), sizeof(npy_intp) * dims()) == 0;
  }

  template <class T>
  T* data() const {
    return static_cast<T*>(PyArray_DATA(array_));
  }

 private:
  explicit Array(PyArrayObject* made) : array_(made), owned_(true) {}

  static PyArray_Descr* descriptor(Type type) {
    switch (type) {
      case Type::float32: return PyArray_DescrFromType(NPY_FLOAT);
      case Type::float64: return PyArray_DescrFromType(NPY_DOUBLE);
      case Type::float16: return PyArray_DescrFromType(NPY_HALF);
      case Type::bfloat16: return PyArray_DescrFromType(bfloat16_number);
      case Type::int64: return PyArray_DescrFromType(NPY_INT64);
      case Type::int32: return PyArray_DescrFromType(NPY_INT32);
      case Type::int16: return PyArray_DescrFromType(NPY_INT16);
      case Type::int8: return PyArray_DescrFromType(NPY_INT8);
      case Type::uint8: return PyArray_DescrFromType(NPY_UINT8);
      case Type::boolean: return PyArray_DescrFromType(NPY_BOOL);
      case Type::complex64: return PyArray_DescrFromType(NPY_CFLOAT);
      case Type::complex128: return PyArray_DescrFromType(NPY_CDOUBLE);
      case Type::other: break;
    }
    return nullptr;
  }

  PyArrayObject* array_;
  bool owned_ = false;
};

// An array argument that may be None.
inline bool is_array_or_none(PyObject* object) { return object == Py_None || is_array(object); }

// Lets other Python threads run while a kernel works; make one where the work is longer than some microseconds.
class WithoutGil {
 public:
  explicit WithoutGil(bool release = true) : saved_(release ? PyEval_SaveThread() : nullptr) {}
  ~WithoutGil() {
    if (saved_ != nullptr) PyEval_RestoreThread(saved_);
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* saved_;
};

// Adds a function to the module of kernels; `KERNEL` below makes these.
struct Registration {
  Registration(const char* name, PyCFunction function, const char* doc);
};

// Calls `body` with a 0 of an unsigned type of as many bytes; false where there is none.
template <class Function>
static inline bool with_bytes(Index bytes, const Function& body) {
  switch (bytes) {
    case 1: body(uint8_t{}); return true;
    case 2: body(uint16_t{}); return true;
    case 4: body(uint32_t{}); return true;
    case 8: body(uint64_t{}); return true;
    default: return false;
  }
}

}  // namespace facula

#define KERNEL(name, doc)                                                                       \
  static PyObject* name##_kernel(PyObject* module, PyObject* const* args, Py_ssize_t count);    \
  static const facula::Registration name##_registration(                                        \
      #name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(name##_kernel)), doc);  \
  static PyObject* name##_kernel(                                                               \
      [[maybe_unused]] PyObject* module, [[maybe_unused]] PyObject* const* args, [[maybe_unused]] Py_ssize_t count)
