// What the convolution kernels share: how windows move, and images copied so that no window ends outside.
#pragma once

#include <vector>

#include "array.h"
#include "gemm.h"
#include "parallel.h"
#include "scratch.h"
#include "vector.h"

namespace facula {
namespace convolution {

constexpr int kDims = 3;

// `load_part` and `store_part` where most rows are short: with masks, if the CPU has them.
ALWAYS_INLINE Floats load_short(const float* from, Index count) {
#if defined(__AVX512F__)
  return static_cast<Floats>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from));
#else
  return load_part(from, count);
#endif
}
ALWAYS_INLINE void store_short(float* to, Floats x, Index count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), static_cast<__m512>(x));
#else
  store_part(to, x, count);
#endif
}
ALWAYS_INLINE void copy_line(float* to, const float* from, Index count) {
#if defined(__AVX512F__)
  Index at = 0;
  for (; at + kLanes <= count; at += kLanes) store(to + at, load(from + at));
  if (at < count) store_short(to + at, load_short(from + at, count - at), count - at);
#else
  std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
#endif
}

// A convolution as one of three spatial dimensions; those that are missing have length 1.
struct Shape {
  Index batch, channels, out_channels, groups;
  Index in[kDims], out[kDims], kernel[kDims], stride[kDims], padding[kDims], dilation[kDims];

  Index group_channels() const { return channels / groups; }
  Index group_out() const { return out_channels / groups; }
  Index taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  Index depth() const { return group_channels() * taps(); }
  Index in_size() const { return in[0] * in[1] * in[2]; }
  Index places() const { return out[0] * out[1] * out[2]; }
  bool is_pointwise() const {
    if (taps() != 1) return false;
    for (int dim = 0; dim < kDims; ++dim) {
      if (stride[dim] != 1 || padding[dim] != 0) return false;
    }
    return true;
  }
};

// Images copied with zeros around them and, where windows move by more than one along a row, with the columns of each
// remainder together: so the places that one tap meets along a row of windows lie side by side.
//
// Element (row of windows and place in it) + (tap) is at `place_offset + tap_offset`.
struct Padded {
  Index kernel[kDims], stride[kDims], dilation[kDims], out[kDims];
  // Zeros before the first element; negative where elements are left out.
  Index before[kDims];
  Index length[kDims];
  // The image: how many elements of it can be met, every which, and its real lengths.
  Index from[kDims], skip[kDims], image[kDims];
  // Columns of one remainder, and the length of a row of all remainders.
  Index columns, row;

  Index plane() const { return length[0] * length[1] * row; }
  Index taps() const { return kernel[0] * kernel[1] * kernel[2]; }

  Index place_offset(Index depth_at, Index row_at) const {
    return (depth_at * stride[0] * length[1] + row_at * stride[1]) * row;
  }
  Index tap_offset(Index tap) const {
    const Index w = tap % kernel[2] * dilation[2];
    const Index h = tap / kernel[2] % kernel[1] * dilation[1];
    const Index d = tap / kernel[2] / kernel[1] * dilation[0];
    return (d * length[1] + h) * row + w % stride[2] * columns + w / stride[2];
  }

  void finish() {
    for (int dim = 0; dim < kDims; ++dim) {
      image[dim] = from[dim];
      skip[dim] = 1;
      // Windows of one element meet only some of the rows.
      if (kernel[dim] == 1 && before[dim] == 0 && stride[dim] > 1) {
        skip[dim] = stride[dim];
        stride[dim] = 1;
        from[dim] = (from[dim] - 1) / skip[dim] + 1;
      }
    }
    for (int dim = 0; dim < kDims; ++dim) length[dim] = (out[dim] - 1) * stride[dim] + (kernel[dim] - 1) * dilation[dim] + 1;
    columns = (length[2] + stride[2] - 1) / stride[2];
    row = columns * stride[2];
  }

  // Copy one channel.
  void copy(const float* x, float* to) const {
    clear(to);
    place(x, to);
  }

  void clear(float* to) const { std::memset(to, 0, static_cast<size_t>(plane()) * sizeof(float)); }

  // Copy one channel to where all that lies around it is zero, since `clear` or an earlier one of these copies.
  void place(const float* x, float* to) const {
    for_rows([&](Index source, Index target, Index first, Index count) {
      const float* line = x + source;
      float* line_to = to + target;
      if (skip[2] > 1) {
        for (Index at = first; at < first + count; ++at) line_to[at] = line[at * skip[2]];
        return;
      }
      if (stride[2] == 1) {
        copy_line(line_to + first, line + first - before[2], count);
        return;
      }
      if (stride[2] == 2) {
        halve(line - before[2], first, first + count, line_to);
        return;
      }
      for (Index rest = 0; rest < stride[2]; ++rest) {
        const Index start = first + (rest - first % stride[2] + stride[2]) % stride[2];
        float* part = line_to + rest * columns + start / stride[2];
        for (Index at = start; at < first + count; at += stride[2]) *part++ = line[at - before[2]];
      }
    });
  }

  // The other way round: take one channel out of its zeros.
  void take(const float* padded, float* x) const {
    std::memset(x, 0, static_cast<size_t>(image[0] * image[1] * image[2]) * sizeof(float));
    for_rows([&](Index source, Index target, Index first, Index count) {
      float* line = x + source;
      const float* line_from = padded + target;
      for (Index at = first; at < first + count; ++at) {
        line[(at - before[2]) * skip[2]] = line_from[at % stride[2] * columns + at / stride[2]];
      }
    });
  }

 private:
  // Elements first … end of a line, those at even places to one half and those at odd places to the other.
  void halve(const float* line, Index first, Index end, float* to) const {
    Ints even = {}, odd = {};
    for (int lane = 0; lane < kLanes; ++lane) {
      even[lane] = 2 * lane;
      odd[lane] = 2 * lane + 1;
    }
    Index at = first;
    if (at % 2 != 0) {
      to[columns + at / 2] = line[at];
      ++at;
    }
    for (; at + 2 * kLanes <= end; at += 2 * kLanes) {
      const Floats left = load(line + at), right = load(line + at + kLanes);
      store(to + at / 2, __builtin_shuffle(left, right, even));
      store(to + columns + at / 2, __builtin_shuffle(left, right, odd));
    }
#if defined(__AVX512F__)
    if (at < end) {
      const Index rest = end - at;
      const Floats left = load_short(line + at, std::min<Index>(kLanes, rest));
      const Floats right = load_short(line + at + kLanes, std::max<Index>(0, rest - kLanes));
      store_short(to + at / 2, __builtin_shuffle(left, right, even), (rest + 1) / 2);
      store_short(to + columns + at / 2, __builtin_shuffle(left, right, odd), rest / 2);
    }
#else
    for (; at < end; ++at) to[at % 2 * columns + at / 2] = line[at];
#endif
  }

  // Calls `body(offset of a row in the image, its offset here, first column here, how many)` for all rows in both.
  template <class Function>
  void for_rows(const Function& body) const {
    const Index first = std::max<Index>(0, before[2]);
    const Index last = std::min(length[2], before[2] + from[2]);
    if (last <= first) return;
    for (Index d = std::max<Index>(0, before[0]); d < std::min(length[0], before[0] + from[0]); ++d) {
      for (Index h = std::max<Index>(0, before[1]); h < std::min(length[1], before[1] + from[1]); ++h) {
        const Index line = (d - before[0]) * skip[0] * image[1] + (h - before[1]) * skip[1];
        body(line * image[2], (d * length[1] + h) * row, first, last - first);
      }
    }
  }
};

// How the data of a convolution is copied.
static inline Padded padded_data(const Shape& shape) {
  Padded made = {};
  for (int dim = 0; dim < kDims; ++dim) {
    made.kernel[dim] = shape.kernel[dim];
    made.stride[dim] = shape.stride[dim];
    made.dilation[dim] = shape.dilation[dim];
    made.out[dim] = shape.out[dim];
    made.before[dim] = shape.padding[dim];
    made.from[dim] = shape.in[dim];
  }
  made.finish();
  return made;
}

// How the gradient of the result is copied where the gradient of the data is a convolution too: for stride 1.
static inline Padded padded_gradient(const Shape& shape) {
  Padded made = {};
  for (int dim = 0; dim < kDims; ++dim) {
    made.kernel[dim] = shape.kernel[dim];
    made.stride[dim] = 1;
    made.dilation[dim] = shape.dilation[dim];
    made.out[dim] = shape.in[dim];
    made.before[dim] = (shape.kernel[dim] - 1) * shape.dilation[dim] - shape.padding[dim];
    made.from[dim] = shape.out[dim];
  }
  made.finish();
  return made;
}

// A line from its elements of each remainder by `stride`: `part(remainder)` is where they lie, with a vector's room after
// them.
template <class Part>
static inline void join_line(Index stride, Index size, const Part& part, float* to) {
  if (stride == 2 && size > 1) {
    Ints low = {}, high = {};
    for (int lane = 0; lane < kLanes; ++lane) {
      low[lane] = lane / 2 + lane % 2 * kLanes;
      high[lane] = low[lane] + kLanes / 2;
    }
    const float* even = part(0);
    const float* odd = part(1);
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
  for (Index remainder = 0; remainder < std::min(stride, size); ++remainder) {
    const Index count = (size - remainder + stride - 1) / stride;
    const float* from = part(remainder);
    for (Index at = 0; at < count; ++at) to[at * stride + remainder] = from[at];
  }
}

// Elements that may be read beyond the last of a padded image.
constexpr Index kSlack = 2 * kLanes;

// All windows of the channels of one padded image, as the matrix (channels * taps) x places.
struct Patches {
  const float* image;
  const Padded* padded;
  // The offset of each row of that matrix.
  const Index* offsets;

  // Calls `body(first place of a run, how many, offset)` for runs of places that lie side by side.
  template <class Function>
  void for_runs(Index place, Index count, const Function& body) const {
    const Index width = padded->out[2];
    const Index end = place + count;
    while (place < end) {
      const Index line = place / width;
      const Index column = place % width;
      const Index run = std::min(end - place, width - column);
      body(place, run, padded->place_offset(line / padded->out[1], line % padded->out[1]) + column);
      place += run;
    }
  }

  // Rows k … k + depth, for the places j … j + count, as a panel of `gemm`.
  void panel(Index k, Index depth, Index j, Index count, float* to) const {
    struct Run {
      Index start, count, offset;
    } runs[gemm::kColumns];
    int number = 0;
    for_runs(j, count, [&](Index place, Index length, Index offset) { runs[number++] = {place - j, length, offset}; });
    if (number == 1 && count == gemm::kColumns) {
      const float* from = image + runs[0].offset;
      for (Index at = 0; at < depth; ++at) {
        const float* line = from + offsets[k + at];
        store(to + at * gemm::kColumns, load(line));
        store(to + at * gemm::kColumns + kLanes, load(line + kLanes));
      }
      return;
    }
    // Whole vectors are stored, in order: what is too much is written over by the next run, or by the next row.
    for (Index at = 0; at < depth; ++at) {
      const float* line = image + offsets[k + at];
      float* line_to = to + at * gemm::kColumns;
      for (int run = 0; run < number; ++run) {
        store(line_to + runs[run].start, load(line + runs[run].offset));
        if (runs[run].count > kLanes) store(line_to + runs[run].start + kLanes, load(line + runs[run].offset + kLanes));
      }
    }
  }
};

// The transposed matrix: places x (channels * taps).
struct TransposedPatches {
  Patches patches;
  Index rows;

  void panel(Index place, Index depth, Index j, Index count, float* to) const {
    // Squares of places and rows, turned. What is too much at the end of a run is written over by the next.
    for (Index start = 0; start < gemm::kColumns && start < count; start += kLanes) {
      const Index lines = std::min<Index>(kLanes, count - start);
      patches.for_runs(place, depth, [&](Index first, Index length, Index offset) {
        for (Index at = 0; at < length; at += kLanes) {
          Floats square[kLanes];
          for (Index line = 0; line < kLanes; ++line) {
            const Index row = j + start + std::min(line, lines - 1);
            square[line] = load(patches.image + patches.offsets[row] + offset + at);
          }
          gemm::transpose(square);
          for (Index line = 0; line < kLanes; ++line) store(to + (first - place + at + line) * gemm::kColumns + start, square[line]);
        }
      });
    }
  }
};

// The offsets of the rows of `Patches`, for `channels` channels.
static inline std::vector<Index> row_offsets(const Padded& padded, Index channels) {
  std::vector<Index> offsets(static_cast<size_t>(channels * padded.taps()));
  for (Index channel = 0; channel < channels; ++channel) {
    for (Index tap = 0; tap < padded.taps(); ++tap) {
      offsets[channel * padded.taps() + tap] = channel * padded.plane() + padded.tap_offset(tap);
    }
  }
  return offsets;
}

// Where every channel of a group has a filter of its own: kernels in `convolution_depthwise.cpp`.
static inline bool is_depthwise(const Shape& shape) {
  return shape.groups > 1 && shape.groups == shape.channels && shape.groups == shape.out_channels;
}
void depthwise_forward(const Shape& shape, const float* x, const float* weight, const float* bias, float* y);
void depthwise_data(const Shape& shape, const float* y, const float* weight, float* x);
void depthwise_weight(const Shape& shape, const float* x, const float* y, float* weight);

// By transformed tiles, in `convolution_winograd.cpp`; false where memory is short.
bool suits_winograd(const Shape& shape);
bool suits_winograd_weight(const Shape& shape);
bool winograd_forward(const Shape& shape, const float* x, const float* weight, const float* bias, float* y);
bool winograd_data(const Shape& shape, const float* y, const float* weight, float* x);
bool winograd_weight(const Shape& shape, const float* x, const float* y, float* weight);

// Tiles of rows are of about the same height, so that none leaves most of a kernel's registers empty.
struct RowTiles {
  Index rows, count;
  explicit RowTiles(Index all) : rows(all), count((all + gemm::kRows - 1) / gemm::kRows) {}
  Index first(Index tile) const { return rows * tile / count; }
};

// How many images of a size are copied at once: about 24 MB of them.
static inline Index images_together(Index batch, Index image) {
  return std::min(batch, std::max<Index>(1, (Index{24} << 20) / (image * static_cast<Index>(sizeof(float)))));
}

// So few panels of places that a copy of the filters would not be worth while.
constexpr Index kFewPanels = 4;

// Filters of every group, (rows x depth) each: group g's begin at `matrix` + g * group.
struct Filters {
  gemm::Matrix matrix;
  Index group;
  gemm::Matrix of(Index at) const { return {matrix.data + at * group, matrix.row, matrix.column}; }
};

// By matrix products, in `convolution_patches.cpp`; false where memory is short. The first: results (batch, rows * groups,
// places) of filters over images, for each group its filters times the patches of its channels, and a bias or none.
bool filter_images(Index batch, Index groups, Index channels, Index rows, const Padded& padded, const float* x, Index x_size,
                   const Filters& filters, const float* bias, float* y);
bool is_small_pointwise(const Shape& shape);
bool forward(const Shape& shape, const float* x, const float* weight, const float* bias, float* y);
bool weight_gradient(const Shape& shape, const float* x, const float* y, float* weight);
// In `convolution_data.cpp`.
bool data_gradient(const Shape& shape, const float* y, const float* weight, float* x);

}  // namespace convolution
}  // namespace facula
