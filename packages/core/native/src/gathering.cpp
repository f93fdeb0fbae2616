// Slices and single elements at indices along one dimension: taken, written and added up.
//
// Indices were checked before, and are again, on the way: what is out of range is declined, for the array code to say.
// Sums at a place are in the order of the indices, whatever threads do: each has places to itself.
#include <atomic>
#include <type_traits>
#include <vector>

#include "map.h"
#include "rows.h"

namespace facula {
namespace {

bool is_index_array(PyObject* object) {
  if (!is_array(object)) return false;
  const Array index(object);
  return index.type() == Type::int64 && index.contiguous();
}

bool is_plain(PyObject* object) {
  if (!is_array(object)) return false;
  const Array x(object);
  return x.type() != Type::other && x.contiguous() && x.dims() > 0 && x.size() > 0;
}

// Whether both have the same lengths but along one dimension.
bool same_but_along(const Array& x, const npy_intp* shape, int dims, Index axis) {
  if (x.dims() != dims) return false;
  for (int dim = 0; dim < dims; ++dim) {
    if (dim != axis && x.shape(dim) != shape[dim]) return false;
  }
  return true;
}

// Calls `body` with a 0 of the type of an array that is added up here.
template <class Function>
bool with_number(Type type, const Function& body) {
  switch (type) {
    case Type::float32: body(float{}); return true;
    case Type::float64: body(double{}); return true;
    case Type::int64: body(int64_t{}); return true;
    case Type::int32: body(int32_t{}); return true;
    default: return false;
  }
}

// Whether an index is one of `length` places.
ALWAYS_INLINE bool fits(int64_t index, Index length) { return static_cast<uint64_t>(index) < static_cast<uint64_t>(length); }

// Rows of as many elements that one thread takes.
Index rows_of_grain(Index length) { return std::max<Index>(1, kGrain / std::max<Index>(1, length)); }

// Elements of a row at indices, as `to[i] = row[index[i] * step + i * own]`; false where an index is none of `length` places.
template <class T>
__attribute__((noinline)) bool take_elements(const T* row, const int64_t* index, Index number, Index length, Index step, Index own, T* to) {
  Index i = 0;
  bool inside = true;
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  if constexpr (sizeof(T) >= 4) {
    const __m512i most = _mm512_set1_epi64(length), steps = _mm512_set1_epi64(step), further = _mm512_set1_epi64(8 * own);
    __m512i places = _mm512_mullo_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi64(own));
    for (; i + 8 <= number; i += 8) {
      const __m512i at = _mm512_loadu_si512(index + i);
      const __mmask8 fit = _mm512_cmplt_epu64_mask(at, most);
      inside = inside && fit == 0xff;
      const __m512i where = step == 1 && own == 0 ? at : _mm512_add_epi64(_mm512_mullo_epi64(at, steps), places);
      if constexpr (sizeof(T) == 4) {
        const __m256i found = _mm512_mask_i64gather_epi32(_mm256_setzero_si256(), fit, where, row, 4);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), found);
      } else {
        _mm512_storeu_si512(to + i, _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), fit, where, row, 8));
      }
      places = _mm512_add_epi64(places, further);
    }
  }
#endif
  // Without a way out of the loop, so that several elements are under way.
  for (; i < number; ++i) {
    const bool fit = fits(index[i], length);
    inside = inside && fit;
    to[i] = row[(fit ? index[i] : 0) * step + i * own];
  }
  return inside;
}

// The slices of x, `outer` blocks of `length` slices of `inner` bytes, at indices.
bool take_slices(const char* x, const int64_t* index, Index number, Index outer, Index length, Index inner, char* y) {
  std::atomic<bool> inside{true};
  const auto work = [&](auto fixed) {
    constexpr Index bytes = decltype(fixed)::value;
    const Index wide = bytes == 0 ? inner : bytes;
    if constexpr (bytes != 0) {
      using T = std::conditional_t<bytes == 1, uint8_t, std::conditional_t<bytes == 2, uint16_t, std::conditional_t<bytes == 4, uint32_t, uint64_t>>>;
      if (outer == 1) {
        parallel_for(number, kGrain, [&](Index begin, Index end) {
          if (!take_elements(reinterpret_cast<const T*>(x), index + begin, end - begin, length, 1, 0, reinterpret_cast<T*>(y) + begin)) {
            inside = false;
          }
        });
        return;
      }
    }
    parallel_for(outer * number, rows_of_grain(std::max<Index>(1, wide / 16)), [&](Index begin, Index end) {
      Index block = begin / number, at = begin % number;
      for (Index i = begin; i < end; ++i) {
        if (!fits(index[at], length)) {
          inside = false;
          return;
        }
        std::memcpy(y + i * wide, x + (block * length + index[at]) * wide, static_cast<size_t>(wide));
        if (++at == number) {
          at = 0;
          ++block;
        }
      }
    });
  };
  switch (inner) {
    case 1: work(std::integral_constant<Index, 1>()); break;
    case 2: work(std::integral_constant<Index, 2>()); break;
    case 4: work(std::integral_constant<Index, 4>()); break;
    case 8: work(std::integral_constant<Index, 8>()); break;
    default: work(std::integral_constant<Index, 0>());
  }
  return inside;
}

// For each element of the index, in `outer` blocks of `number` rows of `inner`: calls `body(place, i)` with the place that
// it means in blocks of `length` rows, and where it is itself. A thread has blocks or columns to itself, and goes through
// their rows in order. False where an index is out of range.
template <class Function>
bool for_each_place(const int64_t* index, Index outer, Index number, Index length, Index inner, const Function& body) {
  std::atomic<bool> inside{true};
  // Strips of columns only where blocks are fewer than threads might be.
  const Index strip = outer >= 16 ? inner : std::max<Index>(64, (inner + 15) / 16), strips = (inner + strip - 1) / strip;
  parallel_for(outer * strips, rows_of_grain(number * std::min(strip, inner)), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index block = task / strips, first = task % strips * strip, last = std::min(inner, first + strip);
      if (inner == 1) {
        for (Index i = block * number; i < (block + 1) * number; ++i) {
          const int64_t at = index[i];
          if (!fits(at, length)) {
            inside = false;
            return;
          }
          body(block * length + at, i);
        }
        continue;
      }
      for (Index row = 0; row < number; ++row) {
        const Index from = (block * number + row) * inner;
        for (Index column = first; column < last; ++column) {
          const int64_t at = index[from + column];
          if (!fits(at, length)) {
            inside = false;
            return;
          }
          body((block * length + at) * inner + column, from + column);
        }
      }
    }
  });
  return inside;
}

}  // namespace

KERNEL(take_slices, "take_slices(x, index, axis): the slices of x at the indices of a vector along a dimension") {
  if (count != 3 || !is_plain(args[0]) || !is_index_array(args[1])) return declined();
  const Array x(args[0]), index(args[1]);
  Index axis;
  if (!read_dim(args[2], x, &axis) || index.dims() != 1 || index.size() == 0) return declined();
  npy_intp shape[NPY_MAXDIMS];
  std::copy(x.shape(), x.shape() + x.dims(), shape);
  shape[axis] = index.size();
  Array y = Array::empty(x.dims(), shape, x.type());
  if (!y) return nullptr;
  const Along along_axis = along(x, axis);
  bool inside;
  {
    WithoutGil unlocked(y.size() > kGrain);
    inside = take_slices(x.data<char>(), index.data<int64_t>(), index.size(), along_axis.outer, along_axis.length,
                         along_axis.inner * x.item_bytes(), y.data<char>());
  }
  return inside ? y.release() : declined();
}

KERNEL(gather, "gather(x, index, axis): for each index, the element of x there along a dimension") {
  if (count != 3 || !is_plain(args[0]) || !is_index_array(args[1])) return declined();
  const Array x(args[0]), index(args[1]);
  Index axis;
  if (!read_dim(args[2], x, &axis) || index.size() == 0 || !same_but_along(index, x.shape(), x.dims(), axis)) return declined();
  Array y = Array::like(index, x.type());
  if (!y) return nullptr;
  const Along from = along(x, axis);
  bool inside = false;
  {
    WithoutGil unlocked(y.size() > kGrain);
    with_bytes(x.item_bytes(), [&](auto zero) {
      using T = decltype(zero);
      const T* source = x.data<T>();
      T* to = y.data<T>();
      const int64_t* places = index.data<int64_t>();
      if (from.outer * from.inner == 1) {
        inside = take_slices(x.data<char>(), places, index.size(), 1, from.length, sizeof(T), y.data<char>());
        return;
      }
      // Rows of the index: along the last dimension each is of one row of x, else of places side by side.
      const Index number = index.shape(static_cast<int>(axis)), wide = from.inner == 1 ? number : from.inner;
      std::atomic<bool> fit{true};
      parallel_for(index.size() / wide, rows_of_grain(wide), [&](Index begin, Index end) {
        for (Index row = begin; row < end; ++row) {
          const T* own = source + (from.inner == 1 ? row : row / number) * from.length * from.inner;
          if (!take_elements(own, places + row * wide, wide, from.length, from.inner, from.inner == 1 ? 0 : 1, to + row * wide)) {
            fit = false;
          }
        }
      });
      inside = fit;
    });
  }
  return inside ? y.release() : declined();
}

KERNEL(scatter, "scatter(x, index, source, axis): x with each element of source written at its index along a dimension") {
  if (count != 4 || !is_plain(args[0]) || !is_index_array(args[1]) || !is_plain(args[2])) return declined();
  const Array x(args[0]), index(args[1]), source(args[2]);
  Index axis;
  if (!read_dim(args[3], x, &axis) || index.size() == 0 || !same_but_along(index, x.shape(), x.dims(), axis)) return declined();
  if (!source.same_shape(index) || source.type() != x.type()) return declined();
  Array y = Array::like(x);
  if (!y) return nullptr;
  const Along to = along(x, axis);
  bool inside = false;
  {
    WithoutGil unlocked(x.size() + index.size() > kGrain);
    const Index bytes = x.size() * x.item_bytes();
    parallel_for(bytes, 8 * kGrain, [&](Index begin, Index end) {
      std::memcpy(y.data<char>() + begin, x.data<char>() + begin, static_cast<size_t>(end - begin));
    });
    with_bytes(x.item_bytes(), [&](auto zero) {
      using T = decltype(zero);
      const T* from = source.data<T>();
      T* result = y.data<T>();
      inside = for_each_place(index.data<int64_t>(), to.outer, index.shape(static_cast<int>(axis)), to.length, to.inner,
                              [=](Index place, Index i) { result[place] = from[i]; });
    });
  }
  return inside ? y.release() : declined();
}

KERNEL(scatter_sum, "scatter_sum(x, index, axis, length): zeros, with each element of x added at its index along a dimension") {
  if (count != 4 || !is_plain(args[0]) || !is_index_array(args[1])) return declined();
  const Array x(args[0]), index(args[1]);
  Index axis;
  const Index length = PyLong_AsSsize_t(args[3]);
  if (PyErr_Occurred()) return nullptr;
  if (!read_dim(args[2], x, &axis) || !index.same_shape(x) || length == 0) return declined();
  npy_intp shape[NPY_MAXDIMS];
  std::copy(x.shape(), x.shape() + x.dims(), shape);
  shape[axis] = length;
  const Along from = along(x, axis);
  Array y = Array::empty(x.dims(), shape, x.type());
  if (!y) return nullptr;
  bool inside = false;
  {
    WithoutGil unlocked(x.size() + y.size() > kGrain);
    std::memset(y.data<char>(), 0, static_cast<size_t>(y.size() * y.item_bytes()));
    with_number(x.type(), [&](auto zero) {
      using T = decltype(zero);
      const T* source = x.data<T>();
      T* result = y.data<T>();
      inside = for_each_place(index.data<int64_t>(), from.outer, from.length, length, from.inner,
                              [=](Index place, Index i) { result[place] += source[i]; });
    });
  }
  return inside ? y.release() : declined();
}

KERNEL(sum_slices, "sum_slices(x, index, axis, length): zeros, with each slice of x added at its index along a dimension") {
  if (count != 4 || !is_plain(args[0]) || !is_index_array(args[1])) return declined();
  const Array x(args[0]), index(args[1]);
  Index axis;
  const Index length = PyLong_AsSsize_t(args[3]);
  if (PyErr_Occurred()) return nullptr;
  if (!read_dim(args[2], x, &axis) || index.dims() != 1 || index.size() != x.shape(static_cast<int>(axis)) || length == 0) {
    return declined();
  }
  const int64_t* at = index.data<int64_t>();
  for (Index i = 0; i < index.size(); ++i) {
    if (!fits(at[i], length)) return declined();
  }
  npy_intp shape[NPY_MAXDIMS];
  std::copy(x.shape(), x.shape() + x.dims(), shape);
  shape[axis] = length;
  const Along from = along(x, axis);
  Array y = Array::empty(x.dims(), shape, x.type());
  if (!y) return nullptr;
  bool done;
  {
    WithoutGil unlocked(x.size() + y.size() > kGrain);
    std::memset(y.data<char>(), 0, static_cast<size_t>(y.size() * y.item_bytes()));
    done = with_number(x.type(), [&](auto zero) {
      using T = decltype(zero);
      const T* source = x.data<T>();
      T* result = y.data<T>();
      // Blocks, or strips of columns, to each thread.
      const Index strip = from.outer >= 16 ? from.inner : std::max<Index>(64, (from.inner + 15) / 16);
      const Index strips = (from.inner + strip - 1) / strip;
      parallel_for(from.outer * strips, rows_of_grain(from.length * std::min(strip, from.inner)), [&](Index begin, Index end) {
        for (Index task = begin; task < end; ++task) {
          const Index block = task / strips, first = task % strips * strip, last = std::min(from.inner, first + strip);
          for (Index row = 0; row < from.length; ++row) {
            const T* added = source + (block * from.length + row) * from.inner;
            T* to = result + (block * length + at[row]) * from.inner;
            for (Index column = first; column < last; ++column) to[column] += added[column];
          }
        }
      });
    });
  }
  return done ? y.release() : declined();
}

}  // namespace facula
