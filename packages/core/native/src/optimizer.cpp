// Steps of optimizers in place, one pass over each parameter, and the norm of a gradient.
#include <cmath>

#include "array.h"
#include "map.h"
#include "parallel.h"
#include "vector.h"

namespace facula {
namespace {

// Whether all are float32 in C order of one shape, and all but the second may be written to.
bool are_alike(PyObject* const* arrays, Py_ssize_t count) {
  for (Py_ssize_t at = 0; at < count; ++at) {
    if (!is_array(arrays[at])) return false;
    const Array x(arrays[at]);
    if (x.type() != Type::float32 || !x.contiguous() || !x.same_shape(Array(arrays[0]))) return false;
    if (at != 1 && !PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(arrays[at]))) return false;
  }
  return true;
}

bool read_numbers(PyObject* const* args, int count, float* to) {
  for (int at = 0; at < count; ++at) to[at] = static_cast<float>(PyFloat_AsDouble(args[at]));
  return !PyErr_Occurred();
}

float* memory(PyObject* array) { return Array(array).data<float>(); }

}  // namespace

KERNEL(sgd_step,
       "sgd_step(param, grad, running or None, rate, momentum, dampening, decay, nesterov): in place; running is there already") {
  const bool with_momentum = count == 8 && args[2] != Py_None;
  if (count != 8 || !are_alike(args, with_momentum ? 3 : 2)) return declined();
  float n[4];
  if (!read_numbers(args + 3, 4, n)) return nullptr;
  const float rate = n[0], momentum = n[1], share = 1.0f - n[2], decay = n[3];
  const bool nesterov = PyObject_IsTrue(args[7]) == 1;
  float* param = memory(args[0]);
  const float* grad = memory(args[1]);
  float* running = with_momentum ? memory(args[2]) : nullptr;
  for_vectors(Array(args[0]).size(), [&](Index i, Index some) {
    const Floats value = load_some(param + i, some);
    Floats slope = load_some(grad + i, some) + decay * value;
    if (with_momentum) {
      const Floats sum = momentum * load_some(running + i, some) + share * slope;
      store_some(running + i, sum, some);
      slope = nesterov ? slope + momentum * sum : sum;
    }
    store_some(param + i, value - rate * slope, some);
  });
  Py_RETURN_NONE;
}

KERNEL(adam_step,
       "adam_step(param, grad, mean, square, rate, beta1, beta2, eps, decay, decoupled, bias1, bias2): in place; the biases "
       "are 1 - beta ** step") {
  if (count != 12 || !are_alike(args, 4)) return declined();
  float n[5];
  float bias[2];
  if (!read_numbers(args + 4, 5, n) || !read_numbers(args + 10, 2, bias)) return nullptr;
  const float rate = n[0], keep1 = n[1], keep2 = n[2], eps = n[3], decay = n[4];
  const bool decoupled = PyObject_IsTrue(args[9]) == 1;
  const float shrink = decoupled ? 1.0f - rate * decay : 1.0f;
  const float in_gradient = decoupled ? 0.0f : decay;
  const float step = rate / bias[0];
  const float root = 1.0f / std::sqrt(bias[1]);
  float* param = memory(args[0]);
  const float* grad = memory(args[1]);
  float* mean = memory(args[2]);
  float* square = memory(args[3]);
  for_vectors(Array(args[0]).size(), [&](Index i, Index some) {
    const Floats value = shrink * load_some(param + i, some);
    const Floats slope = load_some(grad + i, some) + in_gradient * value;
    Floats first = load_some(mean + i, some);
    first = first + (slope - first) * (1.0f - keep1);
    const Floats second = keep2 * load_some(square + i, some) + (1.0f - keep2) * (slope * slope);
    store_some(mean + i, first, some);
    store_some(square + i, second, some);
    Floats size;
    for (int lane = 0; lane < kLanes; ++lane) size[lane] = std::sqrt(second[lane]);
    store_some(param + i, value - step * first / (size * root + eps), some);
  });
  Py_RETURN_NONE;
}

}  // namespace facula
