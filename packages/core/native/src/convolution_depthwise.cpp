// Convolutions in which every channel has one filter of its own: row by row, without a matrix product.
#include "convolution.h"

namespace facula {
namespace convolution {
namespace {

// A channel's taps: their weights, and how far from a place each lies.
struct Taps {
  std::vector<Index> offsets;
  explicit Taps(const Padded& padded) : offsets(static_cast<size_t>(padded.taps())) {
    for (Index tap = 0; tap < padded.taps(); ++tap) offsets[tap] = padded.tap_offset(tap);
  }
};

// A plane of results from a padded plane.
void filter_plane(const Padded& padded, const Taps& taps, const float* from, const float* weight, bool turned, float bias, float* to) {
  const Index count = padded.taps();
  const Index width = padded.out[2];
  for (Index line = 0; line < padded.out[0] * padded.out[1]; ++line) {
    const float* start = from + padded.place_offset(line / padded.out[1], line % padded.out[1]);
    float* row = to + line * width;
    Index at = 0;
    for (; at + 2 * kLanes <= width; at += 2 * kLanes) {
      Floats left = all(bias), right = all(bias);
      for (Index tap = 0; tap < count; ++tap) {
        const float scale = weight[turned ? count - 1 - tap : tap];
        left += scale * load(start + taps.offsets[tap] + at);
        right += scale * load(start + taps.offsets[tap] + at + kLanes);
      }
      store(row + at, left);
      store(row + at + kLanes, right);
    }
    for (; at < width; at += kLanes) {
      Floats sum = all(bias);
      for (Index tap = 0; tap < count; ++tap) {
        sum += weight[turned ? count - 1 - tap : tap] * load(start + taps.offsets[tap] + at);
      }
      if (at + kLanes <= width) {
        store(row + at, sum);
      } else {
        store_short(row + at, sum, width - at);
      }
    }
  }
}

void filter_planes(const Padded& padded, Index planes, Index channels, const float* x, Index x_size, const float* weight,
                   bool turned, const float* bias, float* y, Index y_size) {
  const Taps taps(padded);
  parallel_for(planes, std::max<Index>(1, 8192 / std::max<Index>(1, y_size)), [&](Index begin, Index end) {
    float* copy = scratch<float>(Purpose::padded, static_cast<size_t>(padded.plane() + kSlack));
    for (Index plane = begin; plane < end; ++plane) {
      padded.copy(x + plane * x_size, copy);
      filter_plane(padded, taps, copy, weight + plane % channels * padded.taps(), turned,
                   bias == nullptr ? 0.0f : bias[plane % channels], y + plane * y_size);
    }
  });
}

}  // namespace

void depthwise_forward(const Shape& shape, const float* x, const float* weight, const float* bias, float* y) {
  filter_planes(padded_data(shape), shape.batch * shape.channels, shape.channels, x, shape.in_size(), weight, false, bias, y,
                shape.places());
}

void depthwise_data(const Shape& shape, const float* y, const float* weight, float* x) {
  if (shape.stride[0] == 1 && shape.stride[1] == 1 && shape.stride[2] == 1) {
    filter_planes(padded_gradient(shape), shape.batch * shape.channels, shape.channels, y, shape.places(), weight, true, nullptr, x,
                  shape.in_size());
    return;
  }
  const Padded padded = padded_data(shape);
  const Taps taps(padded);
  const Index width = shape.out[2];
  parallel_for(shape.batch * shape.channels, std::max<Index>(1, 8192 / std::max<Index>(1, shape.places())), [&](Index begin, Index end) {
    float* wide = scratch<float>(Purpose::padded, static_cast<size_t>(padded.plane()));
    for (Index plane = begin; plane < end; ++plane) {
      const float* filter = weight + plane % shape.channels * taps.offsets.size();
      std::memset(wide, 0, static_cast<size_t>(padded.plane()) * sizeof(float));
      for (Index line = 0; line < shape.out[0] * shape.out[1]; ++line) {
        float* start = wide + padded.place_offset(line / shape.out[1], line % shape.out[1]);
        const float* from = y + plane * shape.places() + line * width;
        for (size_t tap = 0; tap < taps.offsets.size(); ++tap) {
          float* to = start + taps.offsets[tap];
          const float scale = filter[tap];
          for (Index at = 0; at < width; ++at) to[at] += scale * from[at];
        }
      }
      padded.take(wide, x + plane * shape.in_size());
    }
  });
}

void depthwise_weight(const Shape& shape, const float* x, const float* y, float* weight) {
  const Padded padded = padded_data(shape);
  const Taps taps(padded);
  const Index count = padded.taps();
  const Index width = shape.out[2];
  const Index lines = shape.out[0] * shape.out[1];
  parallel_for(shape.channels, 1, [&](Index begin, Index end) {
    float* copy = scratch<float>(Purpose::padded, static_cast<size_t>(padded.plane() + kSlack));
    std::vector<Floats> sums(static_cast<size_t>(count));
    for (Index channel = begin; channel < end; ++channel) {
      for (Floats& each : sums) each = Floats{};
      for (Index image = 0; image < shape.batch; ++image) {
        const Index plane = image * shape.channels + channel;
        padded.copy(x + plane * shape.in_size(), copy);
        for (Index line = 0; line < lines; ++line) {
          const float* start = copy + padded.place_offset(line / shape.out[1], line % shape.out[1]);
          const float* row = y + plane * shape.places() + line * width;
          for (Index at = 0; at < width; at += kLanes) {
            const bool whole = at + kLanes <= width;
            const Floats gradient = whole ? load(row + at) : load_short(row + at, width - at);
            for (Index tap = 0; tap < count; ++tap) {
              const float* from = start + taps.offsets[tap] + at;
              sums[tap] += gradient * (whole ? load(from) : load_short(from, width - at));
            }
          }
        }
      }
      for (Index tap = 0; tap < count; ++tap) weight[channel * count + tap] = total(sums[tap]);
    }
  });
}

}  // namespace convolution
}  // namespace facula
