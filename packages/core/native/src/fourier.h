// Discrete Fourier transforms of as many numbers side by side as a vector has lanes.
//
// Numbers lie as vectors: the real parts of element i of all lanes, then their imaginary parts. The algorithm is
// Stockham's (every pass writes its results in order, no bit reversal), with passes of 2, 3, 4, 5, 7, 8, 16
// and primes up to 31. The first pass reads, and the last one writes, where the numbers are wanted. The inverse
// transform is the same with real and imaginary parts exchanged on the way in and on the way out.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "array.h"
#include "complex.h"
#include "squares.h"
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

// Of the passes by definition.
constexpr Index kLargestRadix = 31;

// How a transform of one length is done: its passes, and the factors between them.
template <class T>
struct Plan {
  Index length;
  std::vector<int> radices;
  std::vector<T> factors;  // for each pass: for p in 0 … m - 1, for j in 1 … radix - 1: exp(-2 pi i p j / (m radix))
  std::vector<T> roots;    // exp(-2 pi i k / radix) for those passes that have no formula of their own

  explicit Plan(Index n) : length(n) {
    Index rest = n;
    for (const int radix : {31, 29, 23, 19, 17, 13, 11, 7, 5, 3}) {
      for (; rest % radix == 0; rest /= radix) radices.push_back(radix);
    }
    // Few passes of powers of two, the last, which has no factors, one of 8 or 16.
    int twos = 0;
    for (; rest % 2 == 0; rest /= 2) ++twos;
    if (twos % 3 == 2) radices.push_back(4);
    if (twos % 3 == 1) radices.push_back(twos == 1 ? 2 : 16);
    for (int left = twos % 3 == 1 && twos > 1 ? twos - 4 : twos; left >= 3; left -= 3) radices.push_back(8);
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
      if (radix < 11 || radix == 16) continue;
      for (Index k = 0; k < radix; ++k) {
        roots.resize(roots.size() + 2);
        root_of_unity(k, radix, &roots[roots.size() - 2], &roots[roots.size() - 1]);
      }
    }
  }
};

// Whether all prime factors of a length are ones that passes are made for.
static inline bool has_passes(Index n) {
  for (const Index prime : {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31}) {
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

// Times -i: a quarter of the circle back.
template <class V>
ALWAYS_INLINE Complex<V> turned(Complex<V> a) { return {a.im, -a.re}; }

// Times the number of a table, or its conjugate.
template <bool conjugate, class V, class T>
ALWAYS_INLINE Complex<V> times(Complex<V> a, const T* factor) {
  const T re = factor[0], im = conjugate ? -factor[1] : factor[1];
  return {a.re * re - a.im * im, a.re * im + a.im * re};
}
template <class V>
ALWAYS_INLINE Complex<V> get(const V* x, Index at) { return {x[2 * at], x[2 * at + 1]}; }
template <class V>
ALWAYS_INLINE void put(V* x, Index at, Complex<V> a) {
  x[2 * at] = a.re;
  x[2 * at + 1] = a.im;
}

// One transform of 2, 3, 4, 5, 7, 8 or 16 numbers, in place.
template <int radix, class T, class V>
ALWAYS_INLINE void butterfly(Complex<V> (&a)[radix]) {
  constexpr T half_root = T(0.707106781186547524400844362104849039L);
  if constexpr (radix == 2) {
    const Complex<V> sum = a[0] + a[1];
    a[1] = a[0] - a[1];
    a[0] = sum;
  } else if constexpr (radix == 3) {
    const Complex<V> sum = a[1] + a[2];
    const Complex<V> middle = a[0] - scaled_by(sum, T(0.5));
    const Complex<V> side = turned(scaled_by(a[1] - a[2], T(0.866025403784438646763723170752936183L)));
    a[0] = a[0] + sum;
    a[1] = middle + side;
    a[2] = middle - side;
  } else if constexpr (radix == 4) {
    const Complex<V> even = a[0] + a[2], odd = a[1] + a[3];
    const Complex<V> even_rest = a[0] - a[2], odd_rest = turned(a[1] - a[3]);
    a[0] = even + odd;
    a[1] = even_rest + odd_rest;
    a[2] = even - odd;
    a[3] = even_rest - odd_rest;
  } else if constexpr (radix == 8) {
    Complex<V> even[4] = {a[0], a[2], a[4], a[6]}, odd[4] = {a[1], a[3], a[5], a[7]};
    butterfly<4, T>(even);
    butterfly<4, T>(odd);
    odd[1] = scaled_by(Complex<V>{odd[1].re + odd[1].im, odd[1].im - odd[1].re}, half_root);
    odd[2] = turned(odd[2]);
    odd[3] = scaled_by(Complex<V>{odd[3].im - odd[3].re, -odd[3].re - odd[3].im}, half_root);
    for (int k = 0; k < 4; ++k) {
      a[k] = even[k] + odd[k];
      a[k + 4] = even[k] - odd[k];
    }
  } else if constexpr (radix == 16) {
    // As a square of 4 by 4: its columns, factors, its rows.
    constexpr T c = T(0.923879532511286756128183189396788287L), s = T(0.382683432365089771728459984030398866L);
    constexpr T one[2] = {c, -s}, three[2] = {s, -c}, nine[2] = {-c, s};
    Complex<V> b[4][4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      Complex<V> column[4] = {a[i], a[i + 4], a[i + 8], a[i + 12]};
      butterfly<4, T>(column);
      if (i == 1) {
        column[1] = times<false>(column[1], one);
        column[2] = scaled_by(Complex<V>{column[2].re + column[2].im, column[2].im - column[2].re}, half_root);
        column[3] = times<false>(column[3], three);
      } else if (i == 2) {
        column[1] = scaled_by(Complex<V>{column[1].re + column[1].im, column[1].im - column[1].re}, half_root);
        column[2] = turned(column[2]);
        column[3] = scaled_by(Complex<V>{column[3].im - column[3].re, -column[3].re - column[3].im}, half_root);
      } else if (i == 3) {
        column[1] = times<false>(column[1], three);
        column[2] = scaled_by(Complex<V>{column[2].im - column[2].re, -column[2].re - column[2].im}, half_root);
        column[3] = times<false>(column[3], nine);
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) b[j][i] = column[j];
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      butterfly<4, T>(b[j]);
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) a[j + 4 * k] = b[j][k];
    }
  } else {
    // An odd prime: sums and differences of what lies opposite, times cosines and sines.
    static_assert(radix == 5 || radix == 7);
    constexpr T cosines[2][3] = {
        {T(0.309016994374947424102293417182819059L), T(-0.809016994374947424102293417182819059L), 0},
        {T(0.623489801858733530525004884004239810L), T(-0.222520933956314404288902564496794760L),
         T(-0.900968867902419126236102319507445051L)}};
    constexpr T sines[2][3] = {
        {T(0.951056516295153572116439333379382143L), T(0.587785252292473129168705954639072769L), 0},
        {T(0.781831482468029808708444526674057751L), T(0.974927912181823607018131682993931217L),
         T(0.433883739117558120475768332848358754L)}};
    constexpr int pairs = radix / 2;
    const auto& c = cosines[radix == 7];
    const auto& s = sines[radix == 7];
    Complex<V> sums[pairs], rests[pairs], first = a[0];
    for (int k = 0; k < pairs; ++k) {
      sums[k] = a[k + 1] + a[radix - 1 - k];
      rests[k] = a[k + 1] - a[radix - 1 - k];
      first = first + sums[k];
    }
#pragma GCC unroll 3
    for (int j = 1; j <= pairs; ++j) {
      Complex<V> middle = a[0], side = {V{}, V{}};
#pragma GCC unroll 3
      for (int k = 1; k <= pairs; ++k) {
        const int at = j * k % radix, place = (at <= pairs ? at : radix - at) - 1;
        middle = middle + scaled_by(sums[k - 1], c[place]);
        const Complex<V> part = scaled_by(rests[k - 1], s[place]);
        side = k == 1 ? (at <= pairs ? part : Complex<V>{-part.re, -part.im}) : at <= pairs ? side + part : side - part;
      }
      side = turned(side);
      a[j] = middle + side;
      a[radix - j] = middle - side;
    }
    a[0] = first;
  }
}

// Begins to fetch memory for a vector of complex numbers: what lies far apart the processor does not foresee.
template <class T>
ALWAYS_INLINE void ask_for_pairs(const T* at) {
  __builtin_prefetch(at, 0, 2);
  __builtin_prefetch(at + VectorOf<T>::lanes, 0, 2);
}

// Where a first pass reads element i of all lanes.
template <class V, bool swapped = false>
struct FromLanes {
  const V* x;
  __attribute__((always_inline)) Complex<V> operator()(Index i) const { return {x[2 * i + swapped], x[2 * i + !swapped]}; }
};
template <class T, bool swapped>
struct FromPairs {
  const T* x;
  Index step;  // from one element to the next
  __attribute__((always_inline)) auto operator()(Index i) const {
    ask_for_pairs(x + i * step + 2 * VectorOf<T>::lanes);  // read next
    return read_pairs<swapped>(x + i * step);
  }
};

// Where a pass writes.
template <class V>
struct ToLanes {
  static constexpr bool last = false;
  V* y;
  __attribute__((always_inline)) void operator()(Index i, Complex<V> a) const { put(y, i, a); }
};
template <class T, bool swapped>
struct ToScaled {
  using V = typename VectorOf<T>::type;
  static constexpr bool last = true;
  V* y;
  T scale;
  __attribute__((always_inline)) void operator()(Index i, Complex<V> a) const {
    y[2 * i + swapped] = a.re * scale;
    y[2 * i + !swapped] = a.im * scale;
  }
};
template <class T, bool swapped>
struct ToPairs {
  static constexpr bool last = true;
  T* y;
  Index step;
  T scale;
  Index ahead;  // from what is written now to what is written next
  template <class V>
  __attribute__((always_inline)) void operator()(Index i, Complex<V> a) const {
    ask_for_pairs(y + i * step + ahead);
    write_pairs<swapped>(scaled_by(a, scale), y + i * step);
  }
};

// One pass: of each `m` numbers that are m * step apart a transform, times the factors to the next pass. Not copied into its
// callers, so that products and sums are joined in the same way everywhere.
template <int radix, class T, class From, class To>
__attribute__((noinline)) void pass(const From from, const To to, Index m, Index step, const T* factors) {
  using V = typename VectorOf<T>::type;
  const auto some = [&](Index p, const T* own, auto plain) __attribute__((always_inline)) {
    for (Index q = 0; q < step; ++q) {
      Complex<V> a[radix];
#pragma GCC unroll 16
      for (int k = 0; k < radix; ++k) a[k] = from(q + step * (p + m * k));
      butterfly<radix, T>(a);
      to(q + step * radix * p, a[0]);
#pragma GCC unroll 16
      for (int j = 1; j < radix; ++j) {
        to(q + step * (radix * p + j), decltype(plain)::value ? a[j] : times<false>(a[j], own + 2 * (j - 1)));
      }
    }
  };
  some(0, factors, std::true_type());
  if constexpr (!To::last) {
    for (Index p = 1; p < m; ++p) some(p, factors + 2 * (radix - 1) * p, std::false_type());
  }
}

// The same for a prime that has no formula of its own, by its definition.
template <class T, class From, class To>
__attribute__((noinline)) void pass_of_prime(const From from, const To to, Index m, Index step, const T* factors, int radix,
                                             const T* roots) {
  using V = typename VectorOf<T>::type;
  for (Index p = 0; p < m; ++p, factors += 2 * (radix - 1)) {
    for (Index q = 0; q < step; ++q) {
      Complex<V> a[kLargestRadix];
      for (int k = 0; k < radix; ++k) a[k] = from(q + step * (p + m * k));
      for (int j = 0; j < radix; ++j) {
        Complex<V> sum = a[0];
        for (int k = 1; k < radix; ++k) sum = sum + times<false>(a[k], roots + 2 * (j * k % radix));
        to(q + step * (radix * p + j), j == 0 || p == 0 ? sum : times<false>(sum, factors + 2 * (j - 1)));
      }
    }
  }
}

// Goes through the passes of a plan, one after the other.
template <class T>
class Passes {
 public:
  using V = typename VectorOf<T>::type;
  explicit Passes(const Plan<T>& plan)
      : plan_(plan), m_(plan.length), factors_(plan.factors.data()), roots_(plan.roots.data()) {}

  Index left() const { return static_cast<Index>(plan_.radices.size()) - done_; }

  template <class From, class To>
  void next(const From& from, const To& to) {
    const int radix = plan_.radices[static_cast<size_t>(done_++)];
    m_ /= radix;
    switch (radix) {
      case 2: pass<2, T>(from, to, m_, step_, factors_); break;
      case 3: pass<3, T>(from, to, m_, step_, factors_); break;
      case 4: pass<4, T>(from, to, m_, step_, factors_); break;
      case 5: pass<5, T>(from, to, m_, step_, factors_); break;
      case 7: pass<7, T>(from, to, m_, step_, factors_); break;
      case 8: pass<8, T>(from, to, m_, step_, factors_); break;
      case 16: pass<16, T>(from, to, m_, step_, factors_); break;
      default:
        pass_of_prime<T>(from, to, m_, step_, factors_, radix, roots_);
        roots_ += 2 * radix;
    }
    factors_ += 2 * (radix - 1) * m_;
    step_ *= radix;
  }

 private:
  const Plan<T>& plan_;
  Index m_, step_ = 1, done_ = 0;
  const T* factors_;
  const T* roots_;
};

// Transforms what `from` gives, times `scale`, with two buffers as room, of which it may read the second; returns which of
// them holds the result.
template <bool swapped, class T, class V, class From>
V* transform_lanes(const Plan<T>& plan, const From& from, V* u, V* v, T scale) {
  Passes<T> passes(plan);
  if (passes.left() <= 1) {
    const ToScaled<T, swapped> to = {u, scale};
    if (passes.left() == 0) {
      to(0, from(0));
    } else {
      passes.next(from, to);
    }
    return u;
  }
  passes.next(from, ToLanes<V>{u});
  for (; passes.left() > 1; std::swap(u, v)) passes.next(FromLanes<V>{u}, ToLanes<V>{v});
  passes.next(FromLanes<V>{u}, ToScaled<T, swapped>{v, scale});
  return v;
}

// The same, written by `to`.
template <class T, class V, class From, class To>
void transform_lanes_to(const Plan<T>& plan, const From& from, V* u, V* v, const To& to) {
  Passes<T> passes(plan);
  if (passes.left() == 0) return to(0, from(0));
  if (passes.left() == 1) return passes.next(from, to);
  passes.next(from, ToLanes<V>{u});
  for (; passes.left() > 1; std::swap(u, v)) passes.next(FromLanes<V>{u}, ToLanes<V>{v});
  passes.next(FromLanes<V>{u}, to);
}

}  // namespace facula
