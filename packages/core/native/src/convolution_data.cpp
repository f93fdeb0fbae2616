// The gradient of the data of a convolution, which is the forward of a transposed one.
#include "convolution.h"

namespace facula {
namespace convolution {
namespace {

using gemm::Finish;
using gemm::Matrix;

// Of the places of the data along one dimension, those that the same taps reach: every stride-th.
struct Phase {
  Index first, count;  // in the data
  Index tap, taps;     // the first of the taps, and how many
  Index before;        // as in `Padded`
};

Phase phase_of(const Shape& shape, int dim, Index rest) {
  const Index stride = shape.stride[dim];
  const Index start = (std::max<Index>(0, shape.padding[dim] - rest) + stride - 1) / stride;
  const Index last = shape.padding[dim] + shape.in[dim] - 1 - rest;
  Phase made = {};
  made.first = start * stride + rest - shape.padding[dim];
  made.count = last < 0 ? 0 : last / stride - start + 1;
  made.tap = rest;
  made.taps = (shape.kernel[dim] - rest + stride - 1) / stride;
  made.before = (made.taps - 1) * (stride == 1 ? shape.dilation[dim] : 1) - start;
  return made;
}

// The filters for `phases`, with their taps turned round: for each group (channels x (out * taps)). A single tap
// needs no copy.
Filters turned_filters(const Shape& shape, const float* weight, const Phase* phases, float* to) {
  const Index rows = shape.group_channels();
  const Index taps = shape.taps();
  const Index depth = shape.group_out() * phases[0].taps * phases[1].taps * phases[2].taps;
  if (taps == 1) return {{weight, 1, rows}, rows * depth};
  // Blocks of channels and results, so that what is read and what is written lies side by side.
  constexpr Index kTogether = 16;
  const Index blocks = (rows + kTogether - 1) / kTogether;
  const Index kept = depth / shape.group_out();
  parallel_for(shape.groups * blocks, std::max<Index>(1, 16384 / (kTogether * depth)), [&](Index begin, Index end) {
    std::vector<Index> offsets;
    for (Index d = phases[0].taps - 1; d >= 0; --d) {
      for (Index h = phases[1].taps - 1; h >= 0; --h) {
        for (Index w = phases[2].taps - 1; w >= 0; --w) {
          const Index row = (phases[0].tap + d * shape.stride[0]) * shape.kernel[1] + phases[1].tap + h * shape.stride[1];
          offsets.push_back(row * shape.kernel[2] + phases[2].tap + w * shape.stride[2]);
        }
      }
    }
    [[maybe_unused]] Ints order = {};
    for (int lane = 0; lane < std::min<Index>(kept, kLanes); ++lane) order[lane] = static_cast<int32_t>(offsets[lane]);
    for (Index block = begin; block < end; ++block) {
      const Index group = block / blocks;
      const Index first = block % blocks * kTogether;
      for (Index start = 0; start < shape.group_out(); start += 2 * kTogether) {
        for (Index channel = first; channel < std::min(rows, first + kTogether); ++channel) {
          for (Index out = start; out < std::min(shape.group_out(), start + 2 * kTogether); ++out) {
            const float* filter = weight + ((group * shape.group_out() + out) * rows + channel) * taps;
            float* filter_to = to + (group * rows + channel) * depth + out * kept;
#if defined(__AVX512F__)
            if (taps <= kLanes) {
              store_short(filter_to, __builtin_shuffle(load_short(filter, taps), order), kept);
              continue;
            }
#endif
            for (Index tap = 0; tap < kept; ++tap) filter_to[tap] = filter[offsets[tap]];
          }
        }
      }
    }
  });
  return {{to, depth, 1}, rows * depth};
}

// The gradient of the data for windows that move by one: a convolution with each filter turned round.
bool data_by_filters(const Shape& shape, const float* y, const float* weight, float* x) {
  const Index rows = shape.group_channels();
  float* turned = scratch<float>(Purpose::gathered, static_cast<size_t>(shape.groups * rows * shape.group_out() * shape.taps()));
  if (turned == nullptr) return false;
  const Phase phases[kDims] = {phase_of(shape, 0, 0), phase_of(shape, 1, 0), phase_of(shape, 2, 0)};
  return filter_images(shape.batch, shape.groups, shape.group_out(), rows, padded_gradient(shape), y, shape.places(),
                       turned_filters(shape, weight, phases, turned), nullptr, x);
}

// The same for any stride: the product for every tap, each added where the tap was.
bool data_by_columns(const Shape& shape, const float* y, const float* weight, float* x) {
  const Padded padded = padded_data(shape);
  const Index plane = padded.plane();
  const Index places = shape.places();
  const Index depth = shape.depth();
  const Index taps = shape.taps();
  const Index width = shape.out[2];
  // As many channels at once as keep the products in the cache, so that one image makes work for several threads.
  const Index together = std::max<Index>(1, std::min(shape.group_channels(), (Index{1} << 18) / (taps * places)));
  const Index blocks = (shape.group_channels() + together - 1) / together;
  bool done = true;
  parallel_tasks(shape.batch * shape.groups * blocks, [&](Index task) {
    const Index group = task / blocks;  // of all groups of all images
    const Index first = task % blocks * together;
    const Index channels = std::min(together, shape.group_channels() - first);
    float* products = scratch<float>(Purpose::gathered, static_cast<size_t>(channels * taps * places));
    float* wide = scratch<float>(Purpose::padded, static_cast<size_t>(plane));
    if (products == nullptr || wide == nullptr) {
      done = false;
      return;
    }
    const float* filters = weight + (group % shape.groups) * shape.group_out() * depth + first * taps;
    const Matrix a = {filters, 1, depth};
    const Matrix b = {y + group * shape.group_out() * places, places, 1};
    if (!gemm::multiply_alone(channels * taps, places, shape.group_out(), a, gemm::FromMatrix{b}, 0, products, places, Finish{})) {
      done = false;
      return;
    }
    for (Index channel = 0; channel < channels; ++channel) {
      std::memset(wide, 0, static_cast<size_t>(plane) * sizeof(float));
      for (Index tap = 0; tap < taps; ++tap) {
        const float* from = products + (channel * taps + tap) * places;
        for (Index line = 0; line < shape.out[0] * shape.out[1]; ++line) {
          float* to = wide + padded.tap_offset(tap) + padded.place_offset(line / shape.out[1], line % shape.out[1]);
          for (Index at = 0; at < width; ++at) to[at] += from[line * width + at];
        }
      }
      padded.take(wide, x + (group * shape.group_channels() + first + channel) * shape.in_size());
    }
  });
  return done;
}

// The gradient of the data for windows that move by more than one: for each remainder of a place by the stride, a
// convolution with the taps that reach it.
bool data_by_phases(const Shape& shape, const float* y, const float* weight, float* x) {
  const Index rows = shape.group_channels();
  const Index stride = shape.stride[2];
  // The most that one remainder has of one image.
  Index image = shape.channels;
  for (int dim = 0; dim < kDims; ++dim) image *= (shape.in[dim] + shape.stride[dim] - 1) / shape.stride[dim];
  const Index together = images_together(shape.batch, image * stride);
  const Index filters_size = shape.groups * rows * shape.group_out() * shape.taps();
  float* turned = scratch<float>(Purpose::gathered, static_cast<size_t>(filters_size + (together * image + kSlack) * stride));
  if (turned == nullptr) return false;
  float* results = turned + filters_size;
  for (Index start = 0; start < shape.batch; start += together) {
    const Index images = std::min(together, shape.batch - start);
    for (Index rest = 0; rest < shape.stride[0] * shape.stride[1]; ++rest) {
      const Phase deep = phase_of(shape, 0, rest / shape.stride[1]);
      const Phase high = phase_of(shape, 1, rest % shape.stride[1]);
      if (deep.count <= 0 || high.count <= 0) continue;
      const Index lines = shape.channels * deep.count * high.count;
      for (Index column = 0; column < stride; ++column) {
        const Phase wide = phase_of(shape, 2, column);
        if (wide.count <= 0) continue;
        float* result = results + wide.first * (together * image + kSlack);
        if (deep.taps <= 0 || high.taps <= 0 || wide.taps <= 0) {
          std::memset(result, 0, static_cast<size_t>(images * lines * wide.count) * sizeof(float));
          continue;
        }
        const Phase phases[kDims] = {deep, high, wide};
        Padded padded = {};
        for (int dim = 0; dim < kDims; ++dim) {
          padded.kernel[dim] = phases[dim].taps;
          padded.stride[dim] = 1;
          padded.dilation[dim] = shape.stride[dim] == 1 ? shape.dilation[dim] : 1;
          padded.out[dim] = phases[dim].count;
          padded.before[dim] = phases[dim].before;
          padded.from[dim] = shape.out[dim];
        }
        padded.finish();
        if (!filter_images(images, shape.groups, shape.group_out(), rows, padded, y + start * shape.out_channels * shape.places(),
                           shape.places(), turned_filters(shape, weight, phases, turned), nullptr, result)) {
          return false;
        }
      }
      parallel_for(images * lines, std::max<Index>(1, 16384 / shape.in[2]), [&](Index begin, Index end) {
        for (Index line = begin; line < end; ++line) {
          const Index plane = line / (deep.count * high.count);
          const Index d = deep.first + line / high.count % deep.count * shape.stride[0];
          const Index h = high.first + line % high.count * shape.stride[1];
          float* to = x + start * shape.channels * shape.in_size() + plane * shape.in_size() + (d * shape.in[1] + h) * shape.in[2];
          join_line(stride, shape.in[2], [&](Index part) {
            return results + part * (together * image + kSlack) + line * ((shape.in[2] - part + stride - 1) / stride);
          }, to);
        }
      });
    }
  }
  return true;
}

// Few places in all, and so much weight that reading it is most of the work: it is read once, where it lies. All images
// lie side by side, the same place of each together.
bool has_few_places(const Shape& shape) {
  return shape.batch * shape.places() <= kFewPanels * gemm::kColumns && shape.depth() * shape.group_out() >= Index{1} << 18;
}

void add_line(float* to, const float* from, Index count) {
  Index at = 0;
  for (; at + kLanes <= count; at += kLanes) store(to + at, load(to + at) + load(from + at));
  if (at < count) store_short(to + at, load_short(to + at, count - at) + load_short(from + at, count - at), count - at);
}

bool data_of_few_places(const Shape& shape, const float* y, const float* weight, float* x) {
  const Index batch = shape.batch;
  const Index places = shape.places();
  const Index columns = batch * places;
  const Index taps = shape.taps();
  const Index depth = shape.depth();
  float* received = scratch<float>(Purpose::transformed, static_cast<size_t>(shape.out_channels * columns));
  if (received == nullptr) return false;
  for (Index image = 0; image < batch; ++image) {
    const float* from = y + image * shape.out_channels * places;
    for (Index at = 0; at < shape.out_channels * places; ++at) received[at * batch + image] = from[at];
  }
  const Index together = std::min<Index>(shape.group_channels(), 32);
  const Index blocks = (shape.group_channels() + together - 1) / together;
  const Index plane = shape.in_size() * batch;
  bool done = true;
  parallel_tasks(shape.groups * blocks, [&](Index task) {
    const Index group = task / blocks;
    const Index first = task % blocks * together;
    const Index channels = std::min(together, shape.group_channels() - first);
    float* products = scratch<float>(Purpose::gathered, static_cast<size_t>(channels * taps * columns));
    float* wide = scratch<float>(Purpose::padded, static_cast<size_t>(plane));
    const Matrix a = {weight + group * shape.group_out() * depth + first * taps, 1, depth};
    const Matrix b = {received + group * shape.group_out() * columns, columns, 1};
    if (products == nullptr || wide == nullptr ||
        !gemm::multiply_alone(channels * taps, columns, shape.group_out(), a, gemm::FromMatrix{b}, 0, products, columns, Finish{})) {
      done = false;
      return;
    }
    for (Index channel = 0; channel < channels; ++channel) {
      std::memset(wide, 0, static_cast<size_t>(plane) * sizeof(float));
      for (Index tap = 0; tap < taps; ++tap) {
        const Index w0 = tap % shape.kernel[2] * shape.dilation[2] - shape.padding[2];
        const Index h0 = tap / shape.kernel[2] % shape.kernel[1] * shape.dilation[1] - shape.padding[1];
        const Index d0 = tap / shape.kernel[2] / shape.kernel[1] * shape.dilation[0] - shape.padding[0];
        const float* from = products + (channel * taps + tap) * columns;
        for (Index line = 0; line < shape.out[0] * shape.out[1]; ++line) {
          const Index d = d0 + line / shape.out[1] * shape.stride[0];
          const Index h = h0 + line % shape.out[1] * shape.stride[1];
          if (d < 0 || d >= shape.in[0] || h < 0 || h >= shape.in[1]) continue;
          float* row = wide + (d * shape.in[1] + h) * shape.in[2] * batch;
          const float* line_from = from + line * shape.out[2] * batch;
          if (shape.stride[2] == 1) {
            const Index begin = std::max<Index>(0, -w0);
            add_line(row + (w0 + begin) * batch, line_from + begin * batch, (std::min(shape.out[2], shape.in[2] - w0) - begin) * batch);
            continue;
          }
          for (Index at = 0; at < shape.out[2]; ++at) {
            const Index w = w0 + at * shape.stride[2];
            if (w >= 0 && w < shape.in[2]) add_line(row + w * batch, line_from + at * batch, batch);
          }
        }
      }
      for (Index image = 0; image < batch; ++image) {
        float* to = x + (image * shape.channels + group * shape.group_channels() + first + channel) * shape.in_size();
        for (Index at = 0; at < shape.in_size(); ++at) to[at] = wide[at * batch + image];
      }
    }
  });
  return done;
}

}  // namespace

bool data_gradient(const Shape& shape, const float* y, const float* weight, float* x) {
  if (suits_winograd(shape)) return winograd_data(shape, y, weight, x);
  if (shape.is_pointwise() && !is_small_pointwise(shape)) {
    const Index places = shape.places();
    const Index rows = shape.group_channels();
    bool done = true;
    const auto one = [&](Index at) {
      const Matrix a = {weight + at % shape.groups * shape.group_out() * rows, 1, rows};
      const Matrix b = {y + at * shape.group_out() * places, places, 1};
      if (!gemm::product(rows, places, shape.group_out(), a, b, x + at * rows * places, places, Finish{})) done = false;
    };
    const Index count = shape.batch * shape.groups;
    if (count >= threads()) {
      parallel_tasks(count, one);
    } else {
      for (Index at = 0; at < count; ++at) one(at);
    }
    return done;
  }
  if (has_few_places(shape)) return data_of_few_places(shape, y, weight, x);
  bool by_one = true, in_phases = true;
  for (int dim = 0; dim < kDims; ++dim) {
    by_one = by_one && shape.stride[dim] == 1;
    in_phases = in_phases && (shape.stride[dim] == 1 || shape.dilation[dim] == 1);
  }
  if (by_one) return data_by_filters(shape, y, weight, x);
  // With few channels, products of single filters would leave most of a tile of sums empty.
  in_phases = in_phases && shape.group_channels() >= gemm::kRows / 2;
  return in_phases ? data_by_phases(shape, y, weight, x) : data_by_columns(shape, y, weight, x);
}

}  // namespace convolution
}  // namespace facula
