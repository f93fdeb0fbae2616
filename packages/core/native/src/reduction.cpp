// Sums, means and extremes over any dimensions, of float32 and float64.
//
// Sums are taken in blocks, so that rounding grows as slowly as in NumPy's pairwise ones; how they are divided depends
// on the shape alone.
#include <vector>
#include <type_traits>

#include "reduction.h"
#include "rows.h"

namespace facula {
namespace {

// What is done with two elements, what is neutral to it, what of an element takes part (`taken`), what becomes of the result
// (`finished`), and what is done with partial results (`Again`).
struct Plain {
  template <class V>
  static inline __attribute__((always_inline)) V taken(V a) { return a; }
  static double finished(double a) { return a; }
};

struct Sum : Plain {
  using Again = Sum;
  template <class V>
  static inline __attribute__((always_inline)) V of(V a, V b) { return a + b; }
  template <class T>
  static constexpr T neutral = T(0);
};
struct Product : Plain {
  using Again = Product;
  template <class V>
  static inline __attribute__((always_inline)) V of(V a, V b) { return a * b; }
  template <class T>
  static constexpr T neutral = T(1);
};

// A nan wins.
struct Largest : Plain {
  using Again = Largest;
  template <class V>
  static inline __attribute__((always_inline)) V of(V a, V b) { return (a > b) | (a != a) ? a : b; }
  template <class T>
  static constexpr T neutral = -INFINITY;
};
struct Smallest : Plain {
  using Again = Smallest;
  template <class V>
  static inline __attribute__((always_inline)) V of(V a, V b) { return (a < b) | (a != a) ? a : b; }
  template <class T>
  static constexpr T neutral = INFINITY;
};

// Norms of order 2, 1 and infinity.
struct RootOfSquares : Sum {
  using Again = Sum;
  template <class V>
  static inline __attribute__((always_inline)) V taken(V a) { return a * a; }
  static double finished(double a) { return std::sqrt(a); }
};
struct SumOfSizes : Sum {
  using Again = Sum;
  template <class V>
  static inline __attribute__((always_inline)) V taken(V a) { return a < 0 ? -a : a; }
};
struct LargestSize : Largest {
  using Again = Largest;
  template <class V>
  static inline __attribute__((always_inline)) V taken(V a) { return a < 0 ? -a : a; }
  template <class T>
  static constexpr T neutral = T(0);
};

template <class Operation, class T>
T across_lanes(typename VectorOf<T>::type x) {
  constexpr Index lanes = VectorOf<T>::lanes;
  T values[lanes];
  store(values, x);
  for (Index width = lanes / 2; width > 0; width /= 2) {
    for (Index lane = 0; lane < width; ++lane) values[lane] = Operation::of(values[lane], values[lane + width]);
  }
  return values[0];
}

// A row of neighbours, up to kBlock at a time.
template <class Operation, class T>
T block_of_row(const T* x, Index length) {
  using V = typename VectorOf<T>::type;
  constexpr Index lanes = VectorOf<T>::lanes;
  const V start = all(Operation::template neutral<T>);
  V a = start, b = start, c = start, d = start;
  Index i = 0;
  for (; i + 4 * lanes <= length; i += 4 * lanes) {
    a = Operation::of(a, Operation::taken(load(x + i)));
    b = Operation::of(b, Operation::taken(load(x + i + lanes)));
    c = Operation::of(c, Operation::taken(load(x + i + 2 * lanes)));
    d = Operation::of(d, Operation::taken(load(x + i + 3 * lanes)));
  }
  for (; i + lanes <= length; i += lanes) a = Operation::of(a, Operation::taken(load(x + i)));
  if (i < length) b = Operation::of(b, Operation::taken(load_filled(x + i, length - i, Operation::template neutral<T>)));
  return across_lanes<Operation, T>(Operation::of(Operation::of(a, b), Operation::of(c, d)));
}

template <class Operation, class T>
double whole_row(const T* x, Index length) {
  double result = Operation::template neutral<double>;
  for (Index i = 0; i < length; i += kBlock) {
    result = Operation::of(result, static_cast<double>(block_of_row<Operation>(x + i, std::min(kBlock, length - i))));
  }
  return result;
}

// A long row is divided in parts of this length, when there are few of them.
constexpr Index kPart = 32768;

template <class Operation, class T>
void by_rows(const Reduced& shape, const T* x, T* to, double count, double* partial) {
  const auto row_at = [&](Index result, Index row) {
    return x + ((result / shape.kept * shape.rows + row) * shape.kept + result % shape.kept) * shape.row;
  };
  if (partial == nullptr) {
    parallel_for(shape.results(), rows_per_thread(shape.together()), [&](Index begin, Index end) {
      for (Index result = begin; result < end; ++result) {
        double total = Operation::template neutral<double>;
        for (Index row = 0; row < shape.rows; ++row) {
          total = Operation::of(total, whole_row<Operation>(row_at(result, row), shape.row));
        }
        to[result] = static_cast<T>(Operation::finished(total / count));
      }
    });
    return;
  }
  const Index parts = (shape.row + kPart - 1) / kPart, each = parts * shape.rows;
  parallel_for(shape.results() * each, 1, [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index part = task % parts, first = part * kPart;
      const T* row = row_at(task / each, task % each / parts);
      partial[task] = whole_row<Operation>(row + first, std::min(kPart, shape.row - first));
    }
  });
  for (Index result = 0; result < shape.results(); ++result) {
    double total = Operation::template neutral<double>;
    for (Index task = 0; task < each; ++task) total = Operation::of(total, partial[result * each + task]);
    to[result] = static_cast<T>(Operation::finished(total / count));
  }
}

// Rows onto each other: of `width` columns, the next row `step` on.
constexpr Index kColumns = 512;
constexpr Index kRowsAtOnce = 8;

template <class Operation, class T>
void rows_together(const T* x, Index rows, Index step, Index width, T* to) {
  using V = typename VectorOf<T>::type;
  constexpr Index lanes = VectorOf<T>::lanes;
  T within[kColumns];
  double total[kColumns];
  std::fill(total, total + width, Operation::template neutral<double>);
  // Blocks of rows first, so that a long sum stays exact.
  constexpr Index block = 32 * kRowsAtOnce;
  for (Index begin = 0; begin < rows; begin += block) {
    const Index end = std::min(rows, begin + block);
    std::fill(within, within + width, Operation::template neutral<T>);
    Index row = begin;
    const auto add = [&](auto some) __attribute__((always_inline)) {
      constexpr Index many = decltype(some)::value;
      const T* from = x + row * step;
      Index at = 0;
      for (; at + lanes <= width; at += lanes) {
        V value = Operation::taken(load(from + at));
        for (Index more = 1; more < many; ++more) {
          value = Operation::of(value, Operation::taken(load(from + more * step + at)));
        }
        store(within + at, Operation::of(load(within + at), value));
      }
      for (; at < width; ++at) {
        T value = Operation::taken(from[at]);
        for (Index more = 1; more < many; ++more) value = Operation::of(value, Operation::taken(from[more * step + at]));
        within[at] = Operation::of(within[at], value);
      }
    };
    for (; row + kRowsAtOnce <= end; row += kRowsAtOnce) add(std::integral_constant<Index, kRowsAtOnce>());
    for (; row < end; ++row) add(std::integral_constant<Index, 1>());
    for (Index at = 0; at < width; ++at) total[at] = Operation::of(total[at], static_cast<double>(within[at]));
  }
  for (Index at = 0; at < width; ++at) to[at] = static_cast<T>(total[at]);
}

// How many parts the rows are divided in.
Index parts_of_columns(const Reduced& shape) {
  const Index tiles = shape.outer * ((shape.kept + kColumns - 1) / kColumns);
  if (tiles >= 16) return 1;
  return std::max<Index>(1, std::min<Index>({16, shape.rows / 64, shape.rows * shape.kept / kElementsPerThread}));
}

template <class Operation, class T>
void by_columns(const Reduced& shape, const T* x, T* to, double count, T* partial, Index parts) {
  const Index tiles = (shape.kept + kColumns - 1) / kColumns;
  T* into = parts == 1 ? to : partial;
  const Index rows = (shape.rows + parts - 1) / parts;
  parallel_for(shape.outer * parts * tiles, rows_per_thread(rows * std::min(kColumns, shape.kept)), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index first = task % tiles * kColumns, part = task / tiles % parts, outer = task / tiles / parts;
      const Index here = std::min(rows, shape.rows - part * rows);
      rows_together<Operation>(
          x + (outer * shape.rows + part * rows) * shape.kept + first, std::max<Index>(here, 0), shape.kept,
          std::min(kColumns, shape.kept - first), into + (outer * parts + part) * shape.kept + first);
    }
  });
  const T divisor = static_cast<T>(count);
  for (Index outer = 0; outer < shape.outer && parts > 1; ++outer) {
    for (Index first = 0; first < shape.kept; first += kColumns) {
      const Index width = std::min(kColumns, shape.kept - first);
      rows_together<typename Operation::Again>(partial + outer * parts * shape.kept + first, parts, shape.kept, width, to + outer * shape.kept + first);
    }
  }
  if (count != 1) {
    for (Index at = 0; at < shape.results(); ++at) to[at] /= divisor;
  }
  if (std::is_same<Operation, RootOfSquares>::value) {
    for (Index at = 0; at < shape.results(); ++at) to[at] = std::sqrt(to[at]);
  }
}

template <class Operation, class T>
PyObject* reduce(const Array& x, unsigned reduced, bool keep, bool mean, const Reduced& shape) {
  Array result = reduced_array(x, reduced, keep, x.type());
  if (!result) return nullptr;
  const bool columns = shape.row == 1 && shape.kept > 1;
  const bool divided = !columns && shape.results() < 16 && shape.row > kPart;
  const Index parts = columns ? parts_of_columns(shape) : 1;
  const npy_intp room[] = {
      divided ? shape.results() * shape.rows * ((shape.row + kPart - 1) / kPart) : parts > 1 ? shape.results() * parts : 0};
  Array partial = Array::empty(1, room, Type::float64);
  if (!partial) return nullptr;
  const double count = mean ? static_cast<double>(shape.together()) : 1.0;
  const T* from = x.data<T>();
  WithoutGil unlocked(x.size() > kElementsPerThread);
  if (columns) {
    by_columns<Operation>(shape, from, result.data<T>(), count, partial.data<T>(), parts);
  } else {
    by_rows<Operation>(shape, from, result.data<T>(), count, divided ? partial.data<double>() : nullptr);
  }
  return result.release();
}

template <class Operation>
PyObject* reduce(PyObject* const* args, Py_ssize_t count, bool mean) {
  if (count != 3 || !is_array(args[0])) return declined();
  const Array x(args[0]);
  unsigned reduced;
  Reduced shape;
  const Type type = x.type();
  if ((type != Type::float32 && type != Type::float64) || x.size() == 0 || x.dims() == 0 || x.dims() > 31) return declined();
  if (!read_dims(args[1], x, &reduced) || !read_reduced(x, reduced, &shape)) return declined();
  const bool keep = args[2] == Py_True;
  if (type == Type::float32) return reduce<Operation, float>(x, reduced, keep, mean, shape);
  return reduce<Operation, double>(x, reduced, keep, mean, shape);
}

}  // namespace

KERNEL(sum, "sum(x, dims, keepdim)") { return reduce<Sum>(args, count, false); }

KERNEL(mean, "mean(x, dims, keepdim)") { return reduce<Sum>(args, count, true); }

KERNEL(amax, "amax(x, dims, keepdim)") { return reduce<Largest>(args, count, false); }

KERNEL(amin, "amin(x, dims, keepdim)") { return reduce<Smallest>(args, count, false); }

KERNEL(prod, "prod(x, dims, keepdim)") { return reduce<Product>(args, count, false); }

KERNEL(vector_norm, "vector_norm(x, dims, keepdim, order): norms of order 1, 2 or infinity") {
  if (count != 4 || !PyFloat_Check(args[3])) return declined();
  const double order = PyFloat_AsDouble(args[3]);
  if (order == 2) return reduce<RootOfSquares>(args, 3, false);
  if (order == 1) return reduce<SumOfSizes>(args, 3, false);
  return order == INFINITY ? reduce<LargestSize>(args, 3, false) : declined();
}

KERNEL(square_norm, "square_norm(x): the square root of the sum of the squares of all elements of float32") {
  if (count != 1 || !is_array(args[0])) return declined();
  const Array x(args[0]);
  if (x.type() != Type::float32 || !x.contiguous() || x.size() == 0) return declined();
  constexpr Index kPart = 65536;
  const float* from = x.data<float>();
  const Index size = x.size(), parts = (size + kPart - 1) / kPart;
  std::vector<double> sums(static_cast<size_t>(parts));
  Array result = Array::empty(0, nullptr, Type::float32);
  if (!result) return nullptr;
  {
    WithoutGil unlocked(size > kElementsPerThread);
    parallel_for(parts, 1, [&](Index begin, Index end) {
      for (Index part = begin; part < end; ++part) {
        const float* row = from + part * kPart;
        sums[part] = sum_of_row(
            std::min(kPart, size - part * kPart),
            [&](Index i) __attribute__((always_inline)) {
              const Floats value = load(row + i);
              return value * value;
            },
            [&](Index i, Index some) __attribute__((always_inline)) {
              const Floats value = load_filled(row + i, some, 0.0f);
              return value * value;
            });
      }
    });
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  *result.data<float>() = static_cast<float>(std::sqrt(total));
  return result.release();
}

}  // namespace facula
