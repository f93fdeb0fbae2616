// Exponentials and what is made of them, element by element, of float32.
#include "map.h"

namespace facula {
namespace {

// The sine, or with `quarters` of 1 the cosine, to about one unit in the last place. x = n pi / 2 + r with |r| <= pi / 4, by
// pi / 2 in three parts (Cody and Waite 1980); polynomials of r as in Cephes. What is larger than that allows is left to the
// library, as are infinities and what is not a number.
ALWAYS_INLINE Floats sine(Floats x, int32_t quarters) {
#if defined(__FMA__) || !defined(__x86_64__)
  constexpr float most = 20000.0f;
#else
  constexpr float most = 20.0f;  // beyond which the first product would be rounded
#endif
  const Floats n = (x * 0.63661977236758134f + 12582912.0f) - 12582912.0f;
  Floats r = x - n * 1.57079601287841796875f;
  r = r - n * 3.1391647326017846353e-7f;
  r = r - n * 5.3903025299577648e-15f;
  const Ints whole = __builtin_convertvector(n, Ints) + quarters;
  const Floats square = r * r;
  Floats odd = square * -1.9515295891e-4f + 8.3321608736e-3f;
  odd = odd * square - 1.6666654611e-1f;
  odd = odd * square * r + r;
  Floats even = square * 2.443315711809948e-5f - 1.388731625493765e-3f;
  even = even * square + 4.166664568298827e-2f;
  even = even * square * square - 0.5f * square + 1.0f;
  Floats result = (whole & 1) != 0 ? even : odd;
  result = of_bits(bits_of(result) ^ ((whole & 2) << 30));
  const Ints far = ~(absolute(x) <= most);
  int32_t any = 0;
  for (int lane = 0; lane < kLanes; ++lane) any |= far[lane];
  if (__builtin_expect(any != 0, 0)) {
    for (int lane = 0; lane < kLanes; ++lane) {
      if (far[lane]) result[lane] = quarters == 0 ? std::sin(x[lane]) : std::cos(x[lane]);
    }
  }
  return quarters == 0 ? (x == 0.0f ? x : result) : result;
}

}  // namespace

KERNEL(exp, "exp(x): e to the power of each element") {
  return map(args, count, [](Floats x) { return exp(x); });
}

KERNEL(log, "log(x): the natural logarithm") {
  return map(args, count, [](Floats x) { return log(x); });
}

KERNEL(sin, "sin(x): the sine") {
  return map(args, count, [](Floats x) { return sine(x, 0); });
}

KERNEL(cos, "cos(x): the cosine") {
  return map(args, count, [](Floats x) { return sine(x, 1); });
}

KERNEL(square, "square(x): x times itself") {
  return map(args, count, [](Floats x) { return x * x; });
}

KERNEL(cube, "cube(x): x times itself, twice") {
  return map(args, count, [](Floats x) { return x * x * x; });
}

KERNEL(rsqrt, "rsqrt(x): 1 / the square root") {
  return map(args, count, [](Floats x) { return 1.0f / square_root(x); });
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
