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

// What is not a number stays so.
ALWAYS_INLINE Floats between_0_and_6(Floats x) { return minimum(all(6.0f), maximum(Floats{}, x)); }

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

KERNEL(hardtanh, "hardtanh(x, low, high)") {
  return map_with<2>(args, count, [](Floats x, const float* limits) {
    const Floats above = x < limits[0] ? all(limits[0]) : x;
    return above > limits[1] ? all(limits[1]) : above;
  });
}

KERNEL(hardtanh_gradient, "hardtanh_gradient(received, x, low, high)") {
  return map_pairs_with<2>(args, count, [](Floats g, Floats x, const float* limits) {
    return ((x > limits[0]) & (x < limits[1])) ? g : Floats{};
  });
}

KERNEL(leaky_relu, "leaky_relu(x, slope)") {
  return map_with<1>(args, count, [](Floats x, const float* slope) { return x > 0.0f ? x : x * *slope; });
}

KERNEL(leaky_relu_gradient, "leaky_relu_gradient(received, x, slope)") {
  return map_pairs_with<1>(args, count, [](Floats g, Floats x, const float* slope) { return x > 0.0f ? g : g * *slope; });
}

KERNEL(elu, "elu(x, below, scale, rate): x scale, or (exp(x rate) - 1) below") {
  return map_with<3>(args, count, [](Floats x, const float* numbers) {
    return x > 0.0f ? x * numbers[1] : expm1(minimum(Floats{}, x * numbers[2])) * numbers[0];
  });
}

KERNEL(elu_gradient, "elu_gradient(received, x, below, scale, rate)") {
  return map_pairs_with<3>(args, count, [](Floats g, Floats x, const float* numbers) {
    const Floats power = exp(minimum(Floats{}, x * numbers[2]));
    return g * (x <= 0.0f ? power * (numbers[0] * numbers[2]) : all(numbers[1]));
  });
}

KERNEL(softplus, "softplus(x, beta, threshold): log(1 + exp(beta x)) / beta, or x above the threshold") {
  return map_with<2>(args, count, [](Floats x, const float* numbers) {
    const Floats scaled_up = x * numbers[0];
    const Floats smooth = log1p(exp(-absolute(scaled_up))) + (scaled_up > 0.0f ? scaled_up : Floats{});
    return scaled_up > numbers[1] ? x : (x == x ? smooth / numbers[0] : x);
  });
}

KERNEL(softplus_gradient, "softplus_gradient(received, x, beta, threshold)") {
  return map_pairs_with<2>(args, count, [](Floats g, Floats x, const float* numbers) {
    const Floats scaled_up = x * numbers[0];
    return scaled_up > numbers[1] ? g : g * sigmoid(scaled_up);
  });
}

KERNEL(hardsigmoid, "hardsigmoid(x): x + 3, between 0 and 6, / 6") {
  return map(args, count, [](Floats x) { return between_0_and_6(x + 3.0f) / 6.0f; });
}

KERNEL(hardsigmoid_gradient, "hardsigmoid_gradient(received, x)") {
  return map_pairs(args, count, [](Floats g, Floats x) { return ((x > -3.0f) & (x < 3.0f)) ? g / 6.0f : Floats{}; });
}

KERNEL(hardswish, "hardswish(x): x hardsigmoid(x)") {
  return map(args, count, [](Floats x) { return x * between_0_and_6(x + 3.0f) / 6.0f; });
}

KERNEL(hardswish_gradient, "hardswish_gradient(received, x)") {
  return map_pairs(args, count, [](Floats g, Floats x) {
    const Floats slope = x < 3.0f ? x / 3.0f + 0.5f : all(1.0f);
    return g * (x > -3.0f ? slope : Floats{});
  });
}

}  // namespace facula
