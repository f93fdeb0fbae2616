// The largest, and the sum, of windows that move over planes of float32, and their gradients.
#include <algorithm>
#include <limits>

#include "array.h"
#include "map.h"
#include "parallel.h"

namespace facula {
namespace {

// Windows over planes of one or two dimensions: two, the first of length 1 where it is missing.
struct Windows {
  Index planes;
  Index in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];

  Index taps() const { return kernel[0] * kernel[1]; }
  Index in_size() const { return in[0] * in[1]; }
  Index out_size() const { return out[0] * out[1]; }
};

bool read_pair(PyObject* tuple, Index rank, Index missing, Index* to) {
  if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != rank) return false;
  to[0] = missing;
  for (Index at = 0; at < rank; ++at) to[2 - rank + at] = PyLong_AsSsize_t(PyTuple_GET_ITEM(tuple, at));
  return !PyErr_Occurred();
}

// kernel, stride, padding, dilation, output: five tuples.
bool read_windows(PyObject* const* args, Windows& windows, Index& rank) {
  if (!PyTuple_Check(args[0])) return false;
  rank = PyTuple_GET_SIZE(args[0]);
  if (rank < 1 || rank > 2) return false;
  return read_pair(args[0], rank, 1, windows.kernel) && read_pair(args[1], rank, 1, windows.stride) &&
         read_pair(args[2], rank, 0, windows.padding) && read_pair(args[3], rank, 1, windows.dilation) &&
         read_pair(args[4], rank, 1, windows.out);
}

bool read_image(PyObject* object, Index rank, Index* lengths, Index& planes) {
  if (!is_array(object)) return false;
  const Array x(object);
  if (x.type() != Type::float32 || !x.contiguous() || x.dims() < rank || x.size() == 0) return false;
  planes = 1;
  lengths[0] = 1;
  for (int dim = 0; dim < x.dims(); ++dim) {
    const Index back = x.dims() - dim;
    if (back > rank) {
      planes *= x.shape(dim);
    } else {
      lengths[2 - back] = x.shape(dim);
    }
  }
  return true;
}

// The shape of `model` with its last dimensions replaced.
Array like_with(const Array& model, Index rank, const Index* lengths, Type type) {
  npy_intp shape[NPY_MAXDIMS];
  std::copy(model.shape(), model.shape() + model.dims(), shape);
  for (Index at = 0; at < rank; ++at) shape[model.dims() - rank + at] = lengths[2 - rank + at];
  return Array::empty(model.dims(), shape, type);
}

// Calls `body(tap, row of the plane, first and last place along the row, offset of the first window's element)` for every
// tap that meets the plane in a row of windows.
template <class Function>
void for_taps(const Windows& w, Index line, const Function& body) {
  for (Index kh = 0; kh < w.kernel[0]; ++kh) {
    const Index row = line * w.stride[0] + kh * w.dilation[0] - w.padding[0];
    if (row < 0 || row >= w.in[0]) continue;
    for (Index kw = 0; kw < w.kernel[1]; ++kw) {
      const Index shift = kw * w.dilation[1] - w.padding[1];
      const Index first = shift >= 0 ? 0 : (-shift + w.stride[1] - 1) / w.stride[1];
      const Index room = w.in[1] - 1 - shift;
      if (room < 0) continue;
      const Index last = std::min(w.out[1], room / w.stride[1] + 1);
      if (first < last) body(kh * w.kernel[1] + kw, row, first, last, shift);
    }
  }
}

void find_largest(const Windows& w, const float* x, float* best, uint8_t* winner, int32_t* numbers) {
  for (Index line = 0; line < w.out[0]; ++line) {
    float* values = best + line * w.out[1];
    std::fill(values, values + w.out[1], -std::numeric_limits<float>::infinity());
    std::fill(numbers, numbers + w.out[1], 0);
    for_taps(w, line, [&](Index tap, Index row, Index first, Index last, Index shift) {
      const float* from = x + row * w.in[1] + shift;
      const int32_t number = static_cast<int32_t>(tap);
      const Index step = w.stride[1];
      const auto consider = [&](Index at, float candidate) {
        // What is not a number wins.
        const bool better = candidate > values[at] || candidate != candidate;
        values[at] = better ? candidate : values[at];
        numbers[at] = better ? number : numbers[at];
      };
      if (step == 1) {
        for (Index at = first; at < last; ++at) consider(at, from[at]);
      } else if (step == 2) {
        for (Index at = first; at < last; ++at) consider(at, from[2 * at]);
      } else {
        for (Index at = first; at < last; ++at) consider(at, from[step * at]);
      }
    });
    uint8_t* winners = winner + line * w.out[1];
    for (Index at = 0; at < w.out[1]; ++at) winners[at] = static_cast<uint8_t>(numbers[at]);
  }
}

Index grain_of(const Windows& w) { return std::max<Index>(1, kGrain / std::max<Index>(1, w.out_size() * w.taps())); }

}  // namespace

KERNEL(max_pool, "max_pool(x, kernel, stride, padding, dilation, output): (the largest of each window, which it was)") {
  Windows w = {};
  Index rank = 0;
  if (count != 6 || !read_windows(args + 1, w, rank) || !read_image(args[0], rank, w.in, w.planes) || w.taps() > 256) {
    return PyErr_Occurred() ? nullptr : declined();
  }
  const Array x(args[0]);
  Array best = like_with(x, rank, w.out, Type::float32);
  Array winner = like_with(x, rank, w.out, Type::uint8);
  const npy_intp scratch_shape[2] = {w.planes == 0 ? 1 : threads(), w.out[1]};
  Array numbers = Array::empty(2, scratch_shape, Type::int32);
  if (!best || !winner || !numbers) return nullptr;
  const float* from = x.data<float>();
  {
    WithoutGil unlocked(x.size() > 4096);
    const Index parts = std::min<Index>(threads(), std::max<Index>(1, w.planes / grain_of(w)));
    parallel_for(parts, 1, [&](Index begin, Index end) {
      int32_t* own = numbers.data<int32_t>() + begin * w.out[1];
      for (Index plane = w.planes * begin / parts; plane < w.planes * end / parts; ++plane) {
        find_largest(w, from + plane * w.in_size(), best.data<float>() + plane * w.out_size(),
                     winner.data<uint8_t>() + plane * w.out_size(), own);
      }
    });
  }
  return Py_BuildValue("(NN)", best.release(), winner.release());
}

KERNEL(max_pool_gradient, "max_pool_gradient(received, winner, lengths, kernel, stride, padding, dilation, output)") {
  Windows w = {};
  Index rank = 0;
  if (count != 8 || !read_windows(args + 3, w, rank) || !read_image(args[0], rank, w.out, w.planes) ||
      !read_pair(args[2], rank, 1, w.in) || !is_array(args[1])) {
    return PyErr_Occurred() ? nullptr : declined();
  }
  const Array received(args[0]);
  const Array winner(args[1]);
  if (winner.type() != Type::uint8 || !winner.contiguous() || !winner.same_shape(received)) return declined();
  Array result = like_with(received, rank, w.in, Type::float32);
  if (!result) return nullptr;
  const float* g = received.data<float>();
  const uint8_t* winners = winner.data<uint8_t>();
  float* to = result.data<float>();
  WithoutGil unlocked(received.size() > 4096);
  parallel_for(w.planes, grain_of(w), [&](Index begin, Index end) {
    // Where each tap lies beside a window's first element.
    Index down[256];
    Index across[256];
    for (Index tap = 0; tap < w.taps(); ++tap) {
      down[tap] = tap / w.kernel[1] * w.dilation[0] - w.padding[0];
      across[tap] = tap % w.kernel[1] * w.dilation[1] - w.padding[1];
    }
    for (Index plane = begin; plane < end; ++plane) {
      float* wide = to + plane * w.in_size();
      std::memset(wide, 0, static_cast<size_t>(w.in_size()) * sizeof(float));
      for (Index line = 0; line < w.out[0]; ++line) {
        const Index start = plane * w.out_size() + line * w.out[1];
        for (Index at = 0; at < w.out[1]; ++at) {
          const uint8_t tap = winners[start + at];
          const Index row = line * w.stride[0] + down[tap];
          const Index column = at * w.stride[1] + across[tap];
          // The winner of a window of nothing but padding and -inf may be padding.
          const bool inside = row >= 0 && row < w.in[0] && column >= 0 && column < w.in[1];
          if (inside) wide[row * w.in[1] + column] += g[start + at];
        }
      }
    }
  });
  return result.release();
}

KERNEL(sum_windows, "sum_windows(x, kernel, stride, padding, dilation, output): the sum of each window") {
  Windows w = {};
  Index rank = 0;
  if (count != 6 || !read_windows(args + 1, w, rank) || !read_image(args[0], rank, w.in, w.planes)) {
    return PyErr_Occurred() ? nullptr : declined();
  }
  const Array x(args[0]);
  Array sums = like_with(x, rank, w.out, Type::float32);
  if (!sums) return nullptr;
  const float* from = x.data<float>();
  float* to = sums.data<float>();
  WithoutGil unlocked(x.size() > 4096);
  parallel_for(w.planes, grain_of(w), [&](Index begin, Index end) {
    for (Index plane = begin; plane < end; ++plane) {
      const float* image = from + plane * w.in_size();
      for (Index line = 0; line < w.out[0]; ++line) {
        float* values = to + plane * w.out_size() + line * w.out[1];
        std::fill(values, values + w.out[1], 0.0f);
        for_taps(w, line, [&](Index, Index row, Index first, Index last, Index shift) {
          const float* line_from = image + row * w.in[1] + shift;
          for (Index at = first; at < last; ++at) values[at] += line_from[at * w.stride[1]];
        });
      }
    }
  });
  return sums.release();
}

KERNEL(spread_sums, "spread_sums(received, lengths, kernel, stride, padding, dilation, output): added to each window") {
  Windows w = {};
  Index rank = 0;
  if (count != 7 || !read_windows(args + 2, w, rank) || !read_image(args[0], rank, w.out, w.planes) ||
      !read_pair(args[1], rank, 1, w.in)) {
    return PyErr_Occurred() ? nullptr : declined();
  }
  const Array received(args[0]);
  Array result = like_with(received, rank, w.in, Type::float32);
  if (!result) return nullptr;
  const float* g = received.data<float>();
  float* to = result.data<float>();
  WithoutGil unlocked(received.size() > 4096);
  parallel_for(w.planes, grain_of(w), [&](Index begin, Index end) {
    for (Index plane = begin; plane < end; ++plane) {
      float* image = to + plane * w.in_size();
      std::memset(image, 0, static_cast<size_t>(w.in_size()) * sizeof(float));
      for (Index line = 0; line < w.out[0]; ++line) {
        const float* values = g + plane * w.out_size() + line * w.out[1];
        for_taps(w, line, [&](Index, Index row, Index first, Index last, Index shift) {
          float* line_to = image + row * w.in[1] + shift;
          for (Index at = first; at < last; ++at) line_to[at * w.stride[1]] += values[at];
        });
      }
    }
  });
  return result.release();
}

}  // namespace facula
