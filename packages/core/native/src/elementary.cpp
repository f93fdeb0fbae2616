// Exponentials and what is made of them, element by element, of float32.
#include "map.h"

namespace facula {
namespace {

// a b + c, rounded once where the processor does so, whatever the compiler makes of products and sums.
ALWAYS_INLINE Floats fused(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
  return reinterpret_cast<Floats>(_mm512_fmadd_ps(a, b, c));
#elif defined(__FMA__)
  return reinterpret_cast<Floats>(_mm256_fmadd_ps(a, b, c));
#else
  return a * b + c;
#endif
}

// Whether a mask has any lane.
ALWAYS_INLINE bool any(Ints mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(mask), reinterpret_cast<__m512i>(mask)) != 0;
#elif defined(__AVX2__)
  return _mm256_testz_si256(reinterpret_cast<__m256i>(mask), reinterpret_cast<__m256i>(mask)) == 0;
#else
  int32_t found = 0;
  for (int lane = 0; lane < kLanes; ++lane) found |= mask[lane];
  return found != 0;
#endif
}

// An angle as n pi / 2 + rest with |rest| <= pi / 4, by pi / 2 in three parts (Cody and Waite 1980), and the sine and the
// cosine of the rest, by polynomials as in Cephes.
struct Angle {
  Ints quarters;
  Floats sine, cosine;
};
#if defined(__FMA__)
constexpr float kFarAngle = 20000.0f;
constexpr float kParts[] = {-1.57079601287841796875f, -3.1391647326017846353e-7f, -5.3903025299577648e-15f};
#else
// Products are rounded by themselves: parts of so few bits that the first two are not (the parts of Cephes).
constexpr float kFarAngle = 8000.0f;
constexpr float kParts[] = {-1.5703125f, -4.837512969970703125e-4f, -7.54978995489188216e-8f};
#endif
ALWAYS_INLINE Angle angle_of(Floats x) {
  const Floats n = fused(x, all(0.63661977236758134f), all(12582912.0f)) - 12582912.0f;
  Floats r = fused(n, all(kParts[0]), x);
  r = fused(n, all(kParts[1]), r);
  r = fused(n, all(kParts[2]), r);
  const Floats square = r * r;
  Floats odd = fused(square, all(-1.9515295891e-4f), all(8.3321608736e-3f));
  odd = fused(odd, square, all(-1.6666654611e-1f));
  odd = fused(odd * square, r, r);
  Floats even = fused(square, all(2.443315711809948e-5f), all(-1.388731625493765e-3f));
  even = fused(even, square, all(4.166664568298827e-2f));
  even = fused(even, square, all(-0.5f));
  even = fused(even, square, all(1.0f));
  return {__builtin_convertvector(n, Ints), odd, even};
}

// What lies further than `angle_of` allows, infinities and what is not a number are left to the library.
template <class Function>
ALWAYS_INLINE Floats with_far(Floats x, Floats result, const Function& function) {
  const Ints far = ~(absolute(x) <= kFarAngle);
  if (__builtin_expect(any(far), 0)) {
    for (int lane = 0; lane < kLanes; ++lane) {
      if (far[lane]) result[lane] = function(x[lane]);
    }
  }
  return result;
}

// The sine and the cosine, to about one unit in the last place.
ALWAYS_INLINE Floats sine(Floats x) {
  const Angle angle = angle_of(x);
  Floats result = (angle.quarters & 1) != 0 ? angle.cosine : angle.sine;
  result = of_bits(bits_of(result) ^ ((angle.quarters & 2) << 30));
  result = x == 0.0f ? x : result;
  return with_far(x, result, [](float at) { return std::sin(at); });
}
ALWAYS_INLINE Floats cosine(Floats x) {
  const Angle angle = angle_of(x);
  Floats result = (angle.quarters & 1) != 0 ? angle.sine : angle.cosine;
  result = of_bits(bits_of(result) ^ (((angle.quarters + 1) & 2) << 30));
  return with_far(x, result, [](float at) { return std::cos(at); });
}
ALWAYS_INLINE Floats tangent(Floats x) {
  const Angle angle = angle_of(x);
  const Ints turned = (angle.quarters & 1) != 0;
  const Floats above = turned ? -angle.cosine : angle.sine, below = turned ? angle.sine : angle.cosine;
  const Floats result = x == 0.0f ? x : above / below;
  return with_far(x, result, [](float at) { return std::tan(at); });
}

// The arcus sine of numbers up to a half, as in Cephes; larger ones are halved by asin x = pi / 2 - 2 asin sqrt((1 - x) / 2).
ALWAYS_INLINE Floats arcsine_near(Floats x) {
  const Floats z = x * x;
  Floats p = fused(z, all(4.2163199048e-2f), all(2.4181311049e-2f));
  p = fused(p, z, all(4.5470025998e-2f));
  p = fused(p, z, all(7.4953002686e-2f));
  p = fused(p, z, all(1.6666752422e-1f));
  return fused(p * z, x, x);
}
ALWAYS_INLINE Floats arcsine(Floats x) {
  const Floats size = absolute(x);
  const Ints far = size > 0.5f;
  const Floats near = far ? square_root(0.5f - 0.5f * size) : size;
  const Floats found = arcsine_near(near);
  const Floats result = far ? 1.57079632679489661923f - 2.0f * found : found;
  return size <= 1.0f ? with_sign_of(result, x) : x * NAN;
}
ALWAYS_INLINE Floats arccosine(Floats x) {
  const Floats size = absolute(x);
  const Ints far = size > 0.5f;
  const Floats found = arcsine_near(far ? square_root(0.5f - 0.5f * size) : x);
  const Floats beyond = x < 0.0f ? 3.14159265358979323846f - 2.0f * found : 2.0f * found;
  // pi / 2 in two parts.
  const Floats result = far ? beyond : 1.57079637050628662109f - (found + 4.37113882867379e-8f);
  return size <= 1.0f ? result : x * NAN;
}
ALWAYS_INLINE Floats arctangent(Floats x) {
  const Floats size = absolute(x);
  // atan x = pi / 2 + atan(-1 / x) = pi / 4 + atan((x - 1) / (x + 1))
  const Ints far = size > 2.414213562373095f, middle = size > 0.4142135623730950f;
  const Floats above = far ? all(-1.0f) : middle ? size - 1.0f : size, below = far ? size : middle ? size + 1.0f : all(1.0f);
  const Floats t = above / below, z = t * t;
  Floats p = fused(z, all(8.05374449538e-2f), all(-1.38776856032e-1f));
  p = fused(p, z, all(1.99777106478e-1f));
  p = fused(p, z, all(-3.33329491539e-1f));
  const Floats near = fused(p * z, t, t);
  const Floats base = far ? all(1.57079632679489661923f) : middle ? all(0.785398163397448309616f) : all(0.0f);
  const Floats result = with_sign_of(base + near, x);
  return x == x ? result : x;
}

// 2 to the power x, exact for whole numbers.
ALWAYS_INLINE Floats exp2(Floats x) {
  const Floats clamped = minimum(all(129.0f), maximum(all(-151.0f), x));
  const Floats whole = (clamped + 12582912.0f) - 12582912.0f;
  Floats more;
  const Floats rest = exp_of_rest((clamped - whole) * 0.693147180559945309417f, more);
  return scaled(rest + 1.0f, whole + more);
}

// 1 - erf(x), to about 4e-7 of it: for x of 0 or more exp(-x^2) P(t) / (1 + 2 x) with t = (x - 3) / (x + 3), P a fit for the
// least largest relative error (2e-9). The square is taken in two parts, since an error of it is one of the logarithm.
ALWAYS_INLINE Floats complement_of_erf(Floats x) {
  const Floats size = minimum(absolute(x), all(10.2f));
  const Floats sum = size + 3.0f, below = 1.0f + 2.0f * size, inverse = quotient(all(1.0f), sum * below);
  const Floats t = (size - 3.0f) * below * inverse;
  constexpr float factors[] = {-2.6717918808571994e-4f, -7.751173106953502e-4f, 2.003352390602231e-3f, 2.5665604043751955e-3f,
                               -2.3798538371920586e-2f, 6.829574704170227e-2f,  -1.1927079409360886e-1f, 1.29646435379982e-1f,
                               -4.7562409192323685e-2f, -1.3562114536762238e-1f, 1.2530080080032349f};
  Floats p = all(factors[0]);
  for (int k = 1; k < 11; ++k) p = fused(p, t, all(factors[k]));
  const Floats high = of_bits(bits_of(size) & static_cast<int32_t>(0xfffff000));
  const Floats low = size - high, square = size * size;
  const Floats error = ((high * high - square) + 2.0f * high * low) + low * low;
  const Floats power = exp(-square);
  const Floats result = (power - power * error) * (p * sum * inverse);
  const Floats both = x < 0.0f ? 2.0f - result : result;
  // Near 0 by the series, so that erfc(0) is 1.
  const Floats near = fused(x * -1.12837916709551257390f, fused(square, all(-0.333333333f), all(1.0f)), all(1.0f));
  return size < 0.05f ? near : x == x ? both : x;
}

// The x with erf(x) = y, to about 4e-7 of it (Giles 2011, "Approximating the erfinv function").
ALWAYS_INLINE Floats inverse_of_erf(Floats y) {
  const Floats w = -log((1.0f - y) * (1.0f + y));
  constexpr float inner[] = {2.81022636e-08f, 3.43273939e-07f, -3.5233877e-06f, -4.39150654e-06f, 2.1858087e-04f,
                             -1.25372503e-03f, -4.17768164e-03f, 2.46640727e-01f, 1.50140941f};
  constexpr float outer[] = {-2.00214257e-04f, 1.00950558e-04f, 1.34934322e-03f, -3.67342844e-03f, 5.73950773e-03f,
                             -7.6224613e-03f, 9.43887047e-03f, 1.00167406f, 2.83297682f};
  const Ints far = w >= 5.0f;
  const Floats t = far ? square_root(w) - 3.0f : w - 2.5f;
  Floats p = far ? all(outer[0]) : all(inner[0]);
  for (int k = 1; k < 9; ++k) p = fused(p, t, far ? all(outer[k]) : all(inner[k]));
  const Floats size = absolute(y);
  const Floats result = size == 1.0f ? with_sign_of(all(INFINITY), y) : p * y;
  return size <= 1.0f ? result : y * NAN;
}

}  // namespace

KERNEL(exp, "exp(x): e to the power of each element") {
  return map(args, count, [](Floats x) { return exp(x); });
}

KERNEL(log, "log(x): the natural logarithm") {
  return map(args, count, [](Floats x) { return log(x); });
}

KERNEL(sin, "sin(x): the sine") {
  return map(args, count, [](Floats x) { return sine(x); });
}

KERNEL(cos, "cos(x): the cosine") {
  return map(args, count, [](Floats x) { return cosine(x); });
}

KERNEL(tan, "tan(x): the tangent") {
  return map(args, count, [](Floats x) { return tangent(x); });
}

KERNEL(asin, "asin(x): the angle with this sine") {
  return map(args, count, [](Floats x) { return arcsine(x); });
}

KERNEL(acos, "acos(x): the angle with this cosine") {
  return map(args, count, [](Floats x) { return arccosine(x); });
}

KERNEL(atan, "atan(x): the angle with this tangent") {
  return map(args, count, [](Floats x) { return arctangent(x); });
}

KERNEL(exp2, "exp2(x): 2 to the power of each element") {
  return map(args, count, [](Floats x) { return exp2(x); });
}

KERNEL(erfc, "erfc(x): 1 - the error function") {
  return map(args, count, [](Floats x) { return complement_of_erf(x); });
}

KERNEL(erfinv, "erfinv(x): the inverse of the error function") {
  return map(args, count, [](Floats x) { return inverse_of_erf(x); });
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
