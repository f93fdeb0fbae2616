// Exponentials, logarithms and what is made of them, element by element, of float32.
#include <complex>

#include "complex.h"
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

// x 2^-k = 1 + f with k whole and 1 + f between sqrt(1/2) and sqrt(2), of normal x, and log(1 + f) - f by the fit of `log`.
struct Logarithm {
  Floats power, f, rest;
};
ALWAYS_INLINE Logarithm logarithm_of(Floats x, Floats lost = Floats{}) {
  const Ints shifted = bits_of(x) - 0x3f3504f3, exponent = shifted >> 23;
  // What an x that is a sum has lost is added where it is large enough to count.
  const Floats f = fused(lost, of_bits((127 - exponent) << 23), of_bits((shifted & 0x007fffff) + 0x3f3504f3) - 1.0f);
  const Floats square = f * f;
  Floats p = fused(f, all(-7.634497757e-2f), all(1.276157754e-1f));
  p = fused(p, f, all(-1.316018216e-1f));
  p = fused(p, f, all(1.420175792e-1f));
  p = fused(p, f, all(-1.662335736e-1f));
  p = fused(p, f, all(2.000122688e-1f));
  p = fused(p, f, all(-2.500082103e-1f));
  p = fused(p, f, all(3.333333171e-1f));
  return {__builtin_convertvector(exponent, Floats), f, fused(p * f, square, square * -0.5f)};
}
ALWAYS_INLINE Floats natural(Logarithm of) {
  const Floats low = fused(of.power, all(-2.12194440e-4f), of.rest) + of.f;
  return fused(of.power, all(0.693359375f), low);
}
ALWAYS_INLINE Floats binary(Logarithm of) { return fused(of.rest + of.f, all(1.44269504088896341f), of.power); }
ALWAYS_INLINE Floats decimal(Logarithm of) {
  const Floats low = fused(of.power, all(4.605038981195214e-6f), (of.rest + of.f) * 0.434294481903251828f);
  return fused(of.power, all(0.301025390625f), low);
}

// A logarithm made of one's parts. Numbers that are not normal, which are rare, go a longer way.
template <class Function>
ALWAYS_INLINE Floats logarithm(Floats x, const Function& of_parts) {
  const Floats result = of_parts(logarithm_of(x));
  const Ints odd = ~((x >= 1.17549435e-38f) & (x < INFINITY));
  if (__builtin_expect(!any(odd), 1)) return result;
  Logarithm parts = logarithm_of(x * 8388608.0f);
  parts.power = parts.power - 23.0f;
  const Floats denormal = of_parts(parts);
  const Floats other = x == 0.0f ? all(-INFINITY) : x == INFINITY ? x : x > 0.0f ? denormal : all(NAN);
  return odd ? other : result;
}

// log(1 + x), near 0 too.
ALWAYS_INLINE Floats logarithm_of_more(Floats x) {
  const Floats sum = 1.0f + x;
  const Floats found = natural(logarithm_of(sum, x - (sum - 1.0f)));
  const Floats result = x == 0.0f ? x : found;
  const Ints odd = ~((x > -1.0f) & (x < 1e37f));
  return __builtin_expect(any(odd), 0) ? odd ? log(sum) : result : result;
}

// 1 - erf(x), to about 4e-7 of it: for x of 0 or more exp(-x^2) P(t) / (1 + 2 x) with t = (x - 3) / (x + 3), P a fit for the
// least largest relative error (2e-9). The square is taken in two parts, since an error of it is one of the logarithm.
ALWAYS_INLINE Floats complement_of_erf(Floats x) {
  // In this order what is not a number is kept.
  const Floats size = minimum(all(10.2f), absolute(x));
  const Floats sum = size + 3.0f, below = 1.0f + 2.0f * size, inverse = quotient(all(1.0f), sum * below);
  const Floats t = (size - 3.0f) * below * inverse;
  constexpr float factors[] = {-2.6717918808571994e-4f, -7.751173106953502e-4f, 2.003352390602231e-3f, 2.5665604043751955e-3f,
                               -2.3798538371920586e-2f, 6.829574704170227e-2f,  -1.1927079409360886e-1f, 1.29646435379982e-1f,
                               -4.7562409192323685e-2f, -1.3562114536762238e-1f, 1.2530080080032349f};
  Floats p = all(factors[0]);
  for (int k = 1; k < 11; ++k) p = fused(p, t, all(factors[k]));
  const Floats square = size * size;
#if defined(__FMA__)
  const Floats error = fused(size, size, -square);
#else
  const Floats high = of_bits(bits_of(size) & static_cast<int32_t>(0xfffff000)), low = size - high;
  const Floats error = ((high * high - square) + 2.0f * high * low) + low * low;
#endif
  Floats n;
  const Floats rest = exp_of_rest(-square, n);
  const Floats power = scaled(rest + 1.0f, n);
  const Floats result = fused(-power, error, power) * (p * sum * inverse);
  const Floats both = x < 0.0f ? 2.0f - result : result;
  // Near 0 by the series, so that erfc(0) is 1.
  const Floats near = fused(x * -1.12837916709551257390f, fused(square, all(-0.333333333f), all(1.0f)), all(1.0f));
  return size < 0.05f ? near : both;
}

// The x with erf(x) = y, to about 4e-7 of it (Giles 2011, "Approximating the erfinv function").
ALWAYS_INLINE Floats inverse_of_erf(Floats y) {
  const Floats w = -natural(logarithm_of((1.0f - y) * (1.0f + y)));
  constexpr float inner[] = {2.81022636e-08f, 3.43273939e-07f, -3.5233877e-06f, -4.39150654e-06f, 2.1858087e-04f,
                             -1.25372503e-03f, -4.17768164e-03f, 2.46640727e-01f, 1.50140941f};
  constexpr float outer[] = {-2.00214257e-04f, 1.00950558e-04f, 1.34934322e-03f, -3.67342844e-03f, 5.73950773e-03f,
                             -7.6224613e-03f, 9.43887047e-03f, 1.00167406f, 2.83297682f};
  Floats p = all(inner[0]);
  for (int k = 1; k < 9; ++k) p = fused(p, w - 2.5f, all(inner[k]));
  // Few numbers are as near to 1 as what is left.
  const Ints far = ~(w < 5.0f);
  if (__builtin_expect(!any(far), 1)) return p * y;
  const Floats t = square_root(w) - 3.0f;
  Floats q = all(outer[0]);
  for (int k = 1; k < 9; ++k) q = fused(q, t, all(outer[k]));
  const Floats size = absolute(y);
  const Floats result = size == 1.0f ? with_sign_of(all(INFINITY), y) : (far ? q : p) * y;
  return size <= 1.0f ? result : y * NAN;
}

// e to complex powers: exp(x + iy) = exp(x) (cos y + i sin y).
void exp_of_complex(const float* x, float* y, Index size) {
  const Complex<Floats> from = read_pairs<false>(x);
  const Ints odd = ~((absolute(from.re) < 87.0f) & (absolute(from.im) <= kFarAngle));
  if (!any(odd)) {
    const Floats power = exp(from.re);
    write_pairs<false>(Complex<Floats>{power * cosine(from.im), power * sine(from.im)}, y);
    return;
  }
  for (Index i = 0; i < size; ++i) {
    const std::complex<float> power = std::exp(std::complex<float>(x[2 * i], x[2 * i + 1]));
    y[2 * i] = power.real();
    y[2 * i + 1] = power.imag();
  }
}
PyObject* exp_of_complex(const Array& x) {
  if (!is_dense(x)) return declined();
  Array y = laid_out_like(x, Type::complex64);
  if (!y) return nullptr;
  const float* from = x.data<float>();
  float* to = y.data<float>();
  WithoutGil unlocked(x.size() > kGrain);
  parallel_for(x.size(), kGrain, [&](Index begin, Index end) {
    Index i = begin;
    for (; i + kLanes <= end; i += kLanes) exp_of_complex(from + 2 * i, to + 2 * i, kLanes);
    if (i == end) return;
    float last[2 * kLanes] = {}, found[2 * kLanes];
    std::copy_n(from + 2 * i, 2 * (end - i), last);
    exp_of_complex(last, found, kLanes);
    std::copy_n(found, 2 * (end - i), to + 2 * i);
  });
  return y.release();
}

}  // namespace

KERNEL(exp, "exp(x): e to the power of each element") {
  if (count == 1 && is_array(args[0])) {
    const Array x(args[0]);
    if (x.type() == Type::complex64) return exp_of_complex(x);
  }
  return map(args, count, [](Floats x) { return exp(x); });
}

KERNEL(log, "log(x): the natural logarithm") {
  return map(args, count, [](Floats x) { return logarithm(x, natural); });
}

KERNEL(log2, "log2(x): the logarithm to base 2") {
  return map(args, count, [](Floats x) { return logarithm(x, binary); });
}

KERNEL(log10, "log10(x): the logarithm to base 10") {
  return map(args, count, [](Floats x) { return logarithm(x, decimal); });
}

KERNEL(log1p, "log1p(x): the logarithm of 1 + x, near 0 too") {
  return map(args, count, [](Floats x) { return logarithm_of_more(x); });
}

KERNEL(expm1, "expm1(x): exp(x) - 1, near 0 too") {
  return map(args, count, [](Floats x) { return expm1(x); });
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
