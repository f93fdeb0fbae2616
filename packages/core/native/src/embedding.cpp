// Rows of a table, looked up and summed by index.
#include <algorithm>
#include <vector>

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

// The least and the largest of indices, of which there is one at least.
struct Range {
  int64_t least;
  int64_t most;
};
Range range_of(const Array& index) {
  const int64_t* at = index.data<int64_t>();
  const Index size = index.size(), parts = (size + 65535) / 65536;
  std::vector<Range> found(static_cast<size_t>(parts));
  parallel_for(parts, 1, [&](Index begin, Index end) {
    for (Index part = begin; part < end; ++part) {
      Range range = {at[part * 65536], at[part * 65536]};
      for (Index i = part * 65536; i < std::min(size, (part + 1) * 65536); ++i) {
        range.least = std::min(range.least, at[i]);
        range.most = std::max(range.most, at[i]);
      }
      found[part] = range;
    }
  });
  Range all = found[0];
  for (const Range& each : found) all = {std::min(all.least, each.least), std::max(all.most, each.most)};
  return all;
}

// Whether all are rows of a table of `rows`.
bool are_in_range(const Array& index, Index rows) {
  if (index.size() == 0) return true;
  const Range range = range_of(index);
  return range.least >= 0 && range.most < rows;
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

KERNEL(index_range, "index_range(index): the least and the largest of int64 indices, of which there is one at least") {
  if (count != 1 || !is_index(args[0]) || Array(args[0]).size() == 0) return declined();
  const Range range = range_of(Array(args[0]));
  return Py_BuildValue("(LL)", static_cast<long long>(range.least), static_cast<long long>(range.most));
}

KERNEL(sum_at, "sum_at(x, index, count): zeros with each element of a vector added at its index") {
  if (count != 3 || !is_table(args[0]) || !is_index(args[1])) return declined();
  const Array x(args[0]), index(args[1]);
  const Index size = PyLong_AsSsize_t(args[2]);
  if (PyErr_Occurred()) return nullptr;
  const Index number = index.size();
  if (x.dims() != 1 || index.dims() != 1 || x.size() < number || number == 0) return declined();
  const npy_intp shape[1] = {size};
  Array result = Array::empty(1, shape, Type::float32);
  if (!result) return nullptr;
  // Many numbers for each place are added up in two halves, always, so that two threads have something to do.
  const Index parts = 2 * number >= size && number >= 2 * kGrain ? 2 : 1;
  std::vector<float> second(static_cast<size_t>((parts - 1) * size));
  float* const sums[2] = {result.data<float>(), second.data()};
  const float* from = x.data<float>();
  const int64_t* at = index.data<int64_t>();
  bool in_range[2] = {true, true};
  {
    WithoutGil unlocked(number > kGrain);
    std::memset(sums[0], 0, static_cast<size_t>(size) * sizeof(float));
    parallel_for(parts, 1, [&](Index begin, Index end) {
      for (Index part = begin; part < end; ++part) {
        float* to = sums[part];
        const Index last = number * (part + 1) / parts;
        Index i = number * part / parts;
        for (; i < last && static_cast<uint64_t>(at[i]) < static_cast<uint64_t>(size); ++i) to[at[i]] += from[i];
        in_range[part] = i == last;
      }
    });
    if (parts == 2) {
      parallel_for(size, kGrain, [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) sums[0][i] += sums[1][i];
      });
    }
  }
  return in_range[0] && in_range[1] ? result.release() : declined();
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
