// Short vectors of floats, as wide as the CPU level allows, and their mathematics.
//
// `Floats` is a GCC vector: +, -, *, / and comparisons work lane by lane, and the compiler chooses the instructions.
// A comparison gives a `Ints` mask of 0 and -1; `mask ? a : b` chooses by lane.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace facula {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

// How many floats, and how many doubles, one vector holds.
constexpr int kLanes = kVectorBytes / 4;
constexpr int kDoubleLanes = kVectorBytes / 8;

typedef float Floats __attribute__((vector_size(kVectorBytes)));
typedef int32_t Ints __attribute__((vector_size(kVectorBytes)));
typedef double Doubles __attribute__((vector_size(kVectorBytes)));
typedef int64_t Longs __attribute__((vector_size(kVectorBytes)));

// The vector of a type, one of integers as wide as its elements, and how many it holds.
template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  using type = Floats;
  using places = Ints;
  static constexpr int64_t lanes = kLanes;
};
template <>
struct VectorOf<double> {
  using type = Doubles;
  using places = Longs;
  static constexpr int64_t lanes = kDoubleLanes;
};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

// From and to memory at any address.
ALWAYS_INLINE Floats load(const float* from) {
  Floats x;
  std::memcpy(&x, from, sizeof x);
  return x;
}
ALWAYS_INLINE void store(float* to, Floats x) { std::memcpy(to, &x, sizeof x); }
ALWAYS_INLINE Doubles load(const double* from) {
  Doubles x;
  std::memcpy(&x, from, sizeof x);
  return x;
}
ALWAYS_INLINE void store(double* to, Doubles x) { std::memcpy(to, &x, sizeof x); }

// The last `count` elements of a row, fewer than a vector: the other lanes are zero, or not written.
ALWAYS_INLINE Floats load_part(const float* from, int64_t count) {
  Floats x = {};
  std::memcpy(&x, from, static_cast<size_t>(count) * sizeof(float));
  return x;
}
ALWAYS_INLINE Doubles load_part(const double* from, int64_t count) {
  Doubles x = {};
  std::memcpy(&x, from, static_cast<size_t>(count) * sizeof(double));
  return x;
}
ALWAYS_INLINE void store_part(float* to, Floats x, int64_t count) {
  std::memcpy(to, &x, static_cast<size_t>(count) * sizeof(float));
}
ALWAYS_INLINE void store_part(double* to, Doubles x, int64_t count) {
  std::memcpy(to, &x, static_cast<size_t>(count) * sizeof(double));
}

ALWAYS_INLINE Floats all(float x) { return x - Floats{}; }
ALWAYS_INLINE Doubles all(double x) { return x - Doubles{}; }
ALWAYS_INLINE Ints all(int32_t x) { return x - Ints{}; }
ALWAYS_INLINE Floats maximum(Floats a, Floats b) { return a > b ? a : b; }
ALWAYS_INLINE Floats minimum(Floats a, Floats b) { return a < b ? a : b; }
ALWAYS_INLINE Ints bits_of(Floats x) { return reinterpret_cast<Ints>(x); }
ALWAYS_INLINE Floats of_bits(Ints x) { return reinterpret_cast<Floats>(x); }
ALWAYS_INLINE Floats absolute(Floats x) { return of_bits(bits_of(x) & 0x7fffffff); }
ALWAYS_INLINE Floats with_sign_of(Floats size, Floats sign) {
  return of_bits((bits_of(size) & 0x7fffffff) | (bits_of(sign) & static_cast<int32_t>(0x80000000)));
}

// The sum over lanes, always in the same order.
ALWAYS_INLINE float total(Floats x) {
  float lanes[kLanes];
  store(lanes, x);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}
ALWAYS_INLINE double total(Doubles x) {
  double lanes[kDoubleLanes];
  store(lanes, x);
  for (int width = kDoubleLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}
ALWAYS_INLINE float largest(Floats x) {
  float lanes[kLanes];
  store(lanes, x);
  float found = lanes[0];
  for (int lane = 1; lane < kLanes; ++lane) found = lanes[lane] > found ? lanes[lane] : found;
  return found;
}

// a / b where b is neither tiny nor huge (between 2**-100 and 2**100): the same as a / b but for a last bit.
ALWAYS_INLINE Floats quotient(Floats a, Floats b) {
#if defined(__AVX512F__)
  // A division of 16 floats takes as long as a dozen other steps: the estimate has 14 bits, refined to 28, then corrected.
  const Floats estimate = reinterpret_cast<Floats>(_mm512_rcp14_ps(reinterpret_cast<__m512>(b)));
  const Floats inverse = estimate + estimate * (1.0f - b * estimate);
  const Floats result = a * inverse;
  return result + inverse * (a - b * result);
#else
  return a / b;
#endif
}

// p times 2**n, n a whole number between -160 and 140.
ALWAYS_INLINE Floats scaled(Floats p, Floats n) {
#if defined(__AVX512F__)
  return reinterpret_cast<Floats>(_mm512_scalef_ps(reinterpret_cast<__m512>(p), reinterpret_cast<__m512>(n)));
#else
  // In two steps, since 2**n may be no float while the product is one.
  const Ints whole = __builtin_convertvector(n, Ints);
  const Ints half = whole >> 1;
  const Floats first = of_bits((half + 127) << 23);
  const Floats second = of_bits((whole - half + 127) << 23);
  return p * first * second;
#endif
}

// x = n log 2 + r with |r| <= log(2) / 2: returns exp(r) - 1, by a polynomial whose coefficients are a minimax fit (largest
// relative error of exp(r) 6e-11), and n in `power`.
ALWAYS_INLINE Floats exp_of_rest(Floats x, Floats& power) {
  // Adding and taking away 1.5 * 2**23 rounds to a whole number.
  const Floats shifted = x * 1.44269504088896341f + 12582912.0f;
  power = shifted - 12582912.0f;
  Floats r = x - power * 0.693145751953125f;
  r = r - power * 1.42860682030941723e-6f;
  Floats p = r * 1.97901352e-4f + 1.39448685e-3f;
  p = p * r + 8.33349834e-3f;
  p = p * r + 4.16662922e-2f;
  p = p * r + 1.66666659e-1f;
  p = p * r + 5.00000000e-1f;
  return p * r * r + r;
}

// e to the power x, to about one unit in the last place; inf above 88.73, denormal and then 0 below -87.34; NaN stays.
ALWAYS_INLINE Floats exp(Floats x) {
  // In this order what is not a number is kept.
  const Floats clamped = minimum(all(89.0f), maximum(all(-104.0f), x));
  Floats n;
  const Floats rest = exp_of_rest(clamped, n);
  return scaled(rest + 1.0f, n);
}

// exp(x) - 1, near 0 too, by the same fit.
ALWAYS_INLINE Floats expm1(Floats x) {
  const Floats clamped = minimum(all(89.0f), maximum(all(-104.0f), x));
  Floats n;
  const Floats rest = exp_of_rest(clamped, n);
  // Half of it, since 2**n may be no float while the result is one.
  const Floats power = scaled(all(1.0f), n - 1.0f);
  const Floats result = 2.0f * (rest * power + (power - 0.5f));
  return absolute(x) < 1e-30f ? x : result;
}

// The natural logarithm, to about one unit in the last place: nan below 0, -inf at 0.
// x = 2**e m with m between sqrt(1/2) and sqrt(2); then e log 2 + log(1 + f), f = m - 1, by a minimax fit of
// (log(1 + f) - f + f**2 / 2) / f**3 (largest relative error of the logarithm 6e-9).
ALWAYS_INLINE Floats log(Floats x) {
  const Ints denormal = x < 1.17549435e-38f;
  const Floats normal = denormal ? x * 8388608.0f : x;
  // So that the exponent changes at sqrt(1/2) and not at 1.
  const Ints shifted = bits_of(normal) - 0x3f3504f3;
  Ints exponent = shifted >> 23;
  const Floats f = of_bits((shifted & 0x007fffff) + 0x3f3504f3) - 1.0f;
  exponent = exponent - (denormal & 23);
  const Floats e = __builtin_convertvector(exponent, Floats);
  Floats p = f * -7.634497757e-2f + 1.276157754e-1f;
  p = p * f - 1.316018216e-1f;
  p = p * f + 1.420175792e-1f;
  p = p * f - 1.662335736e-1f;
  p = p * f + 2.000122688e-1f;
  p = p * f - 2.500082103e-1f;
  p = p * f + 3.333333171e-1f;
  const Floats square = f * f;
  Floats result = p * f * square + e * -2.12194440e-4f;
  result = result - square * 0.5f + f + e * 0.693359375f;
  result = x == 0.0f ? all(-INFINITY) : result;
  result = x == INFINITY ? x : result;
  return x >= 0.0f ? result : all(NAN);
}

// The hyperbolic tangent, to about 3e-7 of it: x P(x**2) / Q(x**2) up to 9.02, where it is 1 (fitted for the least
// largest relative error, 2.1e-8; what is more is rounding).
ALWAYS_INLINE Floats tanh(Floats x) {
  const Floats square = x * x;
  Floats p = square * 1.331897089e-8f + 2.05834062e-5f;
  p = p * square + 3.494029967e-3f;
  p = p * square + 0.1337971409f;
  p = p * square + 0.999999979f;
  Floats q = square * 7.761977359e-7f + 3.283085336e-4f;
  q = q * square + 2.587105576e-2f;
  q = q * square + 0.4671302933f;
  q = q * square + 1.0f;
  const Floats near = minimum(all(1.0f), maximum(all(-1.0f), x * quotient(p, q)));
  return absolute(x) > 9.02f ? with_sign_of(all(1.0f), x) : near;
}

// The error function, to about 3e-7 of it: x P(x**2) / Q(x**2) up to 3.925, where it is 1 (fitted for the least largest
// relative error, 1.9e-8).
ALWAYS_INLINE Floats erf(Floats x) {
  const Floats square = x * x;
  Floats p = square * 2.046022934e-6f + 2.848438157e-4f;
  p = p * square + 3.772566973e-3f;
  p = p * square + 5.276934879e-2f;
  p = p * square + 0.1905941662f;
  p = p * square + 1.128379146f;
  Floats q = square * 3.80477433e-5f + 1.163861699e-3f;
  q = q * square + 1.498323132e-2f;
  q = q * square + 0.1141828881f;
  q = q * square + 0.5022424123f;
  q = q * square + 1.0f;
  const Floats near = minimum(all(1.0f), maximum(all(-1.0f), x * quotient(p, q)));
  return absolute(x) > 3.925f ? with_sign_of(all(1.0f), x) : near;
}

// log(1 + x) for x of 0 or more: what 1 + x loses is added to the logarithm.
ALWAYS_INLINE Floats log1p(Floats x) {
  const Floats sum = 1.0f + x;
  return log(sum) + (x - (sum - 1.0f)) / sum;
}

ALWAYS_INLINE Floats square_root(Floats x) {
#if defined(__AVX512F__)
  return reinterpret_cast<Floats>(_mm512_maskz_sqrt_ps(0xffff, reinterpret_cast<__m512>(x)));
#else
  for (int lane = 0; lane < kLanes; ++lane) x[lane] = std::sqrt(x[lane]);
  return x;
#endif
}

ALWAYS_INLINE Floats sigmoid(Floats x) { return 1.0f / (1.0f + exp(-x)); }

}  // namespace facula
