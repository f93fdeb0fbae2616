// Convolutions of float32 in one to three dimensions, and the gradients of their data and weight: what is asked for.
#include "convolution.h"

namespace facula {
namespace convolution {
namespace {

bool read_numbers(PyObject* tuple, int dims, Index missing, Index* to) {
  if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != dims) return false;
  for (int dim = 0; dim < kDims; ++dim) to[dim] = missing;
  for (int dim = 0; dim < dims; ++dim) {
    to[kDims - dims + dim] = PyLong_AsLongLong(PyTuple_GET_ITEM(tuple, dim));
  }
  return !PyErr_Occurred();
}

void read_lengths(const Array& x, Index* to) {
  for (int dim = 0; dim < kDims; ++dim) to[dim] = 1;
  const int dims = x.dims() - 2;
  for (int dim = 0; dim < dims; ++dim) to[kDims - dims + dim] = x.shape(2 + dim);
}

// stride, padding, dilation, groups: the last four arguments of each kernel.
bool read_plan(PyObject* const* args, int dims, Shape& shape) {
  if (!read_numbers(args[0], dims, 1, shape.stride) || !read_numbers(args[1], dims, 0, shape.padding) ||
      !read_numbers(args[2], dims, 1, shape.dilation)) {
    return false;
  }
  shape.groups = PyLong_AsLongLong(args[3]);
  return !PyErr_Occurred() && shape.groups > 0;
}

bool is_usable(PyObject* object) {
  if (!is_array(object)) return false;
  const Array x(object);
  return x.type() == Type::float32 && x.contiguous() && x.dims() >= 3 && x.dims() <= 2 + kDims && x.size() > 0;
}

bool counts_fit(const Shape& shape) {
  for (int dim = 0; dim < kDims; ++dim) {
    if (shape.out[dim] <= 0) return false;
  }
  return shape.channels % shape.groups == 0 && shape.out_channels % shape.groups == 0;
}

Array like_image(const Array& model, Index batch, Index channels, const Index* lengths) {
  npy_intp shape[2 + kDims] = {batch, channels};
  const int dims = model.dims() - 2;
  for (int dim = 0; dim < dims; ++dim) shape[2 + dim] = lengths[kDims - dims + dim];
  return Array::empty(2 + dims, shape, Type::float32);
}

}  // namespace

}  // namespace convolution

using namespace convolution;

KERNEL(conv, "conv(x, weight, bias or None, stride, padding, dilation, groups): the convolution of (N, C, ...)") {
  if (count != 7 || !is_usable(args[0]) || !is_usable(args[1])) return declined();
  const Array x(args[0]);
  const Array weight(args[1]);
  if (x.dims() != weight.dims()) return declined();
  Shape shape = {};
  if (!read_plan(args + 3, x.dims() - 2, shape)) return PyErr_Occurred() ? nullptr : declined();
  shape.batch = x.shape(0);
  shape.channels = x.shape(1);
  shape.out_channels = weight.shape(0);
  read_lengths(x, shape.in);
  read_lengths(weight, shape.kernel);
  for (int dim = 0; dim < kDims; ++dim) {
    const Index room = shape.in[dim] + 2 * shape.padding[dim] - shape.dilation[dim] * (shape.kernel[dim] - 1) - 1;
    shape.out[dim] = room < 0 ? 0 : room / shape.stride[dim] + 1;
  }
  if (!counts_fit(shape) || weight.shape(1) != shape.group_channels()) return declined();
  const float* bias = nullptr;
  if (args[2] != Py_None) {
    if (!is_array(args[2])) return declined();
    const Array numbers(args[2]);
    if (numbers.type() != Type::float32 || !numbers.contiguous() || numbers.size() != shape.out_channels) return declined();
    bias = numbers.data<float>();
  }
  Array y = like_image(x, shape.batch, shape.out_channels, shape.out);
  if (!y) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    if (is_depthwise(shape)) {
      depthwise_forward(shape, x.data<float>(), weight.data<float>(), bias, y.data<float>());
    } else {
      done = forward(shape, x.data<float>(), weight.data<float>(), bias, y.data<float>());
    }
  }
  return done ? y.release() : PyErr_NoMemory();
}

KERNEL(conv_data, "conv_data(y, weight, shape, stride, padding, dilation, groups): the gradient of the data, of a shape") {
  if (count != 7 || !is_usable(args[0]) || !is_usable(args[1]) || !PyTuple_Check(args[2])) return declined();
  const Array y(args[0]);
  const Array weight(args[1]);
  if (y.dims() != weight.dims() || PyTuple_GET_SIZE(args[2]) != y.dims()) return declined();
  Shape shape = {};
  if (!read_plan(args + 3, y.dims() - 2, shape)) return PyErr_Occurred() ? nullptr : declined();
  shape.batch = y.shape(0);
  shape.out_channels = y.shape(1);
  shape.channels = PyLong_AsLongLong(PyTuple_GET_ITEM(args[2], 1));
  for (int dim = 0; dim < kDims; ++dim) shape.in[dim] = 1;
  for (int dim = 0; dim < y.dims() - 2; ++dim) {
    shape.in[kDims - (y.dims() - 2) + dim] = PyLong_AsLongLong(PyTuple_GET_ITEM(args[2], 2 + dim));
  }
  if (PyErr_Occurred()) return nullptr;
  read_lengths(y, shape.out);
  read_lengths(weight, shape.kernel);
  if (!counts_fit(shape) || weight.shape(0) != shape.out_channels || weight.shape(1) != shape.group_channels()) return declined();
  Array x = like_image(y, shape.batch, shape.channels, shape.in);
  if (!x) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    if (is_depthwise(shape)) {
      depthwise_data(shape, y.data<float>(), weight.data<float>(), x.data<float>());
    } else {
      done = data_gradient(shape, y.data<float>(), weight.data<float>(), x.data<float>());
    }
  }
  return done ? x.release() : PyErr_NoMemory();
}

KERNEL(conv_weight, "conv_weight(x, y, kernel, stride, padding, dilation, groups): the gradient of the weight") {
  if (count != 7 || !is_usable(args[0]) || !is_usable(args[1])) return declined();
  const Array x(args[0]);
  const Array y(args[1]);
  if (x.dims() != y.dims()) return declined();
  Shape shape = {};
  const int dims = x.dims() - 2;
  if (!read_plan(args + 3, dims, shape) || !read_numbers(args[2], dims, 1, shape.kernel)) {
    return PyErr_Occurred() ? nullptr : declined();
  }
  shape.batch = x.shape(0);
  shape.channels = x.shape(1);
  shape.out_channels = y.shape(1);
  read_lengths(x, shape.in);
  read_lengths(y, shape.out);
  if (!counts_fit(shape) || y.shape(0) != shape.batch) return declined();
  Array weight = like_image(x, shape.out_channels, shape.group_channels(), shape.kernel);
  if (!weight) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    if (is_depthwise(shape)) {
      depthwise_weight(shape, x.data<float>(), y.data<float>(), weight.data<float>());
    } else {
      done = weight_gradient(shape, x.data<float>(), y.data<float>(), weight.data<float>());
    }
  }
  return done ? weight.release() : PyErr_NoMemory();
}

}  // namespace facula
