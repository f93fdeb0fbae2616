// Vectors of complex numbers: their real parts, and their imaginary parts.
#pragma once

#include <type_traits>

#include "array.h"
#include "vector.h"

namespace facula {

// A complex number in every lane.
template <class V>
struct Complex {
  V re, im;
};

template <class V>
ALWAYS_INLINE Complex<V> operator+(Complex<V> a, Complex<V> b) { return {a.re + b.re, a.im + b.im}; }
template <class V>
ALWAYS_INLINE Complex<V> operator-(Complex<V> a, Complex<V> b) { return {a.re - b.re, a.im - b.im}; }
template <class V, class T>
ALWAYS_INLINE Complex<V> scaled_by(Complex<V> a, T factor) { return {a.re * factor, a.im * factor}; }

template <class V>
ALWAYS_INLINE Complex<V> times(Complex<V> a, Complex<V> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

// Complex numbers side by side in memory, as a vector of their real and one of their imaginary parts; and back. With
// `swapped`, real and imaginary parts are exchanged.
template <bool swapped, class T>
ALWAYS_INLINE Complex<typename VectorOf<T>::type> read_pairs(const T* from) {
  constexpr int lanes = VectorOf<T>::lanes;
  using Places = std::conditional_t<sizeof(T) == 4, Ints, Longs>;
  Places even, odd;
  for (int lane = 0; lane < lanes; ++lane) {
    even[lane] = 2 * lane + swapped;
    odd[lane] = 2 * lane + !swapped;
  }
  const auto a = load(from), b = load(from + lanes);
  return {__builtin_shuffle(a, b, even), __builtin_shuffle(a, b, odd)};
}
template <bool swapped, class T, class V>
ALWAYS_INLINE void write_pairs(Complex<V> a, T* to) {
  constexpr int lanes = VectorOf<T>::lanes;
  using Places = std::conditional_t<sizeof(T) == 4, Ints, Longs>;
  Places first, second;
  for (int lane = 0; lane < lanes; ++lane) {
    first[lane] = lane / 2 + (lane % 2 != swapped) * lanes;
    second[lane] = lanes / 2 + lane / 2 + (lane % 2 != swapped) * lanes;
  }
  store(to, __builtin_shuffle(a.re, a.im, first));
  store(to + lanes, __builtin_shuffle(a.re, a.im, second));
}

}  // namespace facula
