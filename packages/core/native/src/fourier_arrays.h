// Fourier transforms of the rows and of the columns of arrays: each row by itself, or many side by side, one a lane. A few
// long rows are cut up into columns and rows of a matrix (Bailey 1990, "FFTs in external or hierarchical memory", the
// four-step method).
#pragma once

#include "fourier_rows.h"

namespace facula {
namespace {

// How transforms of a length are done: rows side by side, each by itself, each as a matrix, or each by a convolution.
enum class Way { side_by_side, alone, as_matrix, by_convolution, not_here };

// The sides of the matrix that a long transform is cut up into, the first the smaller; 0 where one would be too long.
Index rows_of_matrix(Index n) {
  for (Index side = static_cast<Index>(std::sqrt(static_cast<double>(n))); side >= 8; --side) {
    if (n % side == 0) return n / side <= kLongest ? side : 0;
  }
  return 0;
}

template <class T>
Way way_of(Index n, Index rows) {
  if (!has_passes(n)) return n <= (1 << 17) ? Way::by_convolution : Way::not_here;
  if (is_done_alone<T>(n) && n <= (rows < 4 ? 1 << 14 : 1 << 16)) return Way::alone;
  if ((n > kLongest || (rows < 4 && n >= 256)) && rows_of_matrix(n) != 0) return Way::as_matrix;
  if (n <= kLongest) return Way::side_by_side;
  return n <= (1 << 17) ? Way::by_convolution : Way::not_here;
}

template <class T>
Way way_of_real(Index n, Index rows) {
  const Way way = n % 2 == 0 ? way_of<T>(n / 2, rows) : way_of<T>(n, rows);
  if (n % 2 != 0 && way != Way::side_by_side) return n <= (1 << 17) ? Way::by_convolution : Way::not_here;
  return way;
}

template <class T>
struct Transform {
  using V = typename VectorOf<T>::type;
  static constexpr int lanes = VectorOf<T>::lanes;

  // Room of this thread for so many buffers of so many complex numbers in every lane. They lie a little apart, since places
  // that are a multiple of 4,096 bytes apart hinder each other.
  struct Room {
    V* base;
    Index step;
    Room(Index length, Index count)
        : base(scratch<V>(Purpose::transformed, static_cast<size_t>((2 * length + 10) * count))), step(2 * length + 10) {}
    V* operator[](Index at) const { return base + at * step; }
  };

  // Calls `body(row, room)` for every row, on several threads where there are enough numbers.
  template <class Function>
  static void for_rows(Index rows, Index numbers, Index length, const Function& body) {
    parallel_for(rows, std::max<Index>(1, 8192 / std::max<Index>(1, numbers)), [&](Index begin, Index end) {
      const Room room(length, 3);
      for (Index row = begin; row < end; ++row) body(row, room);
    });
  }

  // Calls `body(first, count, room)` for every group of rows.
  template <class Function>
  static void for_groups(Index rows, Index length, const Function& body) {
    for_rows((rows + lanes - 1) / lanes, length * lanes, length + 1, [&](Index group, const Room& room) {
      const Index first = group * lanes;
      body(first, static_cast<int>(std::min<Index>(lanes, rows - first)), room);
    });
  }

  // Complex to complex, times `scale`.
  template <bool inverse>
  static bool complex_rows(const Rows& from, Index n, T* to, T scale, Way way) {
    const Index rows = from.count();
    if (way == Way::alone) {
      const auto plan = row_plan_of<T>(n);
      for_rows(rows, n, plan->m, [&](Index row, const Room& room) {
        T* result = to + row * 2 * n;
        pass_of_row<T, inverse>(*plan, from.row<T>(row), room[1], from.row<T>(std::min(row + 1, rows - 1)));
        transform_lanes_to(*plan->rest, FromLanes<V>{room[1]}, room[0], room[1],
                           ToPairs<T, inverse>{result, 2 * lanes, scale, 2 * n});
      });
    } else if (way == Way::by_convolution) {
      return convolved(
          rows, n, scale, inverse,
          [&](Index row, T* x) { std::memcpy(x, from.row<T>(row), sizeof(T) * static_cast<size_t>(2 * n)); },
          [&](Index row, const T* x) { std::memcpy(to + row * 2 * n, x, sizeof(T) * static_cast<size_t>(2 * n)); });
    } else if (way == Way::as_matrix) {
      const Index side = rows_of_matrix(n);
      for (Index row = 0; row < rows; ++row) {
        if (!long_row<inverse>(from.row<T>(row), side, n / side, to + row * 2 * n, scale)) return false;
      }
    } else {
      const auto plan = plan_of<T>(n);
      for_groups(rows, n, [&](Index first, int count, const Room& room) {
        const T* sources[lanes];
        T* results[lanes];
        for (int at = 0; at < count; ++at) {
          sources[at] = from.row<T>(first + at);
          results[at] = to + (first + at) * 2 * n;
        }
        rows_to_lanes<T>(sources, count, 2 * n, room[1]);
        const V* z = transform_lanes<inverse>(*plan, FromLanes<V, inverse>{room[1]}, room[0], room[1], scale);
        lanes_to_rows<T>(z, results, count, 2 * n);
      });
    }
    return true;
  }

  // The same along a dimension with `inner` numbers between one element and the next, in `outer` blocks. Both may be the
  // same memory.
  template <bool inverse>
  static void complex_columns(const T* from, Index outer, Index n, Index inner, T* to, T scale) {
    const auto plan = plan_of<T>(n);
    const Index tiles = (inner + lanes - 1) / lanes;
    for_rows(outer * tiles, n * lanes, n, [&](Index tile, const Room& room) {
      const Index first = tile % tiles * lanes, at = 2 * (tile / tiles * n * inner + first);
      const int count = static_cast<int>(std::min<Index>(lanes, inner - first));
      columns<inverse, inverse>(*plan, from + at, 2 * inner, count, room, to + at, 2 * inner, scale);
    });
  }

  // Real to the first half of the spectrum; `window`, where given, is a factor of each place.
  static bool real_rows(const Rows& from, Index n, const T* window, T* to, T scale, Way way) {
    const bool even = n % 2 == 0;
    const Index rows = from.count(), half = even ? n / 2 : n, kept = n / 2 + 1;
    const auto windowed = [=](const T* x, T* y) {
      for (Index i = 0; i < n; ++i) y[i] = x[i] * window[i];
    };
    if (way == Way::alone) {
      const auto plan = row_plan_of<T>(half);
      const auto table = half_vectors_of<T>(n);
      for_rows(rows, half, plan->m, [&](Index row, const Room& room) {
        const T* source = from.row<T>(row);
        if (window != nullptr) {
          T* product = reinterpret_cast<T*>(room[2]);
          windowed(source, product);
          source = product;
        }
        T* result = to + row * 2 * kept;
        pass_of_row<T, false>(*plan, source, room[1], from.row<T>(std::min(row + 1, rows - 1)));
        const V* z = transform_lanes<false>(*plan->rest, FromLanes<V>{room[1]}, room[0], room[1], scale);
        split_row<T>(z, plan->m, table->data(), result);
      });
      return true;
    }
    if (way == Way::by_convolution) {
      return convolved(
          rows, n, scale, false,
          [&](Index row, T* x) {
            const T* source = from.row<T>(row);
            for (Index i = 0; i < n; ++i) {
              x[2 * i] = window == nullptr ? source[i] : source[i] * window[i];
              x[2 * i + 1] = 0;
            }
          },
          [&](Index row, const T* x) {
            T* result = to + row * 2 * kept;
            std::memcpy(result, x, sizeof(T) * static_cast<size_t>(2 * kept));
            result[1] = 0;
            if (even) result[2 * kept - 1] = 0;
          });
    }
    if (way == Way::as_matrix) {
      const Index side = rows_of_matrix(half);
      T* product = window == nullptr ? nullptr : scratch<T>(Purpose::accumulated, static_cast<size_t>(n));
      if (window != nullptr && product == nullptr) return false;
      for (Index row = 0; row < rows; ++row) {
        T* result = to + row * 2 * kept;
        const T* source = from.row<T>(row);
        if (window != nullptr) windowed(source, product);
        if (!long_row<false>(window == nullptr ? source : product, side, half / side, result, scale)) return false;
        split_long_row(result, n);
      }
      return true;
    }
    const auto plan = plan_of<T>(half);
    const auto table = half_table_of<T>(n);
    for_groups(rows, half, [&](Index first, int count, const Room& room) {
      const T* sources[lanes];
      T* results[lanes];
      for (int at = 0; at < count; ++at) {
        sources[at] = from.row<T>(first + at);
        results[at] = to + (first + at) * 2 * kept;
      }
      V* x = room[1];
      rows_to_lanes<T>(sources, count, n, x, window);
      if (!even) {
        for (Index i = n - 1; i >= 0; --i) put(x, i, Complex<V>{x[i], V{}});
      }
      V* z = transform_lanes<false>(*plan, FromLanes<V>{x}, room[0], x, scale);
      if (even) split_lanes(z, half, table->data());
      lanes_to_rows<T>(z, results, count, 2 * kept);
    });
    return true;
  }

  // The first half of a spectrum to the n real numbers it is of, times n and `scale`.
  static bool back_to_real_rows(const Rows& from, Index n, T* to, T scale, Way way) {
    const bool even = n % 2 == 0;
    const Index rows = from.count(), half = even ? n / 2 : n, kept = n / 2 + 1;
    if (way == Way::alone) {
      const auto plan = row_plan_of<T>(half);
      const auto table = half_vectors_of<T>(n);
      for_rows(rows, half, plan->m, [&](Index row, const Room& room) {
        T* joined = reinterpret_cast<T*>(room[2]);
        join_row<T>(from.row<T>(row), plan->m, table->data(), joined);
        pass_of_row<T, true>(*plan, joined, room[1], from.row<T>(std::min(row + 1, rows - 1)));
        transform_lanes_to(*plan->rest, FromLanes<V>{room[1]}, room[0], room[1], ToPairs<T, true>{to + row * n, 2 * lanes, scale, n});
      });
      return true;
    }
    if (way == Way::by_convolution) {
      return convolved(
          rows, n, scale, true,
          [&](Index row, T* x) {
            const T* source = from.row<T>(row);
            for (Index k = 0; k < kept; ++k) {
              const bool ends = k == 0 || 2 * k == n;
              x[2 * k] = source[2 * k];
              x[2 * k + 1] = ends ? T(0) : source[2 * k + 1];
              if (ends) continue;
              x[2 * (n - k)] = source[2 * k];
              x[2 * (n - k) + 1] = -source[2 * k + 1];
            }
          },
          [&](Index row, const T* x) {
            for (Index i = 0; i < n; ++i) to[row * n + i] = x[2 * i];
          });
    }
    if (way == Way::as_matrix) {
      const Index side = rows_of_matrix(half);
      T* joined = scratch<T>(Purpose::accumulated, static_cast<size_t>(n));
      if (joined == nullptr) return false;
      for (Index row = 0; row < rows; ++row) {
        join_long_row(from.row<T>(row), joined, n);
        if (!long_row<true>(joined, side, half / side, to + row * n, scale)) return false;
      }
      return true;
    }
    const auto plan = plan_of<T>(half);
    const auto table = half_table_of<T>(n);
    for_groups(rows, half, [&](Index first, int count, const Room& room) {
      const T* sources[lanes];
      T* results[lanes];
      for (int at = 0; at < count; ++at) {
        sources[at] = from.row<T>(first + at);
        results[at] = to + (first + at) * n;
      }
      V* x = room[1];
      rows_to_lanes<T>(sources, count, 2 * kept, x);
      x[1] = V{};  // what is imaginary at frequency 0, and in the middle, belongs to no real signal
      if (even) {
        x[2 * half + 1] = V{};
        join_lanes(x, half, table->data());
      } else {
        for (Index k = 1; k < kept; ++k) put(x, n - k, Complex<V>{x[2 * k], -x[2 * k + 1]});
      }
      V* z = transform_lanes<true>(*plan, FromLanes<V, true>{x}, room[0], x, scale);
      if (!even) {
        for (Index i = 0; i < n; ++i) z[i] = z[2 * i];
      }
      lanes_to_rows<T>(z, results, count, n);
    });
    return true;
  }

 private:
  // Rows of any length by convolution: `read(row, x)` gives complex numbers and `write(row, x)` takes them.
  template <class Read, class Write>
  static bool convolved(Index rows, Index n, T scale, bool inverse, const Read& read, const Write& write) {
    const auto chirp = chirp_plan_of<T>(n);
    if (chirp->spectrum.empty()) return false;
    const RowPlan<T>& plan = *chirp->plan;
    const Index vectors = (n + lanes - 1) / lanes;
    for_rows(rows, 4 * n, plan.m, [&](Index row, const Room& room) {
      T* x = reinterpret_cast<T*>(room[2]);
      read(row, x);
      std::fill(x + 2 * n, x + 2 * chirp->longer, T(0));
      for (Index b = 0; b < vectors; ++b) turn_by_chirp(chirp->chirp[static_cast<size_t>(b)], x + 2 * b * lanes, inverse, false, T(1));
      pass_of_row<T, false>(plan, x, room[1], x);
      transform_lanes_to(*plan.rest, FromLanes<V>{room[1]}, room[0], room[1], ToConvolved<T>{chirp->spectrum.data(), x});
      pass_of_row<T, false>(plan, x, room[1], x);
      transform_lanes_to(*plan.rest, FromLanes<V>{room[1]}, room[0], room[1], ToPairs<T, true>{x, 2 * lanes, T(1), 0});
      for (Index b = 0; b < vectors; ++b) turn_by_chirp(chirp->chirp[static_cast<size_t>(b)], x + 2 * b * lanes, false, inverse, scale);
      write(row, x);
    });
    return true;
  }

  __attribute__((noinline)) static void turn_by_chirp(const Complex<V>& chirp, T* x, bool swapped_before, bool swapped_after, T scale) {
    Complex<V> a = swapped_before ? read_pairs<true>(x) : read_pairs<false>(x);
    a = scaled_by(times(a, chirp), scale);
    if (swapped_after) {
      write_pairs<true>(a, x);
    } else {
      write_pairs<false>(a, x);
    }
  }

  __attribute__((noinline)) static void split_lanes(V* z, Index half, const T* table) {
    put(z, half, get(z, 0));
    for (Index k = 0; 2 * k <= half; ++k) {
      Complex<V> low, high;
      split_pair(get(z, k), get(z, half - k), table + 2 * k, &low, &high);
      put(z, half - k, high);
      put(z, k, low);
    }
  }
  __attribute__((noinline)) static void join_lanes(V* x, Index half, const T* table) {
    for (Index k = 0; 2 * k <= half; ++k) {
      Complex<V> a, b;
      join_pair(get(x, k), get(x, half - k), table + 2 * k, &a, &b);
      put(x, half - k, b);
      put(x, k, a);
    }
  }

  // Columns that lie side by side, at most one a lane; steps are from one element to the next.
  template <bool swapped_before, bool swapped_after>
  static void columns(const Plan<T>& plan, const T* from, Index from_step, int count, const Room& room, T* to, Index to_step, T scale) {
    if (count == lanes) {
      transform_lanes_to(plan, FromPairs<T, swapped_before>{from, from_step}, room[0], room[1],
                         ToPairs<T, swapped_after>{to, to_step, scale, 2 * lanes});
      return;
    }
    V* x = room[1];
    for (Index i = 0; i < plan.length; ++i) read_some(from + i * from_step, count, x + 2 * i);
    const V* z = transform_lanes<swapped_after>(plan, FromLanes<V, swapped_before>{x}, room[0], x, scale);
    for (Index i = 0; i < plan.length; ++i) write_some(z + 2 * i, count, to + i * to_step);
  }

  // One long complex transform as a matrix of n1 rows and n2 columns: the columns, factors, then the rows.
  template <bool inverse>
  static bool long_row(const T* from, Index n1, Index n2, T* to, T scale) {
    const Index n = n1 * n2;
    const auto plan1 = plan_of<T>(n1), plan2 = plan_of<T>(n2);
    const auto roots = roots_of<T>(n);
    T* between = scratch<T>(Purpose::gathered, static_cast<size_t>(2 * n));
    if (between == nullptr) return false;
    for_groups(n2, n1, [&](Index first, int count, const Room& room) {
      V* z;
      if (count == lanes) {
        z = transform_lanes<false>(*plan1, FromPairs<T, inverse>{from + 2 * first, 2 * n2}, room[0], room[1], T(1));
      } else {
        for (Index i = 0; i < n1; ++i) read_some(from + 2 * (i * n2 + first), count, room[1] + 2 * i);
        z = transform_lanes<false>(*plan1, FromLanes<V, inverse>{room[1]}, room[0], room[1], T(1));
      }
      turn_columns(*roots, first, count, n1, n2, z, between + 2 * first);
    });
    for_groups(n1, n2, [&](Index first, int count, const Room& room) {
      const T* sources[lanes];
      for (int at = 0; at < count; ++at) sources[at] = between + (first + at) * 2 * n2;
      rows_to_lanes<T>(sources, count, 2 * n2, room[1]);
      if (count == lanes) {
        transform_lanes_to(*plan2, FromLanes<V>{room[1]}, room[0], room[1], ToPairs<T, inverse>{to + 2 * first, 2 * n1, scale, 2 * lanes});
      } else {
        const V* z = transform_lanes<inverse>(*plan2, FromLanes<V>{room[1]}, room[0], room[1], scale);
        for (Index k = 0; k < n2; ++k) write_some(z + 2 * k, count, to + 2 * (k * n1 + first));
      }
    });
    return true;
  }

  // Times exp(-2 pi i k j / n) for lane j: by k's last and first parts, since a table of all would not fit the cache.
  __attribute__((noinline)) static void turn_columns(
      const Roots<T>& roots, Index first, int count, Index n1, Index n2, const V* z, T* to) {
    constexpr Index kPart = 32;
    V fine[2 * kPart];
    for (Index k = 0; k < kPart; ++k) factors_of(roots, first, k, fine + 2 * k);
    for (Index k0 = 0; k0 < n1; k0 += kPart) {
      V coarse[2];
      factors_of(roots, first, k0, coarse);
      for (Index k = k0; k < std::min(n1, k0 + kPart); ++k) {
        V result[2];
        put(result, 0, times(get(z, k), times(get(coarse, 0), get(fine, k - k0))));
        write_some(result, count, to + 2 * k * n2);
      }
    }
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

  static void factors_of(const Roots<T>& roots, Index first, Index k, V* to) {
    for (int lane = 0; lane < lanes; ++lane) {
      T root[2];
      roots.at((first + lane) * k, root);
      to[0][lane] = root[0];
      to[1][lane] = root[1];
    }
  }

  static void read_some(const T* from, int count, V* to) {
    if (count == lanes) return put(to, 0, read_pairs<false>(from));
    to[0] = to[1] = V{};
    for (int lane = 0; lane < count; ++lane) {
      to[0][lane] = from[2 * lane];
      to[1][lane] = from[2 * lane + 1];
    }
  }
  static void write_some(const V* from, int count, T* to) {
    if (count == lanes) return write_pairs<false>(get(from, 0), to);
    for (int lane = 0; lane < count; ++lane) {
      to[2 * lane] = from[0][lane];
      to[2 * lane + 1] = from[1][lane];
    }
  }
};

}  // namespace
}  // namespace facula
