// Copies into C order of arrays that lie otherwise in memory, and arrays joined into one.
#include <algorithm>

#include "array.h"
#include "parallel.h"

namespace facula {
namespace {

// About this many bytes of copying are worth a thread.
constexpr Index kGrainBytes = 131072;
// Squares of this many elements a side are turned at once: their rows, and those of the copy, stay in the cache.
constexpr Index kSide = 16;

// A copy as loops over dimensions: lengths, steps in the source, steps in the copy, all in elements.
struct Loops {
  int dims = 0;
  Index length[NPY_MAXDIMS];
  Index from[NPY_MAXDIMS];
  Index to[NPY_MAXDIMS];
};

Loops loops_of(const Array& x) {
  Loops loops;
  Index step = 1;
  Index to[NPY_MAXDIMS];
  for (int dim = x.dims() - 1; dim >= 0; --dim) {
    to[dim] = step;
    step *= x.shape(dim);
  }
  for (int dim = 0; dim < x.dims(); ++dim) {
    if (x.shape(dim) == 1) continue;
    const Index from = x.stride(dim) / x.item_bytes();
    const int last = loops.dims - 1;
    if (last >= 0 && loops.from[last] == from * x.shape(dim)) {
      loops.length[last] *= x.shape(dim);
      loops.from[last] = from;
      loops.to[last] = to[dim];
    } else {
      loops.length[loops.dims] = x.shape(dim);
      loops.from[loops.dims] = from;
      loops.to[loops.dims] = to[dim];
      ++loops.dims;
    }
  }
  return loops;
}

// A plane: rows whose elements lie side by side in the copy, columns whose elements lie side by side in the source.
template <class T>
void turn(const T* from, Index from_row, Index rows, Index columns, T* to, Index to_column) {
  for (Index i0 = 0; i0 < rows; i0 += kSide) {
    const Index i_end = std::min(rows, i0 + kSide);
    for (Index j0 = 0; j0 < columns; j0 += kSide) {
      const Index j_end = std::min(columns, j0 + kSide);
      for (Index j = j0; j < j_end; ++j) {
        for (Index i = i0; i < i_end; ++i) to[i + j * to_column] = from[i * from_row + j];
      }
    }
  }
}

template <class T>
void copy(const Loops& loops, const T* source, T* target) {
  if (loops.dims == 0) {
    *target = *source;
    return;
  }
  const int last = loops.dims - 1;
  // The dimension along which the source's elements lie side by side, if it is not the last.
  int fast = last;
  for (int dim = 0; dim < last; ++dim) {
    if (loops.from[dim] == 1 && loops.from[last] != 1) fast = dim;
  }
  Index outer = 1;
  for (int dim = 0; dim < last; ++dim) {
    if (dim != fast) outer *= loops.length[dim];
  }
  const Index inner = loops.length[last];
  // Strips of the fast dimension, so that one large plane is work for several threads.
  const Index strip = fast == last ? 1 : std::min<Index>(loops.length[fast], 4 * kSide);
  const Index strips = fast == last ? 1 : (loops.length[fast] + strip - 1) / strip;
  const Index grain = std::max<Index>(1, kGrainBytes / static_cast<Index>(sizeof(T)) / std::max<Index>(1, inner * strip));
  parallel_for(outer * strips, grain, [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      Index rest = task / strips;
      const T* from = source;
      T* to = target;
      for (int dim = last - 1; dim >= 0; --dim) {
        if (dim == fast) continue;
        const Index at = rest % loops.length[dim];
        rest /= loops.length[dim];
        from += at * loops.from[dim];
        to += at * loops.to[dim];
      }
      if (fast == last) {
        const Index step = loops.from[last];
        if (step == 1) {
          std::memcpy(to, from, static_cast<size_t>(inner) * sizeof(T));
        } else {
          for (Index i = 0; i < inner; ++i) to[i] = from[i * step];
        }
        continue;
      }
      const Index first = task % strips * strip;
      const Index columns = std::min(strip, loops.length[fast] - first);
      turn(from + first, loops.from[last], inner, columns, to + first * loops.to[fast], loops.to[fast]);
    }
  });
}

bool is_copied(const Array& x) {
  const Index bytes = x.item_bytes();
  if (x.type() == Type::other || (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)) return false;
  for (int dim = 0; dim < x.dims(); ++dim) {
    if (x.stride(dim) % bytes != 0) return false;
  }
  return true;
}

}  // namespace

KERNEL(contiguous, "contiguous(x): a copy in C order") {
  if (count != 1 || !is_array(args[0])) return declined();
  const Array x(args[0]);
  if (!is_copied(x)) return declined();
  Array y = Array::like(x);
  if (!y) return nullptr;
  if (x.size() == 0) return y.release();
  const Loops loops = loops_of(x);
  WithoutGil unlocked(x.size() > 4096);
  switch (x.item_bytes()) {
    case 1: copy(loops, x.data<uint8_t>(), y.data<uint8_t>()); break;
    case 2: copy(loops, x.data<uint16_t>(), y.data<uint16_t>()); break;
    case 4: copy(loops, x.data<uint32_t>(), y.data<uint32_t>()); break;
    default: copy(loops, x.data<uint64_t>(), y.data<uint64_t>()); break;
  }
  return y.release();
}

KERNEL(cat, "cat(dim, *arrays): arrays of one type in C order, joined along a dimension") {
  constexpr Py_ssize_t kMost = 64;
  if (count < 2 || count > kMost + 1 || !is_array(args[1])) return declined();
  const Array first(args[1]);
  const Index dim = PyLong_AsSsize_t(args[0]);
  if (PyErr_Occurred()) return nullptr;
  if (first.type() == Type::other || dim < 0 || dim >= first.dims()) return declined();
  npy_intp shape[NPY_MAXDIMS];
  std::copy(first.shape(), first.shape() + first.dims(), shape);
  shape[dim] = 0;
  for (Py_ssize_t at = 1; at < count; ++at) {
    if (!is_array(args[at])) return declined();
    const Array x(args[at]);
    if (x.type() != first.type() || !x.contiguous() || x.dims() != first.dims()) return declined();
    for (int each = 0; each < x.dims(); ++each) {
      if (each != dim && x.shape(each) != first.shape(each)) return declined();  // NumPy has the words for it
    }
    shape[dim] += x.shape(static_cast<int>(dim));
  }
  Array y = Array::empty(first.dims(), shape, first.type());
  if (!y) return nullptr;
  Index outer = 1;
  Index inner = first.item_bytes();
  for (int each = 0; each < first.dims(); ++each) {
    if (each < dim) outer *= shape[each];
    if (each > dim) inner *= shape[each];
  }
  struct Part {
    const char* from;
    Index bytes, start;
  } parts[kMost];
  Index row = 0;
  for (Py_ssize_t at = 1; at < count; ++at) {
    const Array x(args[at]);
    parts[at - 1] = {x.data<char>(), x.shape(static_cast<int>(dim)) * inner, row};
    row += parts[at - 1].bytes;
  }
  char* to = y.data<char>();
  WithoutGil unlocked(outer * row > 32768);
  if (outer == 1) {
    for (Py_ssize_t at = 0; at + 1 < count; ++at) {
      const Part& part = parts[at];
      parallel_for(part.bytes, kGrainBytes, [&](Index begin, Index end) {
        std::memcpy(to + part.start + begin, part.from + begin, static_cast<size_t>(end - begin));
      });
    }
    return y.release();
  }
  parallel_for(outer, std::max<Index>(1, kGrainBytes / std::max<Index>(1, row)), [&](Index begin, Index end) {
    for (Index line = begin; line < end; ++line) {
      for (Py_ssize_t at = 0; at + 1 < count; ++at) {
        const Part& part = parts[at];
        std::memcpy(to + line * row + part.start, part.from + line * part.bytes, static_cast<size_t>(part.bytes));
      }
    }
  });
  return y.release();
}

}  // namespace facula
