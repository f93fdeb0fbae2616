// Exponentials and what is made of them, element by element, of float32.
#include "map.h"

namespace facula {

KERNEL(exp, "exp(x): e to the power of each element") {
  return map(args, count, [](Floats x) { return exp(x); });
}

KERNEL(log, "log(x): the natural logarithm") {
  return map(args, count, [](Floats x) { return log(x); });
}

KERNEL(tanh, "tanh(x): the hyperbolic tangent") {
  return map(args, count, [](Floats x) { return tanh(x); });
}

KERNEL(erf, "erf(x): the error function") {
  return map(args, count, [](Floats x) { return erf(x); });
}

KERNEL(sigmoid, "sigmoid(x): 1 / (1 + exp(-x))") {
  return map(args, count, [](Floats x) { return sigmoid(x); });
}

KERNEL(tanh_gradient, "tanh_gradient(received, out): received (1 - out^2)") {
  return map_pairs(args, count, [](Floats g, Floats out) { return g * (1.0f - out * out); });
}

KERNEL(sigmoid_gradient, "sigmoid_gradient(received, out): received out (1 - out)") {
  return map_pairs(args, count, [](Floats g, Floats out) { return g * (out * (1.0f - out)); });
}

}  // namespace facula
