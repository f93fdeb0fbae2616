// The middle element and the best few along the last dimension, the best so far along any, and permutations.
#include <algorithm>
#include <limits>
#include <vector>

#include "rows.h"

namespace facula {
namespace {

// Whole numbers without a sign in the order of the elements: what is not a number is the largest, and both zeros are equal.
uint32_t key_of(float x) {
  if (x != x) return 0xffffffffu;
  uint32_t bits;
  const float one_zero = x == 0.0f ? 0.0f : x;
  std::memcpy(&bits, &one_zero, sizeof bits);
  return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}
uint64_t key_of(double x) {
  if (x != x) return ~uint64_t{0};
  uint64_t bits;
  const double one_zero = x == 0.0 ? 0.0 : x;
  std::memcpy(&bits, &one_zero, sizeof bits);
  return bits ^ (bits >> 63 ? ~uint64_t{0} : uint64_t{1} << 63);
}
uint32_t key_of(int32_t x) { return static_cast<uint32_t>(x) ^ 0x80000000u; }
uint64_t key_of(int64_t x) { return static_cast<uint64_t>(x) ^ (uint64_t{1} << 63); }

// The key of a rank, from 0. Of long rows only those are looked at further whose first digits are those of the rank.
template <class Key>
Key key_of_rank(std::vector<Key>& keys, Index rank, std::vector<Key>& room) {
  constexpr int bits = 11, shift = 8 * sizeof(Key) - bits;
  auto* among = &keys;
  if (keys.size() > 8192) {
    std::vector<Index> counts(size_t{1} << bits);
    for (const Key key : keys) ++counts[static_cast<size_t>(key >> shift)];
    size_t digit = 0;
    while (counts[digit] <= rank) rank -= counts[digit++];
    room.clear();
    for (const Key key : keys) {
      if (key >> shift == digit) room.push_back(key);
    }
    among = &room;
  }
  std::nth_element(among->begin(), among->begin() + rank, among->end());
  return (*among)[static_cast<size_t>(rank)];
}

template <class T>
void middles(const T* x, Index rows, Index length, bool ignore_nan, T* values, int64_t* places) {
  using Key = decltype(key_of(T{}));
  parallel_for(rows, std::max<Index>(1, 4096 / length), [&](Index begin, Index end) {
    std::vector<Key> keys(static_cast<size_t>(length)), room;
    for (Index row = begin; row < end; ++row) {
      const T* from = x + row * length;
      Index numbers = 0;
      for (Index i = 0; i < length; ++i) {
        keys[static_cast<size_t>(i)] = key_of(from[i]);
        numbers += from[i] == from[i];
      }
      const Index rank = ignore_nan ? std::max<Index>(numbers - 1, 0) / 2 : numbers < length ? numbers : (length - 1) / 2;
      const Key wanted = key_of_rank(keys, rank, room);
      // Equal elements rank in their order.
      Index less = 0;
      for (Index i = 0; i < length; ++i) less += key_of(from[i]) < wanted;
      Index place = 0;
      for (Index left = rank - less;; ++place) {
        if (key_of(from[place]) == wanted && left-- == 0) break;
      }
      values[row] = from[place];
      places[row] = place;
    }
  });
}

// Up to so many of the best elements are found by keeping the best so far in order.
constexpr Index kMostBest = 64;

// The `count` best elements of rows, best first, and of equals the first. Blocks in which nothing is better than the worst of
// them are passed over.
template <bool smallest, class T>
void best(const T* x, Index rows, Index length, Index count, T* values, int64_t* places) {
  using Key = decltype(key_of(T{}));
  const auto rank_of = [](T value) { return static_cast<Key>(smallest ? ~key_of(value) : key_of(value)); };
  parallel_for(rows, rows_per_thread(length), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const T* from = x + row * length;
      Key ranks[kMostBest + 1];
      Index where[kMostBest + 1], found = 0;
      const auto enter = [&](Index i) {
        const Key rank = rank_of(from[i]);
        if (found == count && rank <= ranks[count - 1]) return;
        Index at = found < count ? found++ : count - 1;
        for (; at > 0 && ranks[at - 1] < rank; --at) {
          ranks[at] = ranks[at - 1];
          where[at] = where[at - 1];
        }
        ranks[at] = rank;
        where[at] = i;
      };
      constexpr Index block = 64;
      Index i = 0;
      for (; i < count; ++i) enter(i);
      for (; i + block <= length; i += block) {
        const T limit = from[where[count - 1]];
        int32_t better = 0;
        for (Index k = 0; k < block; ++k) better |= smallest ? !(from[i + k] >= limit) : !(from[i + k] <= limit);
        for (Index k = 0; better != 0 && k < block; ++k) enter(i + k);
      }
      for (; i < length; ++i) enter(i);
      for (Index k = 0; k < count; ++k) {
        values[row * count + k] = from[where[k]];
        places[row * count + k] = where[k];
      }
    }
  });
}

// The best element so far, the last of equals, and where it is; what is not a number stays once it is met.
template <bool smallest, class T>
void run(const T* x, const Along& shape, T* values, int64_t* places) {
  const auto hits = [](T value, T best) { return (smallest ? value <= best : value >= best) || value != value; };
  if (shape.inner == 1) {
    parallel_for(shape.outer, rows_per_thread(shape.length), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        const T* from = x + row * shape.length;
        T best = from[0];
        int64_t place = 0;
        for (Index i = 0; i < shape.length; ++i) {
          const bool hit = hits(from[i], best);
          best = hit ? from[i] : best;
          place = hit ? i : place;
          values[row * shape.length + i] = best;
          places[row * shape.length + i] = place;
        }
      }
    });
    return;
  }
  parallel_for(shape.outer * shape.inner, rows_per_thread(shape.length), [&](Index begin, Index end) {
    // Columns side by side, each block's own ones.
    for (Index column = begin; column < end;) {
      const Index block = column / shape.inner, first = column % shape.inner, count = std::min(end - column, shape.inner - first);
      const Index at = block * shape.length * shape.inner + first;
      for (Index i = 0; i < shape.length; ++i) {
        for (Index j = 0; j < count; ++j) {
          const Index here = at + i * shape.inner + j, before = here - shape.inner;
          const bool hit = i == 0 || hits(x[here], values[before]);
          values[here] = hit ? x[here] : values[before];
          places[here] = hit ? i : places[before];
        }
      }
      column += count;
    }
  });
}

bool is_ranked_here(PyObject* object) {
  if (!is_array(object)) return false;
  const Array x(object);
  const Type type = x.type();
  if (type != Type::float32 && type != Type::float64 && type != Type::int32 && type != Type::int64) return false;
  return x.contiguous() && x.dims() > 0 && x.size() > 0;
}

// Calls `body` with a 0 of the type of the elements.
template <class Function>
void with_type(Type type, const Function& body) {
  switch (type) {
    case Type::float32: return body(0.0f);
    case Type::float64: return body(0.0);
    case Type::int32: return body(int32_t{});
    default: return body(int64_t{});
  }
}

}  // namespace

KERNEL(median, "median(x, ignore_nan): the middle element along the last dimension, the lower of two, and where it is") {
  if (count != 2 || !is_ranked_here(args[0])) return declined();
  const Array x(args[0]);
  Array values = Array::empty(x.dims() - 1, x.shape(), x.type()), places = Array::empty(x.dims() - 1, x.shape(), Type::int64);
  if (!values || !places) return nullptr;
  const bool ignore_nan = args[1] == Py_True;
  {
    WithoutGil unlocked(x.size() > 512);
    with_type(x.type(), [&](auto zero) {
      using T = decltype(zero);
      middles(x.data<T>(), x.size() / x.shape(-1), x.shape(-1), ignore_nan, values.data<T>(), places.data<int64_t>());
    });
  }
  return Py_BuildValue("(NN)", values.release(), places.release());
}

KERNEL(topk, "topk(x, count, largest): the best few elements along the last dimension, best first, and where they are") {
  if (count != 3 || !is_ranked_here(args[0]) || !PyLong_Check(args[1])) return declined();
  const Array x(args[0]);
  const Index length = x.shape(-1), wanted = PyLong_AsLongLong(args[1]);
  if (wanted < 1 || wanted >= length || wanted > kMostBest) return declined();
  npy_intp shape[NPY_MAXDIMS];
  std::copy(x.shape(), x.shape() + x.dims(), shape);
  shape[x.dims() - 1] = wanted;
  Array values = Array::empty(x.dims(), shape, x.type()), places = Array::empty(x.dims(), shape, Type::int64);
  if (!values || !places) return nullptr;
  {
    WithoutGil unlocked(x.size() > kElementsPerThread);
    with_type(x.type(), [&](auto zero) {
      using T = decltype(zero);
      if (args[2] == Py_True) {
        best<false>(x.data<T>(), x.size() / length, length, wanted, values.data<T>(), places.data<int64_t>());
      } else {
        best<true>(x.data<T>(), x.size() / length, length, wanted, values.data<T>(), places.data<int64_t>());
      }
    });
  }
  return Py_BuildValue("(NN)", values.release(), places.release());
}

KERNEL(running_extreme, "running_extreme(x, dim, smallest): the best elements so far along a dimension, and where they are") {
  if (count != 3 || !is_ranked_here(args[0])) return declined();
  const Array x(args[0]);
  Index dim;
  if (!read_dim(args[1], x, &dim)) return declined();
  Array values = Array::like(x), places = Array::like(x, Type::int64);
  if (!values || !places) return nullptr;
  const Along shape = along(x, dim);
  {
    WithoutGil unlocked(x.size() > kElementsPerThread);
    with_type(x.type(), [&](auto zero) {
      using T = decltype(zero);
      if (args[2] == Py_True) {
        run<true>(x.data<T>(), shape, values.data<T>(), places.data<int64_t>());
      } else {
        run<false>(x.data<T>(), shape, values.data<T>(), places.data<int64_t>());
      }
    });
  }
  return Py_BuildValue("(NN)", values.release(), places.release());
}

KERNEL(permutation, "permutation(draws): 0 … n - 1, each place i in turn exchanged with the one draws[i] % (n - i) further on") {
  if (count != 1 || !is_array(args[0])) return declined();
  const Array draws(args[0]);
  if (PyArray_TYPE(reinterpret_cast<PyArrayObject*>(args[0])) != NPY_UINT64 || draws.dims() != 1 || !draws.contiguous()) return declined();
  const npy_intp length = draws.size() + 1;
  if (length > (Index{1} << 28)) return declined();
  Array order = Array::empty(1, &length, Type::int64);
  if (!order) return nullptr;
  const uint64_t* from = draws.data<uint64_t>();
  int64_t* to = order.data<int64_t>();
  WithoutGil unlocked(length > 512);
  for (Index i = 0; i < length; ++i) to[i] = i;
  // Places are known before their turn comes, and asked for; each draw has 32 bits.
  constexpr Index ahead = 32;
  const auto target = [=](Index i) {
    return i + static_cast<Index>(static_cast<uint32_t>(from[i]) % static_cast<uint32_t>(length - i));
  };
  Index targets[ahead];
  for (Index i = 0; i < std::min<Index>(ahead, length - 1); ++i) targets[i] = target(i);
  for (Index i = 0; i + 1 < length; ++i) {
    const Index place = targets[i % ahead];
    if (i + ahead + 1 < length) {
      targets[i % ahead] = target(i + ahead);
      __builtin_prefetch(to + targets[i % ahead], 1);
    }
    std::swap(to[i], to[place]);
  }
  return order.release();
}

}  // namespace facula
