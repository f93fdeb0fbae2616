// Convolutions of float32 in one to three dimensions as matrix products whose right side is copied, panel by panel,
// straight from the images; and the gradients of their data and weight.
#include "convolution.h"

namespace facula {
namespace convolution {
namespace {

using gemm::Finish;
using gemm::Matrix;

// The images that are copied at once: about this many bytes of them.
constexpr Index kCopied = Index{24} << 20;
constexpr Index kFewPanels = 4;

bool read_numbers(PyObject* tuple, int dims, Index missing, Index* to) {
  if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != dims) return false;
  for (int dim = 0; dim < kDims; ++dim) to[dim] = missing;
  for (int dim = 0; dim < dims; ++dim) {
    to[kDims - dims + dim] = PyLong_AsLongLong(PyTuple_GET_ITEM(tuple, dim));
  }
  return !PyErr_Occurred();
}

void read_lengths(const Array& x, Index* to) {
  for (int dim = 0; dim < kDims; ++dim) to[dim] = 1;
  const int dims = x.dims() - 2;
  for (int dim = 0; dim < dims; ++dim) to[kDims - dims + dim] = x.shape(2 + dim);
}

// stride, padding, dilation, groups: the last four arguments of each kernel.
bool read_plan(PyObject* const* args, int dims, Shape& shape) {
  if (!read_numbers(args[0], dims, 1, shape.stride) || !read_numbers(args[1], dims, 0, shape.padding) ||
      !read_numbers(args[2], dims, 1, shape.dilation)) {
    return false;
  }
  shape.groups = PyLong_AsLongLong(args[3]);
  return !PyErr_Occurred() && shape.groups > 0;
}

bool is_usable(PyObject* object) {
  if (!is_array(object)) return false;
  const Array x(object);
  return x.type() == Type::float32 && x.contiguous() && x.dims() >= 3 && x.dims() <= 2 + kDims && x.size() > 0;
}

bool counts_fit(const Shape& shape) {
  for (int dim = 0; dim < kDims; ++dim) {
    if (shape.out[dim] <= 0) return false;
  }
  return shape.channels % shape.groups == 0 && shape.out_channels % shape.groups == 0;
}

Array like_image(const Array& model, Index batch, Index channels, const Index* lengths) {
  npy_intp shape[2 + kDims] = {batch, channels};
  const int dims = model.dims() - 2;
  for (int dim = 0; dim < dims; ++dim) shape[2 + dim] = lengths[kDims - dims + dim];
  return Array::empty(2 + dims, shape, Type::float32);
}

// Where one image has few places, those of all images lie side by side, as if they were one image of a dimension more.
bool is_merged(Index batch, const Padded& padded) {
  const Index places = padded.out[1] * padded.out[2];
  return batch > 1 && padded.length[0] == 1 && places < 4 * gemm::kColumns && places % gemm::kColumns != 0;
}

Padded merged(const Padded& padded, Index images) {
  Padded all = padded;
  all.out[0] = all.length[0] = images;
  all.stride[0] = 1;
  return all;
}

// Copies of images, of all their channels; `to` holds them image by image or, merged, channel by channel.
void copy_images(const Padded& padded, bool merge, Index images, Index channels, const float* x, Index x_size, float* to) {
  const Index plane = padded.plane();
  parallel_for(images * channels, std::max<Index>(1, 16384 / std::max<Index>(1, plane)), [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      const Index place = merge ? at % channels * images + at / channels : at;
      padded.copy(x + at * x_size, to + place * plane);
    }
  });
}

// (first, second, size) to (second, first, size).
void swap_axes(Index first, Index second, Index size, const float* from, float* to) {
  parallel_for(first * second, std::max<Index>(1, 16384 / size), [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      const Index place = at % second * first + at / second;
      copy_line(to + place * size, from + at * size, size);
    }
  });
}

Index images_together(Index batch, Index image) {
  return std::min(batch, std::max<Index>(1, kCopied / (image * static_cast<Index>(sizeof(float)))));
}

// Filters of every group, (rows x depth) each: group g's begin at `matrix` + g * group.
struct Filters {
  Matrix matrix;
  Index group;
  Matrix of(Index at) const { return {matrix.data + at * group, matrix.row, matrix.column}; }
};

// The same as `gemm::pack_left` copies them, one group after the other, by all threads.
float* packed_filters(const Filters& filters, Index groups, Index rows, Index depth) {
  const size_t size = gemm::packed_size(rows, depth);
  float* packed = scratch<float>(Purpose::transformed, size * static_cast<size_t>(groups));
  if (packed == nullptr) return nullptr;
  const Index tiles = (rows + gemm::kRows - 1) / gemm::kRows;
  parallel_for(groups * tiles, std::max<Index>(1, 16384 / (gemm::kRows * depth)), [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      const Index first = at % tiles * gemm::kRows;
      const Index high = std::min<Index>(gemm::kRows, rows - first);
      const Index depth_block = gemm::depth_of_pass(depth);
      for (Index k = 0; k < depth; k += depth_block) {
        const Index deep = std::min(depth_block, depth - k);
        const Matrix part = filters.of(at / tiles).from(first, k);
        gemm::interleave<gemm::kRows>(part.data, part.row, part.column, high, deep,
                                      packed + at / tiles * size + k * tiles * gemm::kRows + first * deep);
      }
    }
  });
  return packed;
}

// Sums of `rows` filters over places that lie side by side: as `gemm`'s kernel, but read where the image lies.
template <int rows>
void filter_run(Index depth, const float* filters, const float* image, const Index* offsets, float* to, Index to_row, Index count,
                bool add, const float* bias) {
  Floats sums[rows][2];
  for (int i = 0; i < rows; ++i) sums[i][0] = sums[i][1] = bias == nullptr ? Floats{} : all(bias[i]);
  for (Index k = 0; k < depth; ++k) {
    const float* line = image + offsets[k];
    const Floats left = load(line), right = load(line + kLanes);
#pragma GCC unroll 12
    for (int i = 0; i < rows; ++i) {
      const float scale = filters[k * gemm::kRows + i];
      sums[i][0] += scale * left;
      sums[i][1] += scale * right;
    }
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < 2; ++j) {
      float* place = to + i * to_row + j * kLanes;
      const Index lanes = std::min<Index>(kLanes, count - j * kLanes);
      if (lanes == kLanes) {
        store(place, add ? sums[i][j] + load(place) : sums[i][j]);
      } else if (lanes > 0) {
        store_short(place, add ? sums[i][j] + load_short(place, lanes) : sums[i][j], lanes);
      }
    }
  }
}

using FilterRun = void (*)(Index, const float*, const float*, const Index*, float*, Index, Index, bool, const float*);

template <int rows>
FilterRun filter_run_of(Index count) {
  if constexpr (rows == 1) {
    return filter_run<1>;
  } else {
    return count == rows ? filter_run<rows> : filter_run_of<rows - 1>(count);
  }
}

// Rows first … last of packed filters over the places from `place` on: as `gemm::multiply_packed`, but patches that lie
// side by side are not copied.
bool filter_places(Index all_rows, Index first, Index last, Index depth, const float* filters, const Patches& patches, Index place,
                   Index places, float* to, Index to_row, const float* bias) {
  const Index depth_block = gemm::depth_of_pass(depth);
  float* panel = scratch<float>(Purpose::right_panels, static_cast<size_t>((depth_block + kLanes) * gemm::kColumns + kLanes));
  if (panel == nullptr) return false;
  for (Index k = 0; k < depth; k += depth_block) {
    const Index deep = std::min(depth_block, depth - k);
    const float* block = filters + k * gemm::round_up(all_rows, gemm::kRows);
    for (Index j = 0; j < places; j += gemm::kColumns) {
      const Index wide = std::min<Index>(gemm::kColumns, places - j);
      const Index width = patches.padded->out[2];
      const Index line = (place + j) / width;
      const bool in_line = (place + j) % width + wide <= width;
      const float* image = patches.image + (place + j) % width +
                           patches.padded->place_offset(line / patches.padded->out[1], line % patches.padded->out[1]);
      if (!in_line) patches.panel(k, deep, place + j, wide, panel);
      for (Index i = first; i < last; i += gemm::kRows) {
        const Index high = std::min(gemm::kRows + Index{0}, last - i);
        float* sums = to + (i - first) * to_row + j;
        if (in_line) {
          filter_run_of<gemm::kRows>(high)(deep, block + i * deep, image, patches.offsets + k, sums, to_row, wide, k > 0,
                                             k > 0 || bias == nullptr ? nullptr : bias + i);
        } else {
          gemm::Finish finish;
          finish.add = k > 0;
          if (k == 0 && bias != nullptr) finish.of_row = bias + i;
          Index lanes = 0;
          const gemm::Kernel run = gemm::kernel_for<true, true>(high, wide, lanes);
          run(deep, block + i * deep, 1, gemm::kRows, panel, gemm::kColumns, sums, to_row, lanes, finish);
        }
      }
    }
  }
  return true;
}

// Result (batch, rows * groups, places) of filters over images: for each group its filters times the patches of its
// channels.
bool filter_images(Index batch, Index groups, Index channels, Index rows, const Padded& padded, const float* x, Index x_size,
                   const Filters& filters, const float* bias, float* y) {
  const Index depth = channels * padded.taps();
  const Index places = padded.out[0] * padded.out[1] * padded.out[2];
  const Index image = groups * channels * padded.plane();
  const Index together = images_together(batch, image);
  const bool merge = is_merged(together, padded);
  float* copies = scratch<float>(Purpose::padded, static_cast<size_t>(together * image + kSlack));
  float* results = nullptr;
  if (merge) results = scratch<float>(Purpose::accumulated, static_cast<size_t>(groups * rows * together * places));
  if (copies == nullptr || (merge && results == nullptr)) return false;
  const size_t filters_size = gemm::packed_size(rows, depth);
  float* packed = nullptr;
  bool done = true;
  for (Index start = 0; start < batch; start += together) {
    const Index images = std::min(together, batch - start);
    copy_images(padded, merge, images, groups * channels, x + start * groups * channels * x_size, x_size, copies);
    const Padded all = merge ? merged(padded, images) : padded;
    const std::vector<Index> offsets = row_offsets(all, channels);
    const Index units = merge ? groups : images * groups;
    const Index columns = merge ? images * places : places;
    float* to = merge ? results : y + start * groups * rows * places;
    const Index panels = (columns + gemm::kColumns - 1) / gemm::kColumns;
    if (units == 1 && panels <= kFewPanels && rows >= 4 * gemm::kRows) {
      // So few places that a copy of the filters would not be worth while.
      const Patches patches = {copies, &all, offsets.data()};
      Finish finish;
      finish.of_row = bias;
      if (!gemm::multiply(rows, columns, depth, filters.of(0), patches, to, columns, finish)) done = false;
    } else {
      if (packed == nullptr) packed = packed_filters(filters, groups, rows, depth);
      if (packed == nullptr) return false;
      // Parts of the places of one image and, where they are few, of its rows, so that a single image keeps every thread
      // busy, and none waits long for the last.
      const Index parts = std::min(panels, std::max<Index>(1, (4 * threads() + units - 1) / units));
      const Index tiles = (rows + gemm::kRows - 1) / gemm::kRows;
      const Index across = units * panels < 16 * threads() && tiles >= 4 ? std::min<Index>(tiles / 2, threads()) : 1;
      parallel_tasks(units * parts * across, [&](Index task) {
        const Index part = task / across % parts;
        const Index unit = task / across / parts;
        const Index i = tiles * (task % across) / across * gemm::kRows;
        const Index i_end = std::min(rows, tiles * (task % across + 1) / across * gemm::kRows);
        const Index first = panels * part / parts * gemm::kColumns;
        const Index last = std::min(columns, panels * (part + 1) / parts * gemm::kColumns);
        const Patches patches = {copies + unit * channels * all.plane(), &all, offsets.data()};
        if (!filter_places(rows, i, i_end, depth, packed + unit % groups * filters_size, patches, first, last - first,
                           to + (unit * rows + i) * columns + first, columns,
                           bias == nullptr ? nullptr : bias + unit % groups * rows)) {
          done = false;
        }
      });
    }
    if (merge) swap_axes(groups * rows, images, places, results, y + start * groups * rows * places);
  }
  return done;
}

// A pointwise product of few places in each of several images.
bool is_small_pointwise(const Shape& shape) { return shape.batch > 1 && is_merged(shape.batch, padded_data(shape)); }

bool forward(const Shape& shape, const float* x, const float* weight, const float* bias, float* y) {
  if (suits_winograd(shape)) return winograd_forward(shape, x, weight, bias, y);
  const Index rows = shape.group_out();
  const Index depth = shape.depth();
  if (shape.is_pointwise() && !is_small_pointwise(shape)) {
    bool done = true;
    const Index places = shape.places();
    const auto one = [&](Index at) {
      const Index group = at % shape.groups;
      const Matrix a = {weight + group * rows * depth, depth, 1};
      const Matrix b = {x + at * depth * places, places, 1};
      Finish finish;
      if (bias != nullptr) finish.of_row = bias + group * rows;
      if (!gemm::product(rows, places, depth, a, b, y + at * rows * places, places, finish)) done = false;
    };
    const Index count = shape.batch * shape.groups;
    if (count >= threads()) {
      parallel_tasks(count, one);
    } else {
      for (Index at = 0; at < count; ++at) one(at);
    }
    return done;
  }
  return filter_images(shape.batch, shape.groups, shape.group_channels(), rows, padded_data(shape), x, shape.in_size(),
                       {{weight, depth, 1}, rows * depth}, bias, y);
}

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

// A line of the data from the results of all remainders, `step` apart: its elements from each in turn. A remainder's own
// lines are as long as it has places.
void join_line(const Shape& shape, const float* results, Index step, Index line, float* to) {
  const Index stride = shape.stride[2];
  const Index size = shape.in[2];
  if (stride == 2 && size > 1) {
    Ints low = {}, high = {};
    for (int lane = 0; lane < kLanes; ++lane) {
      low[lane] = lane / 2 + lane % 2 * kLanes;
      high[lane] = low[lane] + kLanes / 2;
    }
    const float* even = results + line * ((size + 1) / 2);
    const float* odd = results + step + line * (size / 2);
    for (Index at = 0; at < size; at += 2 * kLanes) {
      const Floats left = load(even + at / 2), right = load(odd + at / 2);
      const Floats first = __builtin_shuffle(left, right, low), second = __builtin_shuffle(left, right, high);
      const Index rest = size - at;
      if (rest >= 2 * kLanes) {
        store(to + at, first);
        store(to + at + kLanes, second);
      } else {
        store_short(to + at, first, std::min<Index>(rest, kLanes));
        if (rest > kLanes) store_short(to + at + kLanes, second, rest - kLanes);
      }
    }
    return;
  }
  for (Index part = 0; part < std::min(stride, size); ++part) {
    const Index count = (size - part + stride - 1) / stride;
    const float* from = results + part * step + line * count;
    for (Index at = 0; at < count; ++at) to[at * stride + part] = from[at];
  }
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
          join_line(shape, results, together * image + kSlack, line, to);
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

// The gradient of the weight: for each group, (out x places) of the gradient times (places x depth) of the patches, added
// up image by image. Threads divide the weight, so that no sum depends on their number.
bool weight_gradient(const Shape& shape, const float* x, const float* y, float* weight) {
  // Of few channels, the products of the 36 places are too small to be quick.
  if (suits_winograd(shape) && std::min(shape.group_channels(), shape.group_out()) >= 24) return winograd_weight(shape, x, y, weight);
  const bool pointwise = shape.is_pointwise();
  const Padded padded = padded_data(shape);
  const Index channels = shape.group_channels();
  const Index rows = shape.group_out();
  const Index depth = shape.depth();
  const Index places = shape.places();
  const Index image = shape.channels * padded.plane();
  const bool merge = is_merged(images_together(shape.batch, image), padded);
  const bool copied = merge || !pointwise;
  const Index together = copied ? images_together(shape.batch, image) : shape.batch;
  float* copies = nullptr;
  float* gradients = nullptr;
  if (copied) {
    copies = scratch<float>(Purpose::padded, static_cast<size_t>(together * image + kSlack));
    if (copies == nullptr) return false;
  }
  if (merge) {
    gradients = scratch<float>(Purpose::gathered, static_cast<size_t>(together * shape.out_channels * places));
    if (gradients == nullptr) return false;
  }
  bool done = true;
  for (Index start = 0; start < shape.batch; start += together) {
    const Index images = std::min(together, shape.batch - start);
    const float* received = y + start * shape.out_channels * places;
    if (copied) copy_images(padded, merge, images, shape.channels, x + start * shape.channels * shape.in_size(), shape.in_size(), copies);
    if (merge) swap_axes(images, shape.out_channels, places, received, gradients);
    const Padded all = merge ? merged(padded, images) : padded;
    const std::vector<Index> offsets = row_offsets(all, channels);
    const Index columns = merge ? images * places : places;
    const Index panels = (depth + gemm::kColumns - 1) / gemm::kColumns;
    const Index tiles = (rows + gemm::kRows - 1) / gemm::kRows;
    const Index workers = shape.groups >= threads() ? 1 : threads();
    const Index across = std::min(panels, workers);
    const Index down = std::min(tiles, std::max<Index>(1, workers / across));
    parallel_tasks(shape.groups * across * down, [&](Index task) {
      const Index group = task / (across * down);
      const Index j = panels * (task % across) / across * gemm::kColumns;
      const Index j_end = std::min(depth, panels * (task % across + 1) / across * gemm::kColumns);
      const Index part = task / across % down;
      const Index i = tiles * part / down * gemm::kRows;
      const Index i_end = std::min(rows, tiles * (part + 1) / down * gemm::kRows);
      float* to = weight + (group * rows + i) * depth + j;
      for (Index at = 0; at < (merge ? 1 : images); ++at) {
        Finish finish;
        finish.add = start + at > 0;
        const Index unit = at * shape.groups + group;
        const Matrix a = {(merge ? gradients : received) + (unit * rows + i) * columns, columns, 1};
        bool fine = false;
        if (pointwise) {
          const float* data = merge ? copies : x + start * shape.channels * places;
          const Matrix b = {data + unit * channels * columns, 1, columns};
          fine = gemm::multiply_alone(i_end - i, j_end - j, columns, a, gemm::FromMatrix{b}, j, to, depth, finish);
        } else {
          const Patches patches = {copies + unit * channels * all.plane(), &all, offsets.data()};
          fine = gemm::multiply_alone(i_end - i, j_end - j, columns, a, TransposedPatches{patches, depth}, j, to, depth, finish);
        }
        if (!fine) done = false;
      }
    });
  }
  return done;
}

}  // namespace
}  // namespace convolution

using namespace convolution;

KERNEL(conv, "conv(x, weight, bias or None, stride, padding, dilation, groups): the convolution of (N, C, ...)") {
  if (count != 7 || !is_usable(args[0]) || !is_usable(args[1])) return declined();
  const Array x(args[0]);
  const Array weight(args[1]);
  if (x.dims() != weight.dims()) return declined();
  Shape shape = {};
  if (!read_plan(args + 3, x.dims() - 2, shape)) return PyErr_Occurred() ? nullptr : declined();
  shape.batch = x.shape(0);
  shape.channels = x.shape(1);
  shape.out_channels = weight.shape(0);
  read_lengths(x, shape.in);
  read_lengths(weight, shape.kernel);
  for (int dim = 0; dim < kDims; ++dim) {
    const Index room = shape.in[dim] + 2 * shape.padding[dim] - shape.dilation[dim] * (shape.kernel[dim] - 1) - 1;
    shape.out[dim] = room < 0 ? 0 : room / shape.stride[dim] + 1;
  }
  if (!counts_fit(shape) || weight.shape(1) != shape.group_channels()) return declined();
  const float* bias = nullptr;
  if (args[2] != Py_None) {
    if (!is_array(args[2])) return declined();
    const Array numbers(args[2]);
    if (numbers.type() != Type::float32 || !numbers.contiguous() || numbers.size() != shape.out_channels) return declined();
    bias = numbers.data<float>();
  }
  Array y = like_image(x, shape.batch, shape.out_channels, shape.out);
  if (!y) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    if (is_depthwise(shape)) {
      depthwise_forward(shape, x.data<float>(), weight.data<float>(), bias, y.data<float>());
    } else {
      done = forward(shape, x.data<float>(), weight.data<float>(), bias, y.data<float>());
    }
  }
  return done ? y.release() : PyErr_NoMemory();
}

KERNEL(conv_data, "conv_data(y, weight, shape, stride, padding, dilation, groups): the gradient of the data, of a shape") {
  if (count != 7 || !is_usable(args[0]) || !is_usable(args[1]) || !PyTuple_Check(args[2])) return declined();
  const Array y(args[0]);
  const Array weight(args[1]);
  if (y.dims() != weight.dims() || PyTuple_GET_SIZE(args[2]) != y.dims()) return declined();
  Shape shape = {};
  if (!read_plan(args + 3, y.dims() - 2, shape)) return PyErr_Occurred() ? nullptr : declined();
  shape.batch = y.shape(0);
  shape.out_channels = y.shape(1);
  shape.channels = PyLong_AsLongLong(PyTuple_GET_ITEM(args[2], 1));
  for (int dim = 0; dim < kDims; ++dim) shape.in[dim] = 1;
  for (int dim = 0; dim < y.dims() - 2; ++dim) {
    shape.in[kDims - (y.dims() - 2) + dim] = PyLong_AsLongLong(PyTuple_GET_ITEM(args[2], 2 + dim));
  }
  if (PyErr_Occurred()) return nullptr;
  read_lengths(y, shape.out);
  read_lengths(weight, shape.kernel);
  if (!counts_fit(shape) || weight.shape(0) != shape.out_channels || weight.shape(1) != shape.group_channels()) return declined();
  Array x = like_image(y, shape.batch, shape.channels, shape.in);
  if (!x) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    if (is_depthwise(shape)) {
      depthwise_data(shape, y.data<float>(), weight.data<float>(), x.data<float>());
    } else {
      done = data_gradient(shape, y.data<float>(), weight.data<float>(), x.data<float>());
    }
  }
  return done ? x.release() : PyErr_NoMemory();
}

KERNEL(conv_weight, "conv_weight(x, y, kernel, stride, padding, dilation, groups): the gradient of the weight") {
  if (count != 7 || !is_usable(args[0]) || !is_usable(args[1])) return declined();
  const Array x(args[0]);
  const Array y(args[1]);
  if (x.dims() != y.dims()) return declined();
  Shape shape = {};
  const int dims = x.dims() - 2;
  if (!read_plan(args + 3, dims, shape) || !read_numbers(args[2], dims, 1, shape.kernel)) {
    return PyErr_Occurred() ? nullptr : declined();
  }
  shape.batch = x.shape(0);
  shape.channels = x.shape(1);
  shape.out_channels = y.shape(1);
  read_lengths(x, shape.in);
  read_lengths(y, shape.out);
  if (!counts_fit(shape) || y.shape(0) != shape.batch) return declined();
  Array weight = like_image(x, shape.out_channels, shape.group_channels(), shape.kernel);
  if (!weight) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    if (is_depthwise(shape)) {
      depthwise_weight(shape, x.data<float>(), y.data<float>(), weight.data<float>());
    } else {
      done = weight_gradient(shape, x.data<float>(), y.data<float>(), weight.data<float>());
    }
  }
  return done ? weight.release() : PyErr_NoMemory();
}

}  // namespace facula
