// Discrete Fourier transforms of as many numbers side by side as a vector has lanes.
//
// Numbers lie as vectors: the real parts of element i of all lanes, then their imaginary parts. The algorithm is
// Stockham's (every pass writes its results in order, no bit reversal), with passes of 2, 3, 4, 5 and any small prime.
#pragma once

#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "array.h"
#include "vector.h"

namespace facula {

// exp(-2 pi i k / n), to the last bit or so of T.
template <class T>
static inline void root_of_unity(Index k, Index n, T* re, T* im) {
  // Within an eighth of the circle, where nothing is lost.
  k %= n;
  const bool below = 2 * k > n;
  if (below) k = n - k;
  const bool left = 4 * k > n;
  const Index doubled = left ? n - 2 * k : 2 * k;  // over 2 n, between 0 and a quarter of the circle
  const long double pi = 3.14159265358979323846264338327950288L;
  const long double angle = pi * static_cast<long double>(doubled) / static_cast<long double>(n);
  const long double cosine = std::cos(angle), sine = std::sin(angle);
  *re = static_cast<T>(left ? -cosine : cosine);
  *im = static_cast<T>(below ? sine : -sine);
}

constexpr Index kLargestRadix = 13;

// How a transform of one length is done: its passes, and the factors between them.
template <class T>
struct Plan {
  Index length;
  std::vector<int> radices;
  std::vector<T> factors;  // for each pass: for p in 0 … m - 1, for j in 1 … radix - 1: exp(-2 pi i p j / (m radix))
  std::vector<T> roots;    // exp(-2 pi i k / radix) for those passes that have no formula of their own

  explicit Plan(Index n) : length(n) {
    Index rest = n;
    for (const int radix : {4, 2, 3, 5, 7, 11, 13}) {
      while (rest % radix == 0) {
        radices.push_back(radix);
        rest /= radix;
      }
    }
    Index size = n;
    for (const int radix : radices) {
      const Index m = size / radix;
      for (Index p = 0; p < m; ++p) {
        for (Index j = 1; j < radix; ++j) {
          factors.resize(factors.size() + 2);
          root_of_unity(p * j, size, &factors[factors.size() - 2], &factors[factors.size() - 1]);
        }
      }
      size = m;
    }
    for (const int radix : radices) {
      if (radix <= 5) continue;
      for (Index k = 0; k < radix; ++k) {
        roots.resize(roots.size() + 2);
        root_of_unity(k, radix, &roots[roots.size() - 2], &roots[roots.size() - 1]);
      }
    }
  }
};

// Whether all prime factors of a length are ones that passes are made for.
static inline bool has_passes(Index n) {
  for (const Index prime : {2, 3, 5, 7, 11, 13}) {
    while (n % prime == 0) n /= prime;
  }
  return n == 1;
}

// What belongs to a length, made once; a program uses few lengths, and when they are many all are forgotten.
template <class Made, class Make>
static inline std::shared_ptr<const Made> kept_for(Index n, const Make& make) {
  static std::mutex lock;
  static std::map<Index, std::shared_ptr<const Made>> kept;
  const std::lock_guard<std::mutex> held(lock);
  const auto found = kept.find(n);
  if (found != kept.end()) return found->second;
  if (kept.size() >= 64) kept.clear();
  return kept[n] = make();
}

template <class T>
static inline std::shared_ptr<const Plan<T>> plan_of(Index n) {
  return kept_for<Plan<T>>(n, [n] { return std::make_shared<const Plan<T>>(n); });
}

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

// Times -i, or i for the inverse: a quarter of the circle on.
template <bool inverse, class V>
ALWAYS_INLINE Complex<V> turned(Complex<V> a) {
  if constexpr (inverse) return {-a.im, a.re};
  return {a.im, -a.re};
}

// Times the number of a table, or its conjugate for the inverse.
template <bool inverse, class V, class T>
ALWAYS_INLINE Complex<V> times(Complex<V> a, const T* factor) {
  const T re = factor[0], im = inverse ? -factor[1] : factor[1];
  return {a.re * re - a.im * im, a.re * im + a.im * re};
}

template <class V>
ALWAYS_INLINE Complex<V> get(const V* x, Index at) { return {x[2 * at], x[2 * at + 1]}; }
template <class V>
ALWAYS_INLINE void put(V* x, Index at, Complex<V> a) {
  x[2 * at] = a.re;
  x[2 * at + 1] = a.im;
}

// One transform of 2 to 5 numbers.
template <int radix, bool inverse, class T, class V>
ALWAYS_INLINE void butterfly(Complex<V> (&a)[radix]) {
  if constexpr (radix == 2) {
    const Complex<V> sum = a[0] + a[1];
    a[1] = a[0] - a[1];
    a[0] = sum;
  } else if constexpr (radix == 3) {
    const Complex<V> sum = a[1] + a[2];
    const Complex<V> middle = a[0] - scaled_by(sum, T(0.5));
    const Complex<V> side = turned<inverse>(scaled_by(a[1] - a[2], T(0.866025403784438646763723170752936183L)));
    a[0] = a[0] + sum;
    a[1] = middle + side;
    a[2] = middle - side;
  } else if constexpr (radix == 4) {
    const Complex<V> even = a[0] + a[2], odd = a[1] + a[3];
    const Complex<V> even_rest = a[0] - a[2], odd_rest = turned<inverse>(a[1] - a[3]);
    a[0] = even + odd;
    a[1] = even_rest + odd_rest;
    a[2] = even - odd;
    a[3] = even_rest - odd_rest;
  } else {
    static_assert(radix == 5);
    constexpr T c1 = T(0.309016994374947424102293417182819059L), c2 = T(-0.809016994374947424102293417182819059L);
    constexpr T s1 = T(0.951056516295153572116439333379382143L), s2 = T(0.587785252292473129168705954639072769L);
    const Complex<V> near = a[1] + a[4], far = a[2] + a[3];
    const Complex<V> near_rest = a[1] - a[4], far_rest = a[2] - a[3];
    const Complex<V> one = a[0] + scaled_by(near, c1) + scaled_by(far, c2);
    const Complex<V> two = a[0] + scaled_by(near, c2) + scaled_by(far, c1);
    const Complex<V> one_side = turned<inverse>(scaled_by(near_rest, s1) + scaled_by(far_rest, s2));
    const Complex<V> two_side = turned<inverse>(scaled_by(near_rest, s2) - scaled_by(far_rest, s1));
    a[0] = a[0] + near + far;
    a[1] = one + one_side;
    a[2] = two + two_side;
    a[3] = two - two_side;
    a[4] = one - one_side;
  }
}

// One pass: of each `m` numbers that are m * step apart a transform, times the factors to the next pass.
template <int radix, bool inverse, class T, class V>
void pass(const V* x, V* y, Index m, Index step, const T* factors) {
  for (Index p = 0; p < m; ++p, factors += 2 * (radix - 1)) {
    for (Index q = 0; q < step; ++q) {
      Complex<V> a[radix];
      for (int k = 0; k < radix; ++k) a[k] = get(x, q + step * (p + m * k));
      butterfly<radix, inverse, T>(a);
      put(y, q + step * radix * p, a[0]);
      for (int j = 1; j < radix; ++j) {
        put(y, q + step * (radix * p + j), p == 0 ? a[j] : times<inverse>(a[j], factors + 2 * (j - 1)));
      }
    }
  }
}

// The same for a prime that has no formula of its own, by its definition.
template <bool inverse, class T, class V>
void pass_of_prime(const V* x, V* y, Index m, Index step, const T* factors, int radix, const T* roots) {
  for (Index p = 0; p < m; ++p, factors += 2 * (radix - 1)) {
    for (Index q = 0; q < step; ++q) {
      for (int j = 0; j < radix; ++j) {
        Complex<V> sum = get(x, q + step * p);
        for (int k = 1; k < radix; ++k) {
          sum = sum + times<inverse>(get(x, q + step * (p + m * k)), roots + 2 * (j * k % radix));
        }
        put(y, q + step * (radix * p + j), j == 0 || p == 0 ? sum : times<inverse>(sum, factors + 2 * (j - 1)));
      }
    }
  }
}

// Transforms what is in `x`, with `y` as room; returns which of the two holds the result.
template <bool inverse, class T, class V>
V* transform_lanes(const Plan<T>& plan, V* x, V* y) {
  const T* factors = plan.factors.data();
  const T* roots = plan.roots.data();
  Index m = plan.length, step = 1;
  for (const int radix : plan.radices) {
    m /= radix;
    switch (radix) {
      case 2: pass<2, inverse, T>(x, y, m, step, factors); break;
      case 3: pass<3, inverse, T>(x, y, m, step, factors); break;
      case 4: pass<4, inverse, T>(x, y, m, step, factors); break;
      case 5: pass<5, inverse, T>(x, y, m, step, factors); break;
      default:
        pass_of_prime<inverse, T>(x, y, m, step, factors, radix, roots);
        roots += 2 * radix;
    }
    factors += 2 * (radix - 1) * m;
    step *= radix;
    std::swap(x, y);
  }
  return x;
}

// Rows and columns of a square of vectors change places: blocks of half its side, then within those blocks.
template <class T, int width, class V>
ALWAYS_INLINE void turn_blocks(V* rows) {
  constexpr int lanes = VectorOf<T>::lanes;
  using Places = std::conditional_t<sizeof(T) == 4, Ints, Longs>;
  Places low, high;
  for (int lane = 0; lane < lanes; ++lane) {
    low[lane] = (lane & width) == 0 ? lane : lanes + (lane - width);
    high[lane] = (lane & width) == 0 ? lane + width : lanes + lane;
  }
#pragma GCC unroll 16
  for (int row = 0; row < lanes; ++row) {
    if ((row & width) != 0) continue;
    const V a = rows[row], b = rows[row + width];
    rows[row] = __builtin_shuffle(a, b, low);
    rows[row + width] = __builtin_shuffle(a, b, high);
  }
}

template <class T, class V>
ALWAYS_INLINE void turn_square(V* rows) {
  constexpr int lanes = VectorOf<T>::lanes;
  if constexpr (lanes >= 16) turn_blocks<T, 8>(rows);
  if constexpr (lanes >= 8) turn_blocks<T, 4>(rows);
  if constexpr (lanes >= 4) turn_blocks<T, 2>(rows);
  if constexpr (lanes >= 2) turn_blocks<T, 1>(rows);
}

// The numbers of `count` rows, at most one a lane, as vectors: to[i] is element i of all rows. Other lanes hold
// what nobody reads.
template <class T, class V>
void rows_to_lanes(const T* const* rows, int count, Index length, V* to) {
  constexpr int lanes = VectorOf<T>::lanes;
  const T* from[lanes];
  for (int row = 0; row < lanes; ++row) from[row] = rows[row < count ? row : 0];
  Index i = 0;
  for (; i + lanes <= length; i += lanes) {
    V square[lanes];
#pragma GCC unroll 16
    for (int row = 0; row < lanes; ++row) square[row] = load(from[row] + i);
    turn_square<T>(square);
#pragma GCC unroll 16
    for (int row = 0; row < lanes; ++row) to[i + row] = square[row];
  }
  for (; i < length; ++i) {
    V value{};
    for (int row = 0; row < count; ++row) value[row] = rows[row][i];
    to[i] = value;
  }
}

template <class T, class V>
void lanes_to_rows(const V* from, T* const* rows, int count, Index length) {
  constexpr int lanes = VectorOf<T>::lanes;
  Index i = 0;
  for (; i + lanes <= length; i += lanes) {
    V square[lanes];
#pragma GCC unroll 16
    for (int row = 0; row < lanes; ++row) square[row] = from[i + row];
    turn_square<T>(square);
#pragma GCC unroll 16
    for (int row = 0; row < lanes; ++row) {
      if (row < count) store(rows[row] + i, square[row]);
    }
  }
  for (; i < length; ++i) {
    for (int row = 0; row < count; ++row) rows[row][i] = from[i][row];
  }
}

}  // namespace facula
