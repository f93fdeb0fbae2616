// Rows of a table, looked up and summed by index.
#include <algorithm>

#include "array.h"
#include "map.h"
#include "parallel.h"

namespace facula {
namespace {

bool is_index(PyObject* object) {
  if (!is_array(object)) return false;
  const Array index(object);
  return index.type() == Type::int64 && index.contiguous();
}

bool is_table(PyObject* object) {
  if (!is_array(object)) return false;
  const Array table(object);
  return table.type() == Type::float32 && table.contiguous() && table.dims() >= 1;
}

// Whether all are rows of a table of `rows`; negative ones count from the end where that is allowed.
bool are_in_range(const Array& index, Index rows) {
  const int64_t* at = index.data<int64_t>();
  int64_t least = 0;
  int64_t most = -1;
  for (Index i = 0; i < index.size(); ++i) {
    least = std::min(least, at[i]);
    most = std::max(most, at[i]);
  }
  return least >= 0 && most < rows;
}

}  // namespace

KERNEL(take_rows, "take_rows(table, index): table[index]") {
  if (count != 2 || !is_table(args[0]) || !is_index(args[1])) return declined();
  const Array table(args[0]);
  const Array index(args[1]);
  if (index.dims() + table.dims() - 1 > NPY_MAXDIMS || !are_in_range(index, table.shape(0))) return declined();
  npy_intp shape[NPY_MAXDIMS];
  std::copy(index.shape(), index.shape() + index.dims(), shape);
  std::copy(table.shape() + 1, table.shape() + table.dims(), shape + index.dims());
  Array result = Array::empty(index.dims() + table.dims() - 1, shape, Type::float32);
  if (!result) return nullptr;
  const Index wide = table.shape(0) == 0 ? 0 : table.size() / table.shape(0);
  const float* from = table.data<float>();
  const int64_t* at = index.data<int64_t>();
  float* to = result.data<float>();
  WithoutGil unlocked(result.size() > kGrain);
  parallel_for(index.size(), std::max<Index>(1, 2 * kGrain / std::max<Index>(1, wide)), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      std::memcpy(to + i * wide, from + at[i] * wide, static_cast<size_t>(wide) * sizeof(float));
    }
  });
  return result.release();
}

KERNEL(sum_rows, "sum_rows(rows, index, count, ignored): zeros with each row added at its index, but for one") {
  if (count != 4 || !is_table(args[0]) || !is_index(args[1])) return declined();
  const Array rows(args[0]);
  const Array index(args[1]);
  const Index size = PyLong_AsSsize_t(args[2]);
  const int64_t ignored = PyLong_AsLongLong(args[3]);
  if (PyErr_Occurred()) return nullptr;
  const Index number = index.size();
  if (number == 0 || rows.size() % number != 0 || !are_in_range(index, size)) return declined();
  const Index wide = rows.size() / number;
  const npy_intp shape[2] = {size, wide};
  Array result = Array::empty(2, shape, Type::float32);
  if (!result) return nullptr;
  const float* from = rows.data<float>();
  const int64_t* at = index.data<int64_t>();
  float* to = result.data<float>();
  WithoutGil unlocked(rows.size() + result.size() > kGrain);
  // Each thread has rows of the result to itself and goes through the whole index, so sums are in one order always.
  const Index parts = std::min<Index>(threads(), std::max<Index>(1, (result.size() + rows.size()) / (2 * kGrain)));
  parallel_for(parts, 1, [&](Index begin, Index end) {
    const Index first = size * begin / parts;
    const Index last = size * end / parts;
    std::memset(to + first * wide, 0, static_cast<size_t>((last - first) * wide) * sizeof(float));
    for (Index i = 0; i < number; ++i) {
      if (at[i] < first || at[i] >= last || at[i] == ignored) continue;
      float* row = to + at[i] * wide;
      const float* added = from + i * wide;
      for (Index j = 0; j < wide; ++j) row[j] += added[j];
    }
  });
  return result.release();
}

}  // namespace facula
