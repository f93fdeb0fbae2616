// The logarithm of the gamma function and its derivative, element by element, of float32.
//
// In double precision, by Stirling's series where the argument is 8 or more; smaller ones are moved there by the recurrence,
// negative ones by the reflection. So results near the zeros of the functions have all their digits too.
#include "map.h"

namespace facula {
namespace {

typedef float HalfFloats __attribute__((vector_size(kVectorBytes / 2)));

constexpr double kPi = 3.14159265358979323846;
constexpr double kShift = 8.0;

// The first coefficient is that of the highest power.
template <int count>
ALWAYS_INLINE Doubles polynomial(const double (&factors)[count], Doubles x) {
  Doubles result = all(factors[0]);
#pragma GCC unroll 16
  for (int k = 1; k < count; ++k) result = result * x + factors[k];
  return result;
}

ALWAYS_INLINE Doubles size_of(Doubles x) {
  return reinterpret_cast<Doubles>(reinterpret_cast<Longs>(x) & 0x7fffffffffffffffL);
}
ALWAYS_INLINE bool any(Longs mask) {
  int64_t found = 0;
  for (int lane = 0; lane < kDoubleLanes; ++lane) found |= mask[lane];
  return found != 0;
}

// The logarithm of positive, finite numbers: x = 2^e m with m between sqrt(1/2) and sqrt(2), log m = 2 atanh((m - 1) / (m + 1)).
ALWAYS_INLINE Doubles logarithm(Doubles x) {
  const Longs shifted = reinterpret_cast<Longs>(x) - 0x3fe6a09e667f3bcdL;
  const Doubles m = reinterpret_cast<Doubles>((shifted & 0x000fffffffffffffL) + 0x3fe6a09e667f3bcdL);
  // As the low bits of 1.5 * 2^52.
  const Doubles e = reinterpret_cast<Doubles>((shifted >> 52) + 0x4338000000000000L) - 6755399441055744.0;
  const Doubles s = (m - 1.0) / (m + 1.0), square = s * s;
  constexpr double factors[] = {2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13, 2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3};
  return polynomial(factors, square) * square * s + 2.0 * s + e * 0.693147180559945309417;
}

// What is between a number and the nearest whole one.
ALWAYS_INLINE Doubles fraction_of(Doubles x) {
  const Doubles rest = x - ((x + 6755399441055744.0) - 6755399441055744.0);
  return size_of(x) < 4503599627370496.0 ? rest : x - x;
}

// sin(pi r) and cos(pi r) for |r| <= 1/2, by Taylor's series.
ALWAYS_INLINE Doubles sine_of_turn(Doubles r) {
  const Doubles angle = r * kPi, square = angle * angle;
  constexpr double factors[] = {-8.2206352466243297e-18, 2.8114572543455208e-15, -7.6471637318198165e-13, 1.6059043836821615e-10,
                                -2.5052108385441719e-8,  2.7557319223985891e-6,  -1.9841269841269841e-4,  8.3333333333333333e-3,
                                -1.6666666666666667e-1};
  return polynomial(factors, square) * square * angle + angle;
}
ALWAYS_INLINE Doubles cosine_of_turn(Doubles r) {
  const Doubles angle = r * kPi, square = angle * angle;
  constexpr double factors[] = {4.1103176233121649e-19,  -1.5619206968586226e-16, 4.7794773323873853e-14, -1.1470745597729725e-11,
                                2.0876756987868099e-9,   -2.7557319223985891e-7,  2.4801587301587302e-5,  -1.3888888888888889e-3,
                                4.1666666666666667e-2,   -0.5, 1.0};
  return polynomial(factors, square);
}

// log |gamma(x)|: infinite at whole numbers up to 0.
ALWAYS_INLINE Doubles log_gamma(Doubles x) {
  const Longs reflected = x < 0.5;
  const Doubles at = reflected ? 1.0 - x : x;
  const Longs low = at < kShift;
  Doubles product = at;
#pragma GCC unroll 8
  for (int k = 1; k < 8; ++k) product *= at + static_cast<double>(k);
  product = low ? product : all(1.0);
  const Doubles z = low ? at + kShift : at, inverse = 1.0 / z;
  constexpr double stirling[] = {-3617.0 / 122400, 1.0 / 156, -691.0 / 360360, 1.0 / 1188, -1.0 / 1680, 1.0 / 1260, -1.0 / 360, 1.0 / 12};
  const Doubles series = polynomial(stirling, inverse * inverse) * inverse;
  const Doubles far = (z - 0.5) * logarithm(z) - z + 0.91893853320467274178 + series;
  Longs poles = {};
  if (any(reflected)) {
    const Doubles sine = size_of(sine_of_turn(fraction_of(x)));
    poles = reflected & (sine == 0.0);
    product = reflected ? product * kPi / (sine == 0.0 ? all(1.0) : sine) : product;
  }
  Doubles result = far - logarithm(product);
  result = reflected ? -result : (at == 1.0) | (at == 2.0) ? Doubles{} : result;
  result = poles | (size_of(x) == static_cast<double>(INFINITY)) ? all(static_cast<double>(INFINITY)) : result;
  return x == x ? result : x;
}

// The derivative of log gamma: nan at negative whole numbers, infinite at 0.
ALWAYS_INLINE Doubles digamma(Doubles x) {
  const Longs reflected = x < 0.0;
  const Doubles at = reflected ? 1.0 - x : x;
  const Longs low = at < kShift;
  // The sum of 1 / (x + k) is the derivative of the product of x + k, by the product.
  Doubles product = at, derivative = all(1.0);
#pragma GCC unroll 8
  for (int k = 1; k < 8; ++k) {
    const Doubles factor = at + static_cast<double>(k);
    derivative = derivative * factor + product;
    product *= factor;
  }
  const Doubles z = low ? at + kShift : at, inverse = 1.0 / z, square = inverse * inverse;
  constexpr double bernoulli[] = {-3617.0 / 8160, 1.0 / 12, -691.0 / 32760, 1.0 / 132, -1.0 / 240, 1.0 / 252, -1.0 / 120, 1.0 / 12};
  Doubles result = logarithm(z) - 0.5 * inverse - square * polynomial(bernoulli, square);
  result = low ? result - derivative / product : result;
  if (any(reflected)) {
    const Doubles fraction = fraction_of(x), turned = result - kPi * cosine_of_turn(fraction) / sine_of_turn(fraction);
    result = reflected ? fraction == 0.0 ? all(static_cast<double>(NAN)) : turned : result;
  }
  const Doubles infinite = all(static_cast<double>(INFINITY));
  result = x == infinite ? x : x == 0.0 ? -1.0 / x : result;
  return x == x ? result : x;
}

// A function of double precision, of one half of a vector after the other.
template <class Function>
ALWAYS_INLINE Floats by_halves(Floats x, const Function& function) {
  HalfFloats halves[2];
  std::memcpy(halves, &x, sizeof x);
  for (HalfFloats& half : halves) half = __builtin_convertvector(function(__builtin_convertvector(half, Doubles)), HalfFloats);
  Floats result;
  std::memcpy(&result, halves, sizeof result);
  return result;
}

}  // namespace

KERNEL(lgamma, "lgamma(x): the logarithm of the size of the gamma function") {
  return map(args, count, [](Floats x) { return by_halves(x, [](Doubles each) { return log_gamma(each); }); });
}

KERNEL(digamma, "digamma(x): the derivative of the logarithm of the gamma function") {
  return map(args, count, [](Floats x) { return by_halves(x, [](Doubles each) { return digamma(each); }); });
}

}  // namespace facula
