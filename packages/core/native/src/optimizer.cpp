// Steps of optimizers in place, one pass over each parameter.
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

// What is missing from a number to one, rounded once: 1 - 0.999 computed in float32 would be wrong in its fifth digit.
float rest_of(PyObject* number) { return static_cast<float>(1.0 - PyFloat_AsDouble(number)); }

// The gradient with weight decay in it. Without decay, what is infinite has no part in it.
ALWAYS_INLINE Floats with_decay(Floats slope, float decay, Floats value) { return decay == 0.0f ? slope : slope + decay * value; }

float* memory(PyObject* array) { return Array(array).data<float>(); }

}  // namespace

KERNEL(sgd_step,
       "sgd_step(param, grad, running or None, rate, momentum, dampening, decay, nesterov): in place; running is there already") {
  const bool with_momentum = count == 8 && args[2] != Py_None;
  if (count != 8 || !are_alike(args, with_momentum ? 3 : 2)) return declined();
  float n[4];
  if (!read_numbers(args + 3, 4, n)) return nullptr;
  const float rate = n[0], momentum = n[1], share = rest_of(args[5]), decay = n[3];
  const bool nesterov = PyObject_IsTrue(args[7]) == 1;
  float* param = memory(args[0]);
  const float* grad = memory(args[1]);
  float* running = with_momentum ? memory(args[2]) : nullptr;
  for_vectors(Array(args[0]).size(), [&](Index i, Index some) {
    const Floats value = load_some(param + i, some);
    Floats slope = with_decay(load_some(grad + i, some), decay, value);
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
       "adam_step(param, grad, mean, square, largest or None, rate, beta1, beta2, eps, decay, decoupled, bias1, bias2): in place; "
       "the biases are 1 - beta ** step") {
  const bool keeps_largest = count == 13 && args[4] != Py_None;
  if (count != 13 || !are_alike(args, keeps_largest ? 5 : 4)) return declined();
  float n[5];
  float bias[2];
  if (!read_numbers(args + 5, 5, n) || !read_numbers(args + 11, 2, bias)) return nullptr;
  const float rate = n[0], keep2 = n[2], eps = n[3], decay = n[4];
  const bool decoupled = PyObject_IsTrue(args[10]) == 1;
  const double shrunk = decoupled ? PyFloat_AsDouble(args[5]) * PyFloat_AsDouble(args[9]) : 0.0;
  const float shrink = static_cast<float>(1.0 - shrunk), new1 = rest_of(args[6]), new2 = rest_of(args[7]);
  const float in_gradient = decoupled ? 0.0f : decay;
  const float step = rate / bias[0];
  const float root = 1.0f / std::sqrt(bias[1]);
  float* param = memory(args[0]);
  const float* grad = memory(args[1]);
  float* mean = memory(args[2]);
  float* square = memory(args[3]);
  float* largest = keeps_largest ? memory(args[4]) : nullptr;
  for_vectors(Array(args[0]).size(), [&](Index i, Index some) {
    const Floats value = shrink * load_some(param + i, some);
    const Floats slope = with_decay(load_some(grad + i, some), in_gradient, value);
    Floats first = load_some(mean + i, some);
    first = first + (slope - first) * new1;
    Floats second = keep2 * load_some(square + i, some) + new2 * (slope * slope);
    store_some(mean + i, first, some);
    store_some(square + i, second, some);
    if (keeps_largest) {
      // What is not a number stays, on either side.
      const Floats before = load_some(largest + i, some);
      second = (before > second) | (before != before) ? before : second;
      store_some(largest + i, second, some);
    }
    store_some(param + i, value - step * first / (square_root(second) * root + eps), some);
  });
  Py_RETURN_NONE;
}

KERNEL(rmsprop_step,
       "rmsprop_step(param, grad, square, running or None, mean or None, rate, alpha, eps, decay, momentum): in place") {
  if (count != 10) return declined();
  // The arrays that are there, one after the other.
  PyObject* arrays[5] = {args[0], args[1], args[2]};
  int number = 3;
  for (int at : {3, 4}) {
    if (args[at] != Py_None) arrays[number++] = args[at];
  }
  float n[5];
  if (!are_alike(arrays, number)) return declined();
  if (!read_numbers(args + 5, 5, n)) return nullptr;
  const float rate = n[0], alpha = n[1], rest = rest_of(args[6]), eps = n[2], decay = n[3], momentum = n[4];
  float* param = memory(args[0]);
  const float* grad = memory(args[1]);
  float* square = memory(args[2]);
  float* running = args[3] == Py_None ? nullptr : memory(args[3]);
  float* mean = args[4] == Py_None ? nullptr : memory(args[4]);
  for_vectors(Array(args[0]).size(), [&](Index i, Index some) {
    const Floats value = load_some(param + i, some);
    const Floats slope = with_decay(load_some(grad + i, some), decay, value);
    const Floats second = alpha * load_some(square + i, some) + rest * (slope * slope);
    store_some(square + i, second, some);
    Floats spread = second;
    if (mean != nullptr) {
      Floats first = load_some(mean + i, some);
      first = first + (slope - first) * rest;
      store_some(mean + i, first, some);
      spread = second - first * first;
    }
    Floats step = slope / (square_root(spread) + eps);
    if (running != nullptr) {
      step = momentum * load_some(running + i, some) + step;
      store_some(running + i, step, some);
    }
    store_some(param + i, value - rate * step, some);
  });
  Py_RETURN_NONE;
}

KERNEL(adagrad_step, "adagrad_step(param, grad, sum, rate, eps, decay): in place") {
  float n[3];
  if (count != 6 || !are_alike(args, 3)) return declined();
  if (!read_numbers(args + 3, 3, n)) return nullptr;
  const float rate = n[0], eps = n[1], decay = n[2];
  float* param = memory(args[0]);
  const float* grad = memory(args[1]);
  float* sum = memory(args[2]);
  for_vectors(Array(args[0]).size(), [&](Index i, Index some) {
    const Floats value = load_some(param + i, some);
    const Floats slope = with_decay(load_some(grad + i, some), decay, value);
    const Floats total = load_some(sum + i, some) + slope * slope;
    store_some(sum + i, total, some);
    store_some(param + i, value - rate * (slope / (square_root(total) + eps)), some);
  });
  Py_RETURN_NONE;
}

KERNEL(adadelta_step, "adadelta_step(param, grad, square, steps, rate, rho, eps, decay): in place") {
  float n[4];
  if (count != 8 || !are_alike(args, 4)) return declined();
  if (!read_numbers(args + 4, 4, n)) return nullptr;
  const float rate = n[0], rho = n[1], rest = rest_of(args[5]), eps = n[2], decay = n[3];
  float* param = memory(args[0]);
  const float* grad = memory(args[1]);
  float* square = memory(args[2]);
  float* steps = memory(args[3]);
  for_vectors(Array(args[0]).size(), [&](Index i, Index some) {
    const Floats value = load_some(param + i, some);
    const Floats slope = with_decay(load_some(grad + i, some), decay, value);
    const Floats second = rho * load_some(square + i, some) + rest * (slope * slope);
    const Floats before = load_some(steps + i, some);
    const Floats step = square_root(before + eps) / square_root(second + eps) * slope;
    store_some(square + i, second, some);
    store_some(steps + i, rho * before + rest * (step * step), some);
    store_some(param + i, value - rate * step, some);
  });
  Py_RETURN_NONE;
}

KERNEL(adamax_step, "adamax_step(param, grad, mean, largest, step, beta1, beta2, eps, decay): in place; step is the rate over its bias") {
  float n[5];
  if (count != 9 || !are_alike(args, 4)) return declined();
  if (!read_numbers(args + 4, 5, n)) return nullptr;
  const float step = n[0], new1 = rest_of(args[5]), keep2 = n[2], eps = n[3], decay = n[4];
  float* param = memory(args[0]);
  const float* grad = memory(args[1]);
  float* mean = memory(args[2]);
  float* largest = memory(args[3]);
  for_vectors(Array(args[0]).size(), [&](Index i, Index some) {
    const Floats value = load_some(param + i, some);
    const Floats slope = with_decay(load_some(grad + i, some), decay, value);
    Floats first = load_some(mean + i, some);
    first = first + (slope - first) * new1;
    const Floats before = keep2 * load_some(largest + i, some), now = absolute(slope) + eps;
    // What is not a number stays, on either side.
    const Floats most = (before > now) | (before != before) ? before : now;
    store_some(mean + i, first, some);
    store_some(largest + i, most, some);
    store_some(param + i, value - step * first / most, some);
  });
  Py_RETURN_NONE;
}

KERNEL(moments_step,
       "moments_step(param, grad, mean, square, beta1, beta2, eps, decay, shrink, of_grad, of_mean, factor): in place; param is "
       "multiplied by shrink and moved by of_grad * grad + of_mean * mean, over the root of factor * square plus eps, or over "
       "nothing where factor is None") {
  float n[7], factor = 0.0f;
  if (count != 12 || !are_alike(args, 4)) return declined();
  const bool divides = args[11] != Py_None;
  if (!read_numbers(args + 4, 7, n) || (divides && !read_numbers(args + 11, 1, &factor))) return nullptr;
  const float keep2 = n[1], eps = n[2], decay = n[3], shrink = n[4], of_grad = n[5], of_mean = n[6];
  const float new1 = rest_of(args[4]), new2 = rest_of(args[5]);
  float* param = memory(args[0]);
  const float* grad = memory(args[1]);
  float* mean = memory(args[2]);
  float* square = memory(args[3]);
  for_vectors(Array(args[0]).size(), [&](Index i, Index some) {
    const Floats value = shrink * load_some(param + i, some);
    const Floats slope = with_decay(load_some(grad + i, some), decay, value);
    Floats first = load_some(mean + i, some);
    first = first + (slope - first) * new1;
    const Floats second = keep2 * load_some(square + i, some) + new2 * (slope * slope);
    store_some(mean + i, first, some);
    store_some(square + i, second, some);
    // The slope may be infinite where it has no part in the move.
    Floats move = of_mean * first;
    if (of_grad != 0.0f) move += of_grad * slope;
    if (divides) move = move / (square_root(second * factor) + eps);
    store_some(param + i, value - move, some);
  });
  Py_RETURN_NONE;
}

KERNEL(rprop_step, "rprop_step(param, grad, previous, size, shorter, longer, least, most): in place") {
  float n[4];
  if (count != 8 || !are_alike(args, 4)) return declined();
  if (!read_numbers(args + 4, 4, n)) return nullptr;
  const float shorter = n[0], longer = n[1], least = n[2], most = n[3];
  float* param = memory(args[0]);
  const float* grad = memory(args[1]);
  float* previous = memory(args[2]);
  float* size = memory(args[3]);
  for_vectors(Array(args[0]).size(), [&](Index i, Index some) {
    const Floats slope = load_some(grad + i, some);
    const Floats agreement = slope * load_some(previous + i, some);
    const Ints turned = agreement < 0.0f;
    Floats length = load_some(size + i, some);
    length = turned ? length * shorter : agreement > 0.0f ? length * longer : length;
    length = length < least ? all(least) : length;
    length = length > most ? all(most) : length;
    const Floats kept = turned ? Floats{} : slope;
    store_some(size + i, length, some);
    store_some(previous + i, kept, some);
    const Floats sign = kept == 0.0f ? Floats{} : kept != kept ? kept : with_sign_of(all(1.0f), kept);
    store_some(param + i, load_some(param + i, some) - sign * length, some);
  });
  Py_RETURN_NONE;
}

KERNEL(asgd_step, "asgd_step(param, grad, mean, eta, decay, shrink, share): in place; the mean is moved by share of what is missing") {
  float n[4];
  if (count != 7 || !are_alike(args, 3)) return declined();
  if (!read_numbers(args + 3, 4, n)) return nullptr;
  const float eta = n[0], decay = n[1], shrink = n[2], share = n[3];
  float* param = memory(args[0]);
  const float* grad = memory(args[1]);
  float* mean = memory(args[2]);
  for_vectors(Array(args[0]).size(), [&](Index i, Index some) {
    const Floats value = load_some(param + i, some);
    const Floats slope = with_decay(load_some(grad + i, some), decay, value);
    const Floats next = shrink * value - eta * slope;
    const Floats before = load_some(mean + i, some);
    store_some(mean + i, share == 1.0f ? next : before + (next - before) * share, some);
    store_some(param + i, next, some);
  });
  Py_RETURN_NONE;
}

}  // namespace facula
