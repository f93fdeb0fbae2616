// Convolutions in which every channel has one filter of its own: line by line, without a matrix product.
#include "convolution.h"

namespace facula {
namespace convolution {
namespace {

// A channel's taps: how far from a place each lies, and the place of each weight. `kTaps` of 0 says that their number is
// known only here; else they stay in registers.
struct Taps {
  std::vector<Index> offsets;
  std::vector<Index> weights;

  void add(Index offset, Index weight) {
    offsets.push_back(offset);
    weights.push_back(weight);
  }
  Index count() const { return static_cast<Index>(offsets.size()); }
};

Taps taps_of(const Padded& padded, bool turned) {
  Taps made;
  for (Index tap = 0; tap < padded.taps(); ++tap) made.add(padded.tap_offset(tap), turned ? padded.taps() - 1 - tap : tap);
  return made;
}

// Lines of results that lie `to_step` apart, from places that lie `step` apart.
template <int kTaps, int kLines>
void filter_lines(Index count, const Index* offsets, const float* weight, float bias, const float* from, Index step, Index width,
                  float* to, Index to_step) {
  for (Index at = 0; at < width; at += kLanes) {
    Floats sums[kLines];
#pragma GCC unroll 4
    for (int line = 0; line < kLines; ++line) sums[line] = all(bias);
#pragma GCC unroll 9
    for (Index tap = 0; tap < (kTaps == 0 ? count : kTaps); ++tap) {
      const float* place = from + offsets[tap] + at;
#pragma GCC unroll 4
      for (int line = 0; line < kLines; ++line) sums[line] += weight[tap] * load(place + line * step);
    }
    const Index lanes = std::min<Index>(kLanes, width - at);
#pragma GCC unroll 4
    for (int line = 0; line < kLines; ++line) {
      if (lanes == kLanes) {
        store(to + line * to_step + at, sums[line]);
      } else {
        store_short(to + line * to_step + at, sums[line], lanes);
      }
    }
  }
}

template <int kTaps>
void filter_rows(const Taps& taps, const float* weight, float bias, const float* from, Index step, Index rows, Index width, float* to,
                 Index to_step) {
  Index row = 0;
  for (; row + 4 <= rows; row += 4) {
    filter_lines<kTaps, 4>(taps.count(), taps.offsets.data(), weight, bias, from + row * step, step, width, to + row * to_step, to_step);
  }
  for (; row < rows; ++row) {
    filter_lines<kTaps, 1>(taps.count(), taps.offsets.data(), weight, bias, from + row * step, step, width, to + row * to_step, to_step);
  }
}

// `weight` holds a number for each of the taps, in their order.
void filter_rows_of(const Taps& taps, const float* weight, float bias, const float* from, Index step, Index rows, Index width,
                    float* to, Index to_step) {
  (taps.count() == 9 ? filter_rows<9> : filter_rows<0>)(taps, weight, bias, from, step, rows, width, to, to_step);
}

// Results and data of one plane that each fit into a vector: which number of the data each tap meets at each place. The
// last lane holds zero.
struct SmallPlane {
  std::vector<Ints> order;

  // Only AVX-512 has a quick way to choose among the lanes of a vector.
  static bool suits(Index from, Index to) { return kLanes == 16 && from < kLanes && to <= kLanes; }

  // `source(place, tap)` is a place in what is read, or -1.
  template <class Source>
  SmallPlane(Index taps, Index places, const Source& source) : order(static_cast<size_t>(taps)) {
    for (Index tap = 0; tap < taps; ++tap) {
      for (Index lane = 0; lane < kLanes; ++lane) {
        const Index at = lane < places ? source(lane, tap) : -1;
        order[tap][lane] = static_cast<int32_t>(at < 0 ? kLanes - 1 : at);
      }
    }
  }
};

// The place in the data that a tap meets at a place of the result, or -1.
Index data_place(const Shape& shape, Index place, Index tap) {
  Index found = 0;
  Index place_step = shape.places(), tap_step = shape.taps();
  for (int dim = 0; dim < kDims; ++dim) {
    place_step /= shape.out[dim];
    tap_step /= shape.kernel[dim];
    const Index at = place / place_step % shape.out[dim] * shape.stride[dim] +
                     tap / tap_step % shape.kernel[dim] * shape.dilation[dim] - shape.padding[dim];
    if (at < 0 || at >= shape.in[dim]) return -1;
    found = found * shape.in[dim] + at;
  }
  return found;
}

// The other way round: the place of the result whose tap meets a place of the data, or -1.
Index result_place(const Shape& shape, Index place, Index tap) {
  for (Index at = 0; at < shape.places(); ++at) {
    if (data_place(shape, at, tap) == place) return at;
  }
  return -1;
}

void filter_small_planes(const SmallPlane& plane, const Shape& shape, Index from_size, Index to_size, const float* x,
                         const float* weight, const float* bias, float* y) {
  const Index taps = shape.taps();
  parallel_for(shape.batch * shape.channels, 1024, [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      const Index channel = at % shape.channels;
      const Floats data = load_short(x + at * from_size, from_size);
      Floats sum = all(bias == nullptr ? 0.0f : bias[channel]), other = {};
      Index tap = 0;
      for (; tap + 2 <= taps; tap += 2) {
        sum += weight[channel * taps + tap] * __builtin_shuffle(data, plane.order[tap]);
        other += weight[channel * taps + tap + 1] * __builtin_shuffle(data, plane.order[tap + 1]);
      }
      if (tap < taps) sum += weight[channel * taps + tap] * __builtin_shuffle(data, plane.order[tap]);
      store_short(y + at * to_size, sum + other, to_size);
    }
  });
}

void filter_planes(const Padded& padded, Index planes, Index channels, const float* x, Index x_size, const float* weight,
                   bool turned, const float* bias, float* y, Index y_size) {
  const Taps taps = taps_of(padded, turned);
  const Index width = padded.out[2];
  const Index rows = padded.out[1];
  const Index step = padded.stride[1] * padded.row;
  // Of narrow images all rows are one line, with results between them that are not kept.
  const bool flat = width <= kLanes / 2 && padded.stride[1] == 1 && padded.stride[2] == 1;
  const Index line = (rows - 1) * padded.row + width;
  parallel_for(planes, std::max<Index>(1, 8192 / std::max<Index>(1, y_size)), [&](Index begin, Index end) {
    float* copy = scratch<float>(Purpose::padded, static_cast<size_t>(padded.plane() + line + 2 * kSlack));
    float* whole = copy + padded.plane() + kSlack;
    std::vector<float> scales(static_cast<size_t>(taps.count()));
    padded.clear(copy);
    for (Index plane = begin; plane < end; ++plane) {
      padded.place(x + plane * x_size, copy);
      const float* filter = weight + plane % channels * taps.count();
      for (Index tap = 0; tap < taps.count(); ++tap) scales[tap] = filter[taps.weights[tap]];
      const float added = bias == nullptr ? 0.0f : bias[plane % channels];
      for (Index depth = 0; depth < padded.out[0]; ++depth) {
        const float* from = copy + padded.place_offset(depth, 0);
        float* to = y + plane * y_size + depth * rows * width;
        if (!flat) {
          filter_rows_of(taps, scales.data(), added, from, step, rows, width, to, width);
          continue;
        }
        filter_rows_of(taps, scales.data(), added, from, 0, 1, line, whole, 0);
        for (Index row = 0; row < rows; ++row) copy_line(to + row * width, whole + row * padded.row, width);
      }
    }
  });
}

// The gradient of the data where windows move by more than one: for each remainder of a place by the stride, the taps
// that reach it.
void filter_remainders(const Shape& shape, const float* y, const float* weight, float* x) {
  Padded padded = {};
  Index remainders = 1;
  for (int dim = 0; dim < kDims; ++dim) {
    padded.before[dim] = (shape.kernel[dim] - 1) * shape.dilation[dim] / shape.stride[dim];
    padded.kernel[dim] = padded.before[dim] + 1;
    padded.stride[dim] = padded.dilation[dim] = 1;
    padded.out[dim] = (shape.in[dim] - 1 + shape.padding[dim]) / shape.stride[dim] + 1;
    padded.from[dim] = shape.out[dim];
    remainders *= shape.stride[dim];
  }
  padded.finish();
  std::vector<Taps> all_taps(static_cast<size_t>(remainders));
  for (Index tap = 0; tap < shape.taps(); ++tap) {
    const Index places[kDims] = {tap / shape.kernel[2] / shape.kernel[1], tap / shape.kernel[2] % shape.kernel[1],
                                 tap % shape.kernel[2]};
    Index remainder = 0, offset = 0;
    for (int dim = 0; dim < kDims; ++dim) {
      const Index reach = places[dim] * shape.dilation[dim];
      remainder = remainder * shape.stride[dim] + reach % shape.stride[dim];
      offset = offset * (dim == 2 ? padded.row : padded.length[dim]) + padded.before[dim] - reach / shape.stride[dim];
    }
    all_taps[remainder].add(offset, tap);
  }
  const Index width = shape.in[2];
  const Index stride = shape.stride[2];
  const Index pitch = (width + stride - 1) / stride;
  const Index part_size = (shape.in[1] + shape.stride[1] - 1) / shape.stride[1] * pitch + kSlack;
  parallel_for(shape.batch * shape.channels, std::max<Index>(1, 8192 / std::max<Index>(1, shape.in_size())), [&](Index begin, Index end) {
    float* copy = scratch<float>(Purpose::padded, static_cast<size_t>(padded.plane() + stride * part_size + 2 * kSlack));
    float* parts = copy + padded.plane() + kSlack;
    std::vector<float> scales(static_cast<size_t>(shape.taps()));
    padded.clear(copy);
    for (Index plane = begin; plane < end; ++plane) {
      padded.place(y + plane * shape.places(), copy);
      const float* filter = weight + plane % shape.channels * shape.taps();
      for (Index line = 0; line < shape.in[0] * shape.stride[1]; ++line) {
        // The rows of one remainder, side by side.
        const Index depth = line / shape.stride[1], first = line % shape.stride[1];
        if (first >= shape.in[1]) continue;
        const Index rows = (shape.in[1] - first + shape.stride[1] - 1) / shape.stride[1];
        const Index d = depth + shape.padding[0], h = first + shape.padding[1];
        const Index above = d % shape.stride[0] * shape.stride[1] + h % shape.stride[1];
        const float* from = copy + (d / shape.stride[0] * padded.length[1] + h / shape.stride[1]) * padded.row;
        for (Index column = 0; column < std::min(stride, width); ++column) {
          const Index w = column + shape.padding[2];
          const Taps& taps = all_taps[above * stride + w % stride];
          for (Index tap = 0; tap < taps.count(); ++tap) scales[tap] = filter[taps.weights[tap]];
          filter_rows_of(taps, scales.data(), 0.0f, from + w / stride, padded.row, rows, (width - column + stride - 1) / stride,
                         parts + column * part_size, pitch);
        }
        for (Index row = 0; row < rows; ++row) {
          join_line(stride, width, [&](Index column) { return parts + column * part_size + row * pitch; },
                    x + plane * shape.in_size() + (depth * shape.in[1] + first + row * shape.stride[1]) * width);
        }
      }
    }
  });
}

// For every tap, the products of the gradient of all places of some rows with what the tap meets there.
template <int kTaps>
void add_products(const Index* offsets, const float* from, Index step, Index rows, Index width, const float* gradients, Floats* sums) {
  Floats kept[kTaps];
#pragma GCC unroll 9
  for (int tap = 0; tap < kTaps; ++tap) kept[tap] = sums[tap];
  for (Index row = 0; row < rows; ++row) {
    const float* line = from + row * step;
    const float* received = gradients + row * width;
    Index at = 0;
    for (; at + kLanes <= width; at += kLanes) {
      const Floats gradient = load(received + at);
#pragma GCC unroll 9
      for (int tap = 0; tap < kTaps; ++tap) kept[tap] += gradient * load(line + offsets[tap] + at);
    }
    if (at == width) continue;
    const Floats gradient = load_short(received + at, width - at);
#pragma GCC unroll 9
    for (int tap = 0; tap < kTaps; ++tap) kept[tap] += gradient * load_short(line + offsets[tap] + at, width - at);
  }
#pragma GCC unroll 9
  for (int tap = 0; tap < kTaps; ++tap) sums[tap] = kept[tap];
}

// The same for any number of taps, some at a time.
void add_products_of(const Taps& taps, const float* from, Index step, Index rows, Index width, const float* gradients, Floats* sums) {
  for (Index tap = 0; tap < taps.count();) {
    const Index left = taps.count() - tap;
    const Index some = left >= 9 ? 9 : left >= 3 ? 3 : 1;
    const auto add = some == 9 ? add_products<9> : some == 3 ? add_products<3> : add_products<1>;
    add(taps.offsets.data() + tap, from, step, rows, width, gradients, sums + tap);
    tap += some;
  }
}

}  // namespace

void depthwise_forward(const Shape& shape, const float* x, const float* weight, const float* bias, float* y) {
  if (SmallPlane::suits(shape.in_size(), shape.places())) {
    const SmallPlane plane(shape.taps(), shape.places(), [&](Index place, Index tap) { return data_place(shape, place, tap); });
    filter_small_planes(plane, shape, shape.in_size(), shape.places(), x, weight, bias, y);
    return;
  }
  filter_planes(padded_data(shape), shape.batch * shape.channels, shape.channels, x, shape.in_size(), weight, false, bias, y,
                shape.places());
}

void depthwise_data(const Shape& shape, const float* y, const float* weight, float* x) {
  if (SmallPlane::suits(shape.places(), shape.in_size())) {
    const SmallPlane plane(shape.taps(), shape.in_size(), [&](Index place, Index tap) { return result_place(shape, place, tap); });
    filter_small_planes(plane, shape, shape.places(), shape.in_size(), y, weight, nullptr, x);
    return;
  }
  if (shape.stride[0] == 1 && shape.stride[1] == 1 && shape.stride[2] == 1) {
    filter_planes(padded_gradient(shape), shape.batch * shape.channels, shape.channels, y, shape.places(), weight, true, nullptr, x,
                  shape.in_size());
    return;
  }
  filter_remainders(shape, y, weight, x);
}

void depthwise_weight(const Shape& shape, const float* x, const float* y, float* weight) {
  const Padded padded = padded_data(shape);
  const Taps taps = taps_of(padded, false);
  const Index count = taps.count();
  const Index width = shape.out[2];
  const bool small = SmallPlane::suits(shape.in_size(), shape.places());
  const SmallPlane order(small ? count : 0, shape.places(), [&](Index place, Index tap) { return data_place(shape, place, tap); });
  parallel_for(shape.channels, 1, [&](Index begin, Index end) {
    float* copy = scratch<float>(Purpose::padded, static_cast<size_t>(padded.plane() + kSlack));
    std::vector<Floats> sums(static_cast<size_t>(count));
    padded.clear(copy);
    for (Index channel = begin; channel < end; ++channel) {
      for (Floats& each : sums) each = Floats{};
      for (Index image = 0; image < shape.batch; ++image) {
        const Index plane = image * shape.channels + channel;
        const float* gradients = y + plane * shape.places();
        if (small) {
          const Floats gradient = load_short(gradients, shape.places());
          const Floats data = load_short(x + plane * shape.in_size(), shape.in_size());
          for (Index tap = 0; tap < count; ++tap) sums[tap] += gradient * __builtin_shuffle(data, order.order[tap]);
          continue;
        }
        padded.place(x + plane * shape.in_size(), copy);
        for (Index depth = 0; depth < shape.out[0]; ++depth) {
          add_products_of(taps, copy + padded.place_offset(depth, 0), padded.stride[1] * padded.row, shape.out[1], width,
                          gradients + depth * shape.out[1] * width, sums.data());
        }
      }
      for (Index tap = 0; tap < count; ++tap) weight[channel * count + tap] = total(sums[tap]);
    }
  });
}

}  // namespace convolution
}  // namespace facula
