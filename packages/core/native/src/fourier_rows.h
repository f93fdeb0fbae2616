// Fourier transforms of single rows: those that are done by themselves, and those of any length by a convolution.
//
// A row whose length is a multiple of the lanes is transformed by itself: its first pass has as many numbers as a vector has
// lanes, and after it the rest are transforms of lanes side by side.
#pragma once

#include <algorithm>
#include <type_traits>

#include "fourier.h"
#include "parallel.h"
#include "scratch.h"

namespace facula {
namespace {

// A transform side by side of more numbers than this would leave the cache.
constexpr Index kLongest = 4096;

// The arrays' rows along the last dimension, wherever they lie.
class Rows {
 public:
  explicit Rows(const Array& x) : data_(x.data<char>()) {
    for (int dim = 0; dim < x.dims() - 1; ++dim) {
      const Index length = x.shape(dim), step = x.stride(dim);
      count_ *= length;
      if (length == 1) continue;
      // Two dimensions that lie as one are one: finding a row is then no division.
      if (dims_ > 0 && step_[dims_ - 1] == length * step) {
        length_[dims_ - 1] *= length;
        step_[dims_ - 1] = step;
        continue;
      }
      length_[dims_] = length;
      step_[dims_++] = step;
    }
  }
  // Rows of complex numbers, one after the other.
  template <class T>
  Rows(const T* data, Index rows, Index length) : dims_(1), data_(reinterpret_cast<const char*>(data)), count_(rows) {
    length_[0] = rows;
    step_[0] = 2 * length * static_cast<Index>(sizeof(T));
  }
  Index count() const { return count_; }
  template <class T>
  const T* row(Index at) const {
    const char* found = data_;
    for (int dim = dims_ - 1; dim > 0; --dim) {
      found += at % length_[dim] * step_[dim];
      at /= length_[dim];
    }
    return reinterpret_cast<const T*>(dims_ == 0 ? found : found + at * step_[0]);
  }

 private:
  int dims_ = 0;
  const char* data_;
  Index count_ = 1;
  Index length_[NPY_MAXDIMS];
  Index step_[NPY_MAXDIMS];
};

// From the transform of n / 2 complex numbers, whose parts are the even and the odd of n real ones, to theirs, at k and
// n / 2 - k: with E and O the transforms of the even and odd ones, E + w O and the conjugate of E - w O.
template <class T, class V>
ALWAYS_INLINE void split_pair(Complex<V> a, Complex<V> b, const T* w, Complex<V>* low, Complex<V>* high) {
  const Complex<V> even = {(a.re + b.re) * T(0.5), (a.im - b.im) * T(0.5)};
  const Complex<V> odd = {(a.im + b.im) * T(0.5), (b.re - a.re) * T(0.5)};
  const Complex<V> moved = times<false>(odd, w);
  *low = even + moved;
  const Complex<V> rest = even - moved;
  *high = {rest.re, -rest.im};
}

// The other way, times 2: from the spectrum at k and n / 2 - k of n real numbers to that of n / 2 complex ones.
template <class T, class V>
ALWAYS_INLINE void join_pair(Complex<V> low, Complex<V> high, const T* w, Complex<V>* a, Complex<V>* b) {
  const Complex<V> even = {low.re + high.re, low.im - high.im};
  const Complex<V> odd = times<true>(Complex<V>{low.re - high.re, low.im + high.im}, w);
  *a = {even.re - odd.im, even.im + odd.re};
  *b = {even.re + odd.im, odd.re - even.im};
}

// exp(-2 pi i k / n) for any k: the product of one of a coarse and one of a fine table.
template <class T>
class Roots {
 public:
  explicit Roots(Index n) : n_(n), fine_(2 * kFine), coarse_(2 * (n / kFine + 1)) {
    for (Index k = 0; k < kFine; ++k) root_of_unity(k, n, &fine_[2 * k], &fine_[2 * k + 1]);
    for (Index k = 0; k <= n / kFine; ++k) root_of_unity(k * kFine, n, &coarse_[2 * k], &coarse_[2 * k + 1]);
  }
  void at(Index k, T* root) const {
    k %= n_;
    const double* a = &coarse_[2 * (k / kFine)];
    const double* b = &fine_[2 * (k % kFine)];
    root[0] = static_cast<T>(a[0] * b[0] - a[1] * b[1]);
    root[1] = static_cast<T>(a[0] * b[1] + a[1] * b[0]);
  }

 private:
  static constexpr Index kFine = 512;
  Index n_;
  std::vector<double> fine_, coarse_;
};

template <class T>
std::shared_ptr<const Roots<T>> roots_of(Index n) {
  return kept_for<Roots<T>>(n, [n] { return std::make_shared<const Roots<T>>(n); });
}

// exp(-2 pi i k / n) for k = 0 … n / 2.
template <class T>
std::shared_ptr<const std::vector<T>> half_table_of(Index n) {
  return kept_for<std::vector<T>>(n, [n] {
    auto table = std::make_shared<std::vector<T>>(static_cast<size_t>(2 * (n / 2 + 1)));
    const Roots<T> roots(n);
    for (Index k = 0; k <= n / 2; ++k) roots.at(k, table->data() + 2 * k);
    return table;
  });
}

// Whether a row is transformed by itself.
template <class T>
bool is_done_alone(Index n) {
  constexpr Index lanes = VectorOf<T>::lanes;
  return n % lanes == 0 && n / lanes >= lanes && has_passes(n);
}

// Complex numbers, of which vectors of real and of imaginary parts follow each other.
template <class T>
using Vectors = std::vector<Complex<typename VectorOf<T>::type>>;

template <class T>
void set_number(Vectors<T>& to, Index at, T re, T im) {
  constexpr Index lanes = VectorOf<T>::lanes;
  to[static_cast<size_t>(at / lanes)].re[at % lanes] = re;
  to[static_cast<size_t>(at / lanes)].im[at % lanes] = im;
}

// How a row is transformed by itself: the first pass has one number for each lane, for `rest` numbers; then `rest`.
template <class T>
struct RowPlan {
  static constexpr Index lanes = VectorOf<T>::lanes;
  Index length, m;
  std::shared_ptr<const Plan<T>> rest;
  Vectors<T> factors;  // for each vector of p, for j in 1 … lanes - 1: exp(-2 pi i p j / n)
  explicit RowPlan(Index n) : length(n), m(n / lanes), rest(plan_of<T>(m)) {
    const Roots<T> roots(n);
    for (Index block = 0; block * lanes < m; ++block) {
      for (Index j = 1; j < lanes; ++j) {
        factors.emplace_back();
        for (Index lane = 0; lane < lanes; ++lane) {
          T root[2];
          roots.at((first_of(block) + lane) * j, root);
          factors.back().re[lane] = root[0];
          factors.back().im[lane] = root[1];
        }
      }
    }
  }
  // The last vector overlaps the one before where m is no multiple of the lanes.
  Index first_of(Index block) const { return std::min(block * lanes, m - lanes); }
};

template <class T>
std::shared_ptr<const RowPlan<T>> row_plan_of(Index n) {
  return kept_for<RowPlan<T>>(n, [n] { return std::make_shared<const RowPlan<T>>(n); });
}

// The first pass of a row, from its numbers to lanes. On the way it asks for the memory of the next row.
template <class T, bool swapped>
__attribute__((noinline)) void pass_of_row(
    const RowPlan<T>& plan, const T* from, typename VectorOf<T>::type* to, const T* next) {
  using V = typename VectorOf<T>::type;
  constexpr int lanes = VectorOf<T>::lanes;
  const Complex<V>* factors = plan.factors.data();
  for (Index block = 0; block * lanes < plan.m; ++block, factors += lanes - 1) {
    const Index p = plan.first_of(block);
    Complex<V> a[lanes];
#pragma GCC unroll 16
    for (int k = 0; k < lanes; ++k) {
      const Index at = 2 * (p + plan.m * k);
      a[k] = read_pairs<swapped>(from + at);
      ask_for_pairs(next + at);
    }
    butterfly<lanes, T>(a);
#pragma GCC unroll 16
    for (int j = 1; j < lanes; ++j) a[j] = times(a[j], factors[j - 1]);
    V square[lanes];
#pragma GCC unroll 16
    for (int j = 0; j < lanes; ++j) square[j] = a[j].re;
    turn_square<T>(square);
#pragma GCC unroll 16
    for (int j = 0; j < lanes; ++j) to[2 * (p + j)] = square[j];
#pragma GCC unroll 16
    for (int j = 0; j < lanes; ++j) square[j] = a[j].im;
    turn_square<T>(square);
#pragma GCC unroll 16
    for (int j = 0; j < lanes; ++j) to[2 * (p + j) + 1] = square[j];
  }
}

// exp(-2 pi i k / n) for k = 0 … n / 2 - 1.
template <class T>
std::shared_ptr<const Vectors<T>> half_vectors_of(Index n) {
  return kept_for<Vectors<T>>(n, [n] {
    auto table = std::make_shared<Vectors<T>>(static_cast<size_t>(n / 2 / VectorOf<T>::lanes));
    const Roots<T> roots(n);
    for (Index k = 0; k < n / 2; ++k) {
      T root[2];
      roots.at(k, root);
      set_number<T>(*table, k, root[0], root[1]);
    }
    return table;
  });
}

// The numbers at n - k for those at k, of which `next` holds that of the first lane, and `before` the others backwards.
template <class T, class V>
ALWAYS_INLINE V mirrored(V next, V before) {
  constexpr int lanes = VectorOf<T>::lanes;
  std::conditional_t<sizeof(T) == 4, Ints, Longs> places;
  for (int lane = 0; lane < lanes; ++lane) places[lane] = lane == 0 ? 0 : 2 * lanes - lane;
  return __builtin_shuffle(next, before, places);
}
template <class T, class V>
ALWAYS_INLINE V reversed(V x) {
  constexpr int lanes = VectorOf<T>::lanes;
  std::conditional_t<sizeof(T) == 4, Ints, Longs> places;
  for (int lane = 0; lane < lanes; ++lane) places[lane] = lanes - 1 - lane;
  return __builtin_shuffle(x, places);
}

// From the transform of the half of a row, in lanes, to the first half of the spectrum of the real row.
template <class T>
__attribute__((noinline)) void split_row(
    const typename VectorOf<T>::type* z, Index m, const Complex<typename VectorOf<T>::type>* table, T* to) {
  using V = typename VectorOf<T>::type;
  constexpr Index lanes = VectorOf<T>::lanes;
  for (Index b = 0; b < m; ++b) {
    const Index next = b == 0 ? 0 : m - b, before = m - b - 1;
    const Complex<V> own = get(z, b);
    const Complex<V> other = {mirrored<T>(z[2 * next], z[2 * before]), mirrored<T>(z[2 * next + 1], z[2 * before + 1])};
    const Complex<V> even = {(own.re + other.re) * T(0.5), (own.im - other.im) * T(0.5)};
    const Complex<V> odd = {(own.im + other.im) * T(0.5), (other.re - own.re) * T(0.5)};
    write_pairs<false>(even + times(odd, table[b]), to + 2 * b * lanes);
  }
  to[2 * m * lanes] = z[0][0] - z[1][0];
  to[2 * m * lanes + 1] = 0;
}

// The other way, to numbers side by side in memory.
template <class T>
__attribute__((noinline)) void join_row(
    const T* from, Index m, const Complex<typename VectorOf<T>::type>* table, T* to) {
  using V = typename VectorOf<T>::type;
  constexpr Index lanes = VectorOf<T>::lanes;
  const Index half = m * lanes;
  for (Index b = 0; b < m; ++b) {
    Complex<V> low = read_pairs<false>(from + 2 * b * lanes);
    const Complex<V> behind = read_pairs<false>(from + 2 * (half - (b + 1) * lanes + 1));
    Complex<V> high = {reversed<T>(behind.re), reversed<T>(behind.im)};
    if (b == 0) low.im[0] = high.im[0] = 0;  // no real signal has these
    const Complex<V> even = {low.re + high.re, low.im - high.im}, rest = {low.re - high.re, low.im + high.im};
    const Complex<V> odd = times(rest, Complex<V>{table[b].re, -table[b].im});
    write_pairs<false>(Complex<V>{even.re - odd.im, even.im + odd.re}, to + 2 * b * lanes);
  }
}

// Tables for a length of any kind, by convolution with a chirp (Bluestein 1970), done with transforms of `longer`:
// n k = (n^2 + k^2 - (n - k)^2) / 2.
template <class T>
struct ChirpPlan {
  static constexpr Index lanes = VectorOf<T>::lanes;
  Index length, longer;
  std::shared_ptr<const RowPlan<T>> plan;
  Vectors<T> chirp;     // exp(-pi i k^2 / n), then zeros
  Vectors<T> spectrum;  // of the chirp's conjugate, over `longer`

  explicit ChirpPlan(Index n) : length(n), longer(0) {
    for (const Index factor : {1, 3, 5, 9, 15}) {
      Index found = factor;
      while (found < 2 * n - 1 || !is_done_alone<T>(found)) found *= 2;
      if (longer == 0 || found < longer) longer = found;
    }
    plan = row_plan_of<T>(longer);
    chirp.resize(static_cast<size_t>((n + lanes - 1) / lanes));
    std::vector<T> around(static_cast<size_t>(2 * longer));
    for (Index k = 0; k < n; ++k) {
      T re, im;
      root_of_unity(static_cast<Index>(static_cast<__int128>(k) * k % (2 * n)), 2 * n, &re, &im);
      set_number<T>(chirp, k, re, im);
      for (const Index at : {k, (longer - k) % longer}) {
        around[static_cast<size_t>(2 * at)] = re / static_cast<T>(longer);
        around[static_cast<size_t>(2 * at + 1)] = -im / static_cast<T>(longer);
      }
    }
    using V = typename VectorOf<T>::type;
    V* room = scratch<V>(Purpose::transformed, static_cast<size_t>(4 * plan->m));
    if (room == nullptr) return;
    pass_of_row<T, false>(*plan, around.data(), room, around.data());
    const V* z = transform_lanes<false>(*plan->rest, FromLanes<V>{room}, room + 2 * plan->m, room, T(1));
    for (Index i = 0; i < plan->m; ++i) spectrum.push_back(get(z, i));
  }
};

template <class T>
std::shared_ptr<const ChirpPlan<T>> chirp_plan_of(Index n) {
  return kept_for<ChirpPlan<T>>(n, [n] { return std::make_shared<const ChirpPlan<T>>(n); });
}

// Where a last pass multiplies by the spectrum of the chirp, and writes for the way back.
template <class T>
struct ToConvolved {
  using V = typename VectorOf<T>::type;
  static constexpr bool last = true;
  const Complex<V>* spectrum;
  T* y;
  __attribute__((always_inline)) void operator()(Index k, Complex<V> a) const {
    write_pairs<true>(times(a, spectrum[k]), y + 2 * k * VectorOf<T>::lanes);
  }
};

}  // namespace
}  // namespace facula
