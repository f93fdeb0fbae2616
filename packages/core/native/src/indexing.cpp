// Elements and rows where a mask is true, or at indices of the first dimension: taken, counted, and written in place.
#include <atomic>
#include <vector>

#include "map.h"
#include "rows.h"

namespace facula {
namespace {

// So many elements of a mask are one part; each part knows how many are true before it.
constexpr Index kPart = 8192;

bool is_mask(PyObject* object) {
  if (!is_array(object)) return false;
  const Array mask(object);
  return mask.type() == Type::boolean && mask.contiguous() && mask.dims() > 0;
}

// Whether an array in C order has the shape of a mask, and any further dimensions.
bool begins_as(const Array& x, const Array& mask) {
  return x.type() != Type::other && x.contiguous() && x.dims() >= mask.dims() &&
         std::memcmp(x.shape(), mask.shape(), sizeof(npy_intp) * static_cast<size_t>(mask.dims())) == 0;
}

// For each part how many elements are true before it, and at the end how many there are.
std::vector<Index> counts_before(const uint8_t* mask, Index size) {
  const Index parts = (size + kPart - 1) / kPart;
  std::vector<Index> before(static_cast<size_t>(parts + 1));
  parallel_for(parts, 8, [&](Index begin, Index end) {
    for (Index part = begin; part < end; ++part) {
      const Index last = std::min(size, (part + 1) * kPart);
      int32_t found = 0;
      for (Index i = part * kPart; i < last; ++i) found += mask[i] != 0;
      before[static_cast<size_t>(part + 1)] = found;
    }
  });
  for (Index part = 0; part < parts; ++part) before[static_cast<size_t>(part + 1)] += before[static_cast<size_t>(part)];
  return before;
}

// Calls `body(begin, end, first, last)` for the parts of a mask, whose true elements are numbered from `first` to `last`.
template <class Function>
void for_parts(Index size, const std::vector<Index>& before, const Function& body) {
  parallel_for(static_cast<Index>(before.size()) - 1, 2, [&](Index begin, Index end) {
    for (Index part = begin; part < end; ++part) {
      body(part * kPart, std::min(size, (part + 1) * kPart), before[static_cast<size_t>(part)], before[static_cast<size_t>(part + 1)]);
    }
  });
}

// Calls `write(number, i)` for the true elements of a part. Where there is room for it, also for others, whose number the
// next true one has again: so nothing waits for a guess of what is true.
template <class Write>
ALWAYS_INLINE void for_true(const uint8_t* mask, Index begin, Index end, Index first, Index last, const Write& write) {
  constexpr Index block = 32;
  Index number = first, i = begin;
  for (; i + block <= end && number + block <= last; i += block) {
    for (Index k = 0; k < block; ++k) {
      write(number, i + k);
      number += mask[i + k] != 0;
    }
  }
  for (; i < end && number < last; ++i) {
    if (mask[i] != 0) write(number++, i);
  }
}

// One value where the flags are set.
template <class T>
__attribute__((noinline)) void fill_where(T* __restrict to, const uint8_t* __restrict flags, T value, Index size) {
  for (Index i = 0; i < size; ++i) to[i] = flags[i] != 0 ? value : to[i];
}

// Adds a row of numbers to another.
template <class T>
void add_row(const char* from, char* to, Index bytes) {
  const T* source = reinterpret_cast<const T*>(from);
  T* target = reinterpret_cast<T*>(to);
  for (Index i = 0; i < bytes / static_cast<Index>(sizeof(T)); ++i) target[i] += source[i];
}

void write_row(const char* from, char* to, Index bytes) { std::memcpy(to, from, static_cast<size_t>(bytes)); }

}  // namespace

KERNEL(nonzero, "nonzero(mask): the indices (N, dimensions) of true elements") {
  if (count != 1 || !is_mask(args[0])) return declined();
  const Array mask(args[0]);
  if (mask.size() == 0) return declined();
  const Index size = mask.size(), wide = mask.shape(-1);
  const int dims = mask.dims();
  const uint8_t* flags = mask.data<uint8_t>();
  const std::vector<Index> before = counts_before(flags, size);
  const npy_intp shape[2] = {before.back(), dims};
  Array y = Array::empty(2, shape, Type::int64);
  if (!y) return nullptr;
  int64_t* to = y.data<int64_t>();
  WithoutGil unlocked(size > kGrain);
  for_parts(size, before, [&](Index begin, Index end, Index first, Index last) {
    if (dims == 1) {
      for_true(flags, begin, end, first, last, [=](Index number, Index i) { to[number] = i; });
      return;
    }
    // Row by row: all coordinates but the last are the same.
    for (Index start = begin; start < end && first < last;) {
      const Index row = start / wide, stop = std::min(end, (row + 1) * wide);
      Index known[NPY_MAXDIMS], rest = row, found = 0;
      for (int dim = dims - 2; dim >= 0; --dim) {
        known[dim] = rest % mask.shape(dim);
        rest /= mask.shape(dim);
      }
      for (Index i = start; i < stop; ++i) found += flags[i] != 0;
      if (dims == 2) {
        for_true(flags, start, stop, first, first + found, [=](Index number, Index i) {
          to[2 * number] = row;
          to[2 * number + 1] = i - row * wide;
        });
      } else {
        for_true(flags, start, stop, first, first + found, [&](Index number, Index i) {
          for (int dim = 0; dim < dims - 1; ++dim) to[number * dims + dim] = known[dim];
          to[number * dims + dims - 1] = i - row * wide;
        });
      }
      first += found;
      start = stop;
    }
  });
  return y.release();
}

KERNEL(take_where, "take_where(x, mask): the elements, or slices, of x where the mask is true") {
  if (count != 2 || !is_array(args[0]) || !is_mask(args[1])) return declined();
  const Array x(args[0]), mask(args[1]);
  if (!begins_as(x, mask) || x.size() == 0) return declined();
  const Index size = mask.size(), bytes = x.size() / size * x.item_bytes();
  const uint8_t* flags = mask.data<uint8_t>();
  const std::vector<Index> before = counts_before(flags, size);
  npy_intp shape[NPY_MAXDIMS];
  const int dims = x.dims() - mask.dims() + 1;
  shape[0] = before.back();
  std::copy(x.shape() + mask.dims(), x.shape() + x.dims(), shape + 1);
  Array y = Array::empty(dims, shape, x.type());
  if (!y) return nullptr;
  WithoutGil unlocked(x.size() > kGrain);
  for_parts(size, before, [&](Index begin, Index end, Index first, Index last) {
    const bool one = with_bytes(bytes, [&](auto zero) {
      using T = decltype(zero);
      const T* from = x.data<T>();
      T* to = y.data<T>();
      for_true(flags, begin, end, first, last, [=](Index number, Index i) { to[number] = from[i]; });
    });
    if (one) return;
    for (Index i = begin; i < end; ++i) {
      if (flags[i] != 0) std::memcpy(y.data<char>() + first++ * bytes, x.data<char>() + i * bytes, static_cast<size_t>(bytes));
    }
  });
  return y.release();
}

KERNEL(put_where, "put_where(x, mask, values): writes values, one for all or one for each true element, into x itself") {
  if (count != 3 || !is_array(args[0]) || !is_mask(args[1]) || !is_array(args[2])) return declined();
  const Array x(args[0]), mask(args[1]), values(args[2]);
  if (!begins_as(x, mask) || x.size() == 0 || values.type() != x.type() || !values.contiguous()) return declined();
  if (!PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(args[0]))) return declined();
  const Index size = mask.size(), bytes = x.size() / size * x.item_bytes();
  const uint8_t* flags = mask.data<uint8_t>();
  const bool one = values.size() == 1 && values.dims() == 0;
  std::vector<Index> before;
  if (one) {
    if (bytes != x.item_bytes()) return declined();
  } else {
    before = counts_before(flags, size);
    if (values.dims() != x.dims() - mask.dims() + 1 || values.shape(0) != before.back() || values.size() == 0) return declined();
    for (int dim = 1; dim < values.dims(); ++dim) {
      if (values.shape(dim) != x.shape(mask.dims() + dim - 1)) return declined();
    }
  }
  bool done = true;
  {
    WithoutGil unlocked(x.size() > kGrain);
    if (one) {
      done = with_bytes(bytes, [&](auto zero) {
        using T = decltype(zero);
        T* to = x.data<T>();
        const T value = *values.data<T>();
        parallel_for(size, kGrain, [=](Index begin, Index end) {
          fill_where(to + begin, flags + begin, value, end - begin);
        });
      });
    } else {
      for_parts(size, before, [&](Index begin, Index end, Index first, Index last) {
        const bool single = with_bytes(bytes, [&](auto zero) {
          using T = decltype(zero);
          T* to = x.data<T>();
          const T* from = values.data<T>();
          for (Index i = begin; i < end && first < last; ++i) {
            to[i] = flags[i] != 0 ? from[first] : to[i];
            first += flags[i] != 0;
          }
        });
        if (single) return;
        for (Index i = begin; i < end; ++i) {
          if (flags[i] != 0) std::memcpy(x.data<char>() + i * bytes, values.data<char>() + first++ * bytes, static_cast<size_t>(bytes));
        }
      });
    }
  }
  if (!done) return declined();
  Py_INCREF(args[0]);
  return args[0];
}

KERNEL(put_slices, "put_slices(x, index, values, add): writes slices into x itself at indices of its first dimension, or adds them") {
  if (count != 4 || !is_array(args[0]) || !is_array(args[1]) || !is_array(args[2])) return declined();
  const Array x(args[0]), index(args[1]), values(args[2]);
  if (x.type() == Type::other || x.dims() < 1 || x.size() == 0 || !x.contiguous() || !values.contiguous()) return declined();
  if (index.type() != Type::int64 || !index.contiguous() || index.size() == 0 || values.type() != x.type()) return declined();
  if (!PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(args[0]))) return declined();
  const Index length = x.shape(0), wide = x.size() / length, number = index.size(), item = x.item_bytes();
  if (values.dims() != index.dims() + x.dims() - 1 || values.size() != number * wide) return declined();
  for (int dim = 0; dim < values.dims(); ++dim) {
    if (values.shape(dim) != (dim < index.dims() ? index.shape(dim) : x.shape(dim - index.dims() + 1))) return declined();
  }
  void (*put)(const char*, char*, Index) = write_row;
  if (args[3] == Py_True) {
    switch (x.type()) {
      case Type::float32: put = add_row<float>; break;
      case Type::float64: put = add_row<double>; break;
      case Type::int64: put = add_row<int64_t>; break;
      case Type::int32: put = add_row<int32_t>; break;
      default: return declined();
    }
  }
  const int64_t* places = index.data<int64_t>();
  for (Index i = 0; i < number; ++i) {
    if (places[i] < -length || places[i] >= length) return declined();
  }
  {
    // Columns to each thread, so that slices of one place come in order.
    WithoutGil unlocked(values.size() > kGrain);
    const Index strip = std::max<Index>(64, (wide + 15) / 16), strips = (wide + strip - 1) / strip;
    const char* from = values.data<char>();
    char* to = x.data<char>();
    parallel_for(strips, std::max<Index>(1, kGrain / std::max<Index>(1, number * strip)), [&](Index begin, Index end) {
      const Index first = begin * strip, last = std::min(wide, end * strip);
      for (Index i = 0; i < number; ++i) {
        const Index place = places[i] < 0 ? places[i] + length : places[i];
        put(from + (i * wide + first) * item, to + (place * wide + first) * item, (last - first) * item);
      }
    });
  }
  Py_INCREF(args[0]);
  return args[0];
}

}  // namespace facula
