// Activation functions of float32, and their gradients from what they were given.
#include "map.h"

namespace facula {
namespace {

constexpr float kRootOfHalf = 0.70710678118654752f;
// 1 / sqrt(2 pi): the density of the normal distribution at 0.
constexpr float kDensity = 0.39894228040143268f;
// sqrt(2 / pi), and the cubic term of the cheaper form of gelu.
constexpr float kRate = 0.79788456080286536f;
constexpr float kCubic = 0.044715f;

ALWAYS_INLINE Floats normal_distribution(Floats x) { return 0.5f + 0.5f * erf(x * kRootOfHalf); }

// (1 + tanh(u)) / 2 of the cheaper form as 1 / (1 + exp(-2 u)), which does not cancel below 0.
ALWAYS_INLINE Floats gate_of_gelu(Floats x, Floats square) {
  const Floats power = x * (-2.0f * kRate - 2.0f * kRate * kCubic * square);
  return quotient(all(1.0f), 1.0f + exp(minimum(all(60.0f), power)));
}

}  // namespace

KERNEL(relu, "relu(x): the larger of each element and 0") {
  return map(args, count, [](Floats x) { return x < 0.0f ? Floats{} : x; });
}

KERNEL(relu_gradient, "relu_gradient(received, out): received where out is not 0 or less") {
  return map_pairs(args, count, [](Floats g, Floats out) { return out <= 0.0f ? Floats{} : g; });
}

KERNEL(gelu, "gelu(x): x times the normal distribution function") {
  return map(args, count, [](Floats x) { return x * normal_distribution(x); });
}

KERNEL(gelu_gradient, "gelu_gradient(received, x)") {
  return map_pairs(args, count, [](Floats g, Floats x) {
    return g * (normal_distribution(x) + x * (kDensity * exp(-0.5f * x * x)));
  });
}

KERNEL(gelu_tanh, "gelu_tanh(x): the cheaper form of gelu") {
  return map(args, count, [](Floats x) { return x * gate_of_gelu(x, x * x); });
}

KERNEL(gelu_tanh_gradient, "gelu_tanh_gradient(received, x)") {
  return map_pairs(args, count, [](Floats g, Floats x) {
    const Floats square = x * x;
    const Floats gate = gate_of_gelu(x, square);
    const Floats slope = gate * (1.0f - gate) * (2.0f * kRate + 6.0f * kRate * kCubic * square);
    return g * (gate + x * slope);
  });
}

KERNEL(silu, "silu(x): x / (1 + exp(-x))") {
  return map(args, count, [](Floats x) { return x / (1.0f + exp(-x)); });
}

KERNEL(silu_gradient, "silu_gradient(received, x)") {
  return map_pairs(args, count, [](Floats g, Floats x) {
    const Floats gate = sigmoid(x);
    return g * (gate * (1.0f + x * (1.0f - gate)));
  });
}

}  // namespace facula
