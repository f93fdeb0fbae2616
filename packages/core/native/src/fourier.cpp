// Fourier transforms along the last dimension: complex ones, those of real numbers, and back to real numbers. None is
// scaled.
//
// Many transforms are done a vector of them at a time. A few long ones are cut up into columns and rows of a matrix
// (Bailey 1990, "FFTs in external or hierarchical memory", the four-step method), of which there are many again.
#include "fourier.h"

#include <algorithm>
#include <type_traits>

#include "parallel.h"
#include "rows.h"
#include "scratch.h"

namespace facula {
namespace {

// A transform whose two buffers fill more than this many numbers would leave the cache.
constexpr Index kLongest = 4096;

// The arrays' rows along the last dimension, wherever they lie.
class Rows {
 public:
  explicit Rows(const Array& x) : dims_(x.dims() - 1), data_(x.data<char>()) {
    for (int dim = 0; dim < dims_; ++dim) {
      length_[dim] = x.shape(dim);
      step_[dim] = x.stride(dim);
      count_ *= x.shape(dim);
    }
  }
  Index count() const { return count_; }
  template <class T>
  const T* row(Index at) const {
    const char* found = data_;
    for (int dim = dims_ - 1; dim >= 0; --dim) {
      found += at % length_[dim] * step_[dim];
      at /= length_[dim];
    }
    return reinterpret_cast<const T*>(found);
  }

 private:
  int dims_;
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

template <class T>
struct Transform {
  using V = typename VectorOf<T>::type;
  static constexpr int lanes = VectorOf<T>::lanes;

  // Two buffers of this thread, each of this many complex numbers in every lane.
  static V* buffers(Index length) { return scratch<V>(Purpose::transformed, static_cast<size_t>(4 * length)); }

  // Calls `body(first, count, x, y)` for every group of rows, with two buffers for it.
  template <class Function>
  static void for_groups(Index rows, Index length, const Function& body) {
    const Index groups = (rows + lanes - 1) / lanes;
    const Index grain = std::max<Index>(1, 4096 / std::max<Index>(1, length * lanes / 4));
    parallel_for(groups, grain, [&](Index begin, Index end) {
      V* x = buffers(length + 1);
      V* y = x + 2 * (length + 1);
      for (Index group = begin; group < end; ++group) {
        const Index first = group * lanes;
        body(first, static_cast<int>(std::min<Index>(lanes, rows - first)), x, y);
      }
    });
  }

  // Complex to complex.
  template <bool inverse>
  static void complex_rows(const Rows& from, Index n, T* to) {
    const auto plan = plan_of<T>(n);
    for_groups(from.count(), n, [&](Index first, int count, V* x, V* y) {
      const T* rows[lanes];
      T* results[lanes];
      for (int at = 0; at < count; ++at) {
        rows[at] = from.row<T>(first + at);
        results[at] = to + (first + at) * 2 * n;
      }
      rows_to_lanes<T>(rows, count, 2 * n, x);
      lanes_to_rows<T>(transform_lanes<inverse, T>(*plan, x, y), results, count, 2 * n);
    });
  }

  // The same along a dimension with `inner` numbers between one element and the next, in `outer` blocks.
  template <bool inverse>
  static void complex_columns(const T* from, Index outer, Index n, Index inner, T* to) {
    const auto plan = plan_of<T>(n);
    const Index tiles = (inner + lanes - 1) / lanes;
    for_groups(outer * tiles * lanes, n, [&](Index start, int, V* x, V* y) {
      const Index tile = start / lanes, first = tile % tiles * lanes;
      const int count = static_cast<int>(std::min<Index>(lanes, inner - first));
      const Index at = tile / tiles * n * inner + first;
      for (Index i = 0; i < n; ++i) read_pairs(from + 2 * (at + i * inner), count, x + 2 * i);
      const V* z = transform_lanes<inverse, T>(*plan, x, y);
      for (Index i = 0; i < n; ++i) write_pairs(z + 2 * i, count, to + 2 * (at + i * inner));
    });
  }

  // Real to the first half of the spectrum; `window`, where given, is a factor of each place.
  static void real_rows(const Rows& from, Index n, const T* window, T* to) {
    const bool even = n % 2 == 0;
    const Index half = even ? n / 2 : n, kept = n / 2 + 1;
    const auto plan = plan_of<T>(half);
    const auto table = half_table_of<T>(n);
    for_groups(from.count(), half, [&](Index first, int count, V* x, V* y) {
      const T* rows[lanes];
      T* results[lanes];
      for (int at = 0; at < count; ++at) {
        rows[at] = from.row<T>(first + at);
        results[at] = to + (first + at) * 2 * kept;
      }
      rows_to_lanes<T>(rows, count, n, x);
      if (window != nullptr) {
        for (Index i = 0; i < n; ++i) x[i] = x[i] * window[i];
      }
      if (!even) {
        for (Index i = n - 1; i >= 0; --i) put(x, i, Complex<V>{x[i], V{}});
      }
      V* z = transform_lanes<false, T>(*plan, x, y);
      if (even) {
        put(z, half, get(z, 0));
        for (Index k = 0; 2 * k <= half; ++k) {
          Complex<V> low, high;
          split_pair(get(z, k), get(z, half - k), table->data() + 2 * k, &low, &high);
          put(z, half - k, high);
          put(z, k, low);
        }
      }
      lanes_to_rows<T>(z, results, count, 2 * kept);
    });
  }

  // The first half of a spectrum to the n real numbers it is of, times n.
  static void back_to_real_rows(const Rows& from, Index n, T* to) {
    const bool even = n % 2 == 0;
    const Index half = even ? n / 2 : n, kept = n / 2 + 1;
    const auto plan = plan_of<T>(half);
    const auto table = half_table_of<T>(n);
    for_groups(from.count(), half, [&](Index first, int count, V* x, V* y) {
      const T* rows[lanes];
      T* results[lanes];
      for (int at = 0; at < count; ++at) {
        rows[at] = from.row<T>(first + at);
        results[at] = to + (first + at) * n;
      }
      rows_to_lanes<T>(rows, count, 2 * kept, x);
      x[1] = V{};  // what is imaginary at frequency 0, and in the middle, belongs to no real signal
      if (even) {
        x[2 * half + 1] = V{};
        for (Index k = 0; 2 * k <= half; ++k) {
          Complex<V> a, b;
          join_pair(get(x, k), get(x, half - k), table->data() + 2 * k, &a, &b);
          put(x, half - k, b);
          put(x, k, a);
        }
      } else {
        for (Index k = 1; k < kept; ++k) put(x, n - k, Complex<V>{x[2 * k], -x[2 * k + 1]});
      }
      V* z = transform_lanes<true, T>(*plan, x, y);
      if (!even) {
        for (Index i = 0; i < n; ++i) z[i] = z[2 * i];
      }
      lanes_to_rows<T>(z, results, count, n);
    });
  }

  // One long complex transform as a matrix of n1 rows and n2 columns: the columns, factors, then the rows.
  template <bool inverse>
  static bool long_row(const T* from, Index n1, Index n2, T* to) {
    const Index n = n1 * n2;
    const auto plan1 = plan_of<T>(n1), plan2 = plan_of<T>(n2);
    const auto roots = roots_of<T>(n);
    T* between = scratch<T>(Purpose::gathered, static_cast<size_t>(2 * n));
    if (between == nullptr) return false;
    for_groups(n2, n1, [&](Index first, int count, V* x, V* y) {
      for (Index i = 0; i < n1; ++i) read_pairs(from + 2 * (i * n2 + first), count, x + 2 * i);
      V* z = transform_lanes<inverse, T>(*plan1, x, y);
      // exp(-2 pi i k j / n) for lane j: by k's last and first parts, since a table of all would not fit the cache.
      constexpr Index kPart = 32;
      V fine[2 * kPart];
      for (Index k = 0; k < kPart; ++k) factors_of(*roots, first, k, fine + 2 * k);
      for (Index k0 = 0; k0 < n1; k0 += kPart) {
        V coarse[2];
        factors_of(*roots, first, k0, coarse);
        for (Index k = k0; k < std::min(n1, k0 + kPart); ++k) {
          const Complex<V> factor = product<false>(get(coarse, 0), get(fine, k - k0));
          V result[2];
          put(result, 0, product<inverse>(get(z, k), factor));
          write_pairs(result, count, between + 2 * (k * n2 + first));
        }
      }
    });
    for_groups(n1, n2, [&](Index first, int count, V* x, V* y) {
      const T* rows[lanes];
      for (int at = 0; at < count; ++at) rows[at] = between + (first + at) * 2 * n2;
      rows_to_lanes<T>(rows, count, 2 * n2, x);
      V* z = transform_lanes<inverse, T>(*plan2, x, y);
      for (Index k = 0; k < n2; ++k) write_pairs(z + 2 * k, count, to + 2 * (k * n1 + first));
    });
    return true;
  }

  // From the transform of n / 2 complex numbers, in place, to the first half of that of n real ones.
  static void split_long_row(T* z, Index n) {
    const Index half = n / 2;
    const auto roots = roots_of<T>(n);
    z[2 * half] = z[0];
    z[2 * half + 1] = z[1];
    for_pairs(half, [&](Index begin, Index end) { split_part(*roots, z, half, begin, end); });
  }

  static void join_long_row(const T* from, T* z, Index n) {
    const auto roots = roots_of<T>(n);
    for_pairs(n / 2, [&](Index begin, Index end) { join_part(*roots, from, z, n / 2, begin, end); });
  }

 private:
  // Calls `body` for parts of 0 … half / 2 that are the same for any number of threads.
  template <class Function>
  static void for_pairs(Index half, const Function& body) {
    constexpr Index kPart = 4096;
    const Index count = half / 2 + 1;
    parallel_for((count + kPart - 1) / kPart, 2, [&](Index begin, Index end) {
      for (Index part = begin; part < end; ++part) body(part * kPart, std::min(count, (part + 1) * kPart));
    });
  }

  // Compiled once: a copy within each caller might join other products and sums into one step, with other last bits.
  __attribute__((noinline)) static void split_part(const Roots<T>& roots, T* z, Index half, Index begin, Index end) {
    for (Index k = begin; k < end; ++k) {
      T w[2];
      roots.at(k, w);
      T* a = z + 2 * k;
      T* b = z + 2 * (half - k);
      Complex<T> low, high;
      split_pair(Complex<T>{a[0], a[1]}, Complex<T>{b[0], b[1]}, w, &low, &high);
      b[0] = high.re;
      b[1] = high.im;
      a[0] = low.re;
      a[1] = low.im;
    }
  }

  __attribute__((noinline)) static void join_part(
      const Roots<T>& roots, const T* from, T* z, Index half, Index begin, Index end) {
    for (Index k = begin; k < end; ++k) {
      T w[2];
      roots.at(k, w);
      const T* low = from + 2 * k;
      const T* high = from + 2 * (half - k);
      const bool ends = k == 0;
      Complex<T> a, b;
      join_pair(Complex<T>{low[0], ends ? T(0) : low[1]}, Complex<T>{high[0], ends ? T(0) : high[1]}, w, &a, &b);
      if (k != 0) {
        z[2 * (half - k)] = b.re;
        z[2 * (half - k) + 1] = b.im;
      }
      z[2 * k] = a.re;
      z[2 * k + 1] = a.im;
    }
  }

  template <bool conjugate>
  ALWAYS_INLINE Complex<V> product(Complex<V> a, Complex<V> b) {
    const V im = conjugate ? -b.im : b.im;
    return {a.re * b.re - a.im * im, a.re * im + a.im * b.re};
  }

  static void factors_of(const Roots<T>& roots, Index first, Index k, V* to) {
    for (int lane = 0; lane < lanes; ++lane) {
      T root[2];
      roots.at((first + lane) * k, root);
      to[0][lane] = root[0];
      to[1][lane] = root[1];
    }
  }

  // Complex numbers side by side in memory, as a vector of their real and one of their imaginary parts; and back.
  static void read_pairs(const T* from, int count, V* to) {
    if (count == lanes) {
      Places even, odd;
      for (int lane = 0; lane < lanes; ++lane) {
        even[lane] = 2 * lane;
        odd[lane] = 2 * lane + 1;
      }
      const V a = load(from), b = load(from + lanes);
      to[0] = __builtin_shuffle(a, b, even);
      to[1] = __builtin_shuffle(a, b, odd);
      return;
    }
    to[0] = to[1] = V{};
    for (int lane = 0; lane < count; ++lane) {
      to[0][lane] = from[2 * lane];
      to[1][lane] = from[2 * lane + 1];
    }
  }
  static void write_pairs(const V* from, int count, T* to) {
    if (count == lanes) {
      Places first, second;
      for (int lane = 0; lane < lanes; ++lane) {
        first[lane] = lane / 2 + (lane % 2) * lanes;
        second[lane] = lanes / 2 + lane / 2 + (lane % 2) * lanes;
      }
      store(to, __builtin_shuffle(from[0], from[1], first));
      store(to + lanes, __builtin_shuffle(from[0], from[1], second));
      return;
    }
    for (int lane = 0; lane < count; ++lane) {
      to[2 * lane] = from[0][lane];
      to[2 * lane + 1] = from[1][lane];
    }
  }
  using Places = std::conditional_t<sizeof(T) == 4, Ints, Longs>;
};

// The sides of the matrix that a long transform is cut up into, the first the smaller; 0 where one would be too long.
Index rows_of_matrix(Index n) {
  for (Index side = static_cast<Index>(std::sqrt(static_cast<double>(n))); side >= 8; --side) {
    if (n % side == 0) return n / side <= kLongest ? side : 0;
  }
  return 0;
}

// How transforms of a length are done: `rows` at a time side by side, or one after the other as matrices.
enum class Way { side_by_side, as_matrix, not_here };
Way way_of(Index n, Index rows) {
  if (!has_passes(n)) return Way::not_here;
  if (n > kLongest || (rows < 8 && n >= 256)) {
    if (rows_of_matrix(n) != 0) return Way::as_matrix;
    if (n > kLongest) return Way::not_here;
  }
  // Fewer than this leave most lanes empty.
  return rows >= 3 || n <= 64 ? Way::side_by_side : Way::not_here;
}

template <class T, bool inverse>
bool transform(const Array& x, Array& y, Way way) {
  const Index n = x.shape(-1);
  const Rows rows(x);
  if (way == Way::side_by_side) {
    Transform<T>::template complex_rows<inverse>(rows, n, y.data<T>());
    return true;
  }
  const Index side = rows_of_matrix(n);
  for (Index row = 0; row < rows.count(); ++row) {
    if (!Transform<T>::template long_row<inverse>(rows.row<T>(row), side, n / side, y.data<T>() + row * 2 * n)) return false;
  }
  return true;
}

template <class T>
bool transform_real(const Array& x, const T* window, Array& y, Way way) {
  const Index n = x.shape(-1);
  const Rows rows(x);
  if (way == Way::side_by_side) {
    Transform<T>::real_rows(rows, n, window, y.data<T>());
    return true;
  }
  const Index side = rows_of_matrix(n / 2);
  for (Index row = 0; row < rows.count(); ++row) {
    T* to = y.data<T>() + row * 2 * (n / 2 + 1);
    if (!Transform<T>::template long_row<false>(rows.row<T>(row), side, n / 2 / side, to)) return false;
    Transform<T>::split_long_row(to, n);
  }
  return true;
}

template <class T>
bool transform_to_real(const Array& x, Array& y, Way way) {
  const Index n = y.shape(-1);
  const Rows rows(x);
  if (way == Way::side_by_side) {
    Transform<T>::back_to_real_rows(rows, n, y.data<T>());
    return true;
  }
  const Index side = rows_of_matrix(n / 2);
  T* joined = scratch<T>(Purpose::accumulated, static_cast<size_t>(n));
  if (joined == nullptr) return false;
  for (Index row = 0; row < rows.count(); ++row) {
    Transform<T>::join_long_row(rows.row<T>(row), joined, n);
    if (!Transform<T>::template long_row<true>(joined, side, n / 2 / side, y.data<T>() + row * n)) return false;
  }
  return true;
}

// Whether elements of the last dimension lie side by side, and rows at multiples of their size.
bool has_plain_rows(const Array& x) {
  return x.dims() >= 1 && x.size() > 0 && (x.shape(-1) == 1 || x.stride(-1) == x.item_bytes());
}

Way way_of_real(Index n, Index rows) {
  const Way way = way_of(n % 2 == 0 ? n / 2 : n, rows);
  return n % 2 != 0 && way == Way::as_matrix ? Way::not_here : way;
}

PyObject* finished(bool done, Array& y) { return done ? y.release() : PyErr_NoMemory(); }

}  // namespace

KERNEL(fft, "fft(x, inverse): the transform of complex numbers along the last dimension") {
  if (count != 2 || !is_array(args[0])) return declined();
  const Array x(args[0]);
  const bool inverse = args[1] == Py_True, wide = x.type() == Type::complex128;
  if ((!wide && x.type() != Type::complex64) || !has_plain_rows(x)) return declined();
  const Way way = way_of(x.shape(-1), x.size() / x.shape(-1));
  if (way == Way::not_here) return declined();
  Array y = Array::like(x);
  if (!y) return nullptr;
  bool done;
  {
    WithoutGil unlocked(x.size() > 4096);
    if (wide) {
      done = (inverse ? transform<double, true> : transform<double, false>)(x, y, way);
    } else {
      done = (inverse ? transform<float, true> : transform<float, false>)(x, y, way);
    }
  }
  return finished(done, y);
}

KERNEL(fft_along, "fft_along(x, inverse, axis): the transform of complex numbers along a dimension that is not the last") {
  if (count != 3 || !is_array(args[0])) return declined();
  const Array x(args[0]);
  const bool inverse = args[1] == Py_True, wide = x.type() == Type::complex128;
  Index axis;
  if ((!wide && x.type() != Type::complex64) || x.size() == 0 || !x.contiguous() || !read_dim(args[2], x, &axis)) return declined();
  const Along shape = along(x, axis);
  if (shape.inner < 4 || shape.length > kLongest || !has_passes(shape.length)) return declined();
  Array y = Array::like(x);
  if (!y) return nullptr;
  WithoutGil unlocked(x.size() > 4096);
  const auto work = [&](auto zero) {
    using T = decltype(zero);
    (inverse ? Transform<T>::template complex_columns<true> : Transform<T>::template complex_columns<false>)(
        x.data<T>(), shape.outer, shape.length, shape.inner, y.data<T>());
  };
  if (wide) {
    work(0.0);
  } else {
    work(0.0f);
  }
  return y.release();
}

KERNEL(rfft, "rfft(x, window=None): half the transform of real numbers, times a window, along the last dimension") {
  if (count < 1 || count > 2 || !is_array(args[0])) return declined();
  const Array x(args[0]);
  const bool wide = x.type() == Type::float64;
  if ((!wide && x.type() != Type::float32) || !has_plain_rows(x)) return declined();
  const Index n = x.shape(-1);
  const Way way = way_of_real(n, x.size() / n);
  if (way == Way::not_here) return declined();
  const void* window = nullptr;
  if (count == 2) {
    if (!is_array(args[1]) || way != Way::side_by_side) return declined();
    const Array given(args[1]);
    if (given.type() != x.type() || given.dims() != 1 || given.size() != n || !given.contiguous()) return declined();
    window = given.data<void>();
  }
  npy_intp shape[NPY_MAXDIMS];
  std::copy(x.shape(), x.shape() + x.dims(), shape);
  shape[x.dims() - 1] = n / 2 + 1;
  Array y = Array::empty(x.dims(), shape, wide ? Type::complex128 : Type::complex64);
  if (!y) return nullptr;
  bool done;
  {
    WithoutGil unlocked(x.size() > 4096);
    done = wide ? transform_real<double>(x, static_cast<const double*>(window), y, way)
                : transform_real<float>(x, static_cast<const float*>(window), y, way);
  }
  return finished(done, y);
}

KERNEL(irfft, "irfft(x, n): n times the n real numbers whose transform along the last dimension starts as x") {
  if (count != 2 || !is_array(args[0]) || !PyLong_Check(args[1])) return declined();
  const Array x(args[0]);
  const bool wide = x.type() == Type::complex128;
  if ((!wide && x.type() != Type::complex64) || !has_plain_rows(x)) return declined();
  const Index n = PyLong_AsLongLong(args[1]);
  if (n < 1 || x.shape(-1) != n / 2 + 1) return declined();
  const Way way = way_of_real(n, x.size() / x.shape(-1));
  if (way == Way::not_here) return declined();
  npy_intp shape[NPY_MAXDIMS];
  std::copy(x.shape(), x.shape() + x.dims(), shape);
  shape[x.dims() - 1] = n;
  Array y = Array::empty(x.dims(), shape, wide ? Type::float64 : Type::float32);
  if (!y) return nullptr;
  bool done;
  {
    WithoutGil unlocked(x.size() > 4096);
    done = wide ? transform_to_real<double>(x, y, way) : transform_to_real<float>(x, y, way);
  }
  return finished(done, y);
}

}  // namespace facula
