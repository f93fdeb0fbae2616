// Tiles of Winograd's F(4 x 4, 3 x 3) and F(4, 3): where they lie in images, and their transforms.
//
// Tiles of data, of filters and of results are evaluated at the points 0, p, -p, q, -q and infinity in both directions;
// each of the 36 places is then a matrix product of its own. Along one direction only, there are six. With p q = 1 the numbers stay of one size, and so the
// error smaller than with the usual points 1 and 2.
#pragma once

#include "convolution.h"

namespace facula {
namespace convolution {

constexpr int kOut = 4;
constexpr int kIn = 6;

// Tiles of squares, or of lines.
template <bool square>
struct Form {
  static constexpr int out_rows = square ? kOut : 1, in_rows = square ? kIn : 1, tap_rows = square ? 3 : 1;
  static constexpr int points = in_rows * kIn;
  static constexpr int taps = tap_rows * 3;
};

constexpr float kP = 0.70710678118654752f;
constexpr float kQ = 1.41421356237309505f;
constexpr float kP2 = 0.5f;
constexpr float kQ2 = 2.0f;
constexpr float kP3 = 0.35355339059327376f;
constexpr float kQ3 = 2.82842712474619010f;
// One over the products of a point's distances from the others.
constexpr float kNormP = 1.0f / (2.0f * kP2 * (kP2 - kQ2));
constexpr float kNormQ = 1.0f / (2.0f * kQ2 * (kQ2 - kP2));

// The transforms of one line; each is written over its input, or beside it.
struct OfData {
  static constexpr int from = kIn, to = kIn;
  ALWAYS_INLINE void line(const Floats* x, Floats* y) {
    const Floats even_p = x[4] - kQ2 * x[2], odd_p = kP * (x[3] - kQ2 * x[1]);
    const Floats even_q = x[4] - kP2 * x[2], odd_q = kQ * (x[3] - kP2 * x[1]);
    y[0] = x[0] + x[4] - (kP2 + kQ2) * x[2];
    y[1] = even_p + odd_p;
    y[2] = even_p - odd_p;
    y[3] = even_q + odd_q;
    y[4] = even_q - odd_q;
    y[5] = x[1] + x[5] - (kP2 + kQ2) * x[3];
  }
};

struct OfFilter {
  static constexpr int from = 3, to = kIn;
  ALWAYS_INLINE void line(const Floats* x, Floats* y) {
    const Floats even_p = kNormP * (x[0] + kP2 * x[2]), odd_p = kNormP * kP * x[1];
    const Floats even_q = kNormQ * (x[0] + kQ2 * x[2]), odd_q = kNormQ * kQ * x[1];
    y[0] = x[0];
    y[1] = even_p + odd_p;
    y[2] = even_p - odd_p;
    y[3] = even_q + odd_q;
    y[4] = even_q - odd_q;
    y[5] = x[2];
  }
};

struct OfResult {
  static constexpr int from = kIn, to = kOut;
  ALWAYS_INLINE void line(const Floats* x, Floats* y) {
    const Floats even_p = x[1] + x[2], odd_p = x[1] - x[2];
    const Floats even_q = x[3] + x[4], odd_q = x[3] - x[4];
    y[0] = x[0] + even_p + even_q;
    y[1] = kP * odd_p + kQ * odd_q;
    y[2] = kP2 * even_p + kQ2 * even_q;
    y[3] = kP3 * odd_p + kQ3 * odd_q + x[5];
  }
};

// The transposes of the last two, for the gradient of the filters.
struct OfGradient {
  static constexpr int from = kOut, to = kIn;
  ALWAYS_INLINE void line(const Floats* x, Floats* y) {
    const Floats even_p = x[0] + kP2 * x[2], odd_p = kP * x[1] + kP3 * x[3];
    const Floats even_q = x[0] + kQ2 * x[2], odd_q = kQ * x[1] + kQ3 * x[3];
    y[0] = x[0];
    y[1] = even_p + odd_p;
    y[2] = even_p - odd_p;
    y[3] = even_q + odd_q;
    y[4] = even_q - odd_q;
    y[5] = x[3];
  }
};

struct OfFilterGradient {
  static constexpr int from = kIn, to = 3;
  ALWAYS_INLINE void line(const Floats* x, Floats* y) {
    const Floats even_p = kNormP * (x[1] + x[2]), odd_p = kNormP * kP * (x[1] - x[2]);
    const Floats even_q = kNormQ * (x[3] + x[4]), odd_q = kNormQ * kQ * (x[3] - x[4]);
    y[0] = x[0] + even_p + even_q;
    y[1] = odd_p + odd_q;
    y[2] = kP2 * even_p + kQ2 * even_q + x[5];
  }
};

// Both directions of a square, or a line: `get(row, column)` gives its elements, `put(row, column, value)` takes the
// result's.
template <class Transform, bool square, class Get, class Put>
ALWAYS_INLINE void transform(const Get& get, const Put& put) {
  constexpr int rows = square ? Transform::to : 1;
  Floats half[rows][Transform::from];
#pragma GCC unroll 6
  for (int column = 0; column < Transform::from; ++column) {
    if constexpr (square) {
      Floats line[Transform::from], made[Transform::to];
#pragma GCC unroll 6
      for (int row = 0; row < Transform::from; ++row) line[row] = get(row, column);
      Transform::line(line, made);
#pragma GCC unroll 6
      for (int row = 0; row < Transform::to; ++row) half[row][column] = made[row];
    } else {
      half[0][column] = get(0, column);
    }
  }
#pragma GCC unroll 6
  for (int row = 0; row < rows; ++row) {
    Floats made[Transform::to];
    Transform::line(half[row], made);
#pragma GCC unroll 6
    for (int column = 0; column < Transform::to; ++column) put(row, column, made[column]);
  }
}

// Where tiles lie in images of slices x rows x columns: windows whose taps are `step` apart see as many interleaved
// images, and each of these has high x wide tiles of `tile_rows` rows. The first tile begins `padding` before the image.
struct Tiles {
  Index high, wide, tile_rows;
  Index out_slices;
  Index slices, rows, columns;
  Index padding_slices, padding_rows, padding_columns;
  Index step_rows, step_columns;
  // How far apart in the data lie the windows of neighbours.
  Index stride = 1;

  Index phases() const { return step_rows * step_columns; }
  Index of_image() const { return out_slices * phases() * high * wide; }
  Index image_size() const { return slices * rows * columns; }

  // Calls `body(image, slice, first row, first column, how many tiles side by side, place in the block)`; row and column
  // are those of the first tile's first result.
  template <class Function>
  void for_runs(Index first, Index number, const Function& body) const {
    // Counted up, for divisions would take longer than short runs.
    Index column = 0, row = 0, phase_column = 0, phase_row = 0, slice = 0, image = 0;
    if (first > 0) {
      column = first % wide;
      row = first / wide % high;
      const Index plane = first / wide / high;
      phase_column = plane % step_columns;
      phase_row = plane / step_columns % step_rows;
      slice = plane / phases() % out_slices;
      image = plane / phases() / out_slices;
    }
    for (Index at = 0; at < number;) {
      const Index run = std::min(number - at, wide - column);
      body(image, slice, row * tile_rows * step_rows + phase_row, column * kOut * step_columns + phase_column, run, at);
      at += run;
      column = 0;
      if (++row < high) continue;
      row = 0;
      if (++phase_column < step_columns) continue;
      phase_column = 0;
      if (++phase_row < step_rows) continue;
      phase_row = 0;
      if (++slice < out_slices) continue;
      slice = 0;
      ++image;
    }
  }
};

// At most 3 x 3 of a filter's taps: how far the data that they meet lies from that of the first tap of all, and where
// each lies in a filter, or -1.
struct TapBlock {
  Index slice, row, column;
  Index taps[9];
  // A piece of a filter that holds them all: where it begins, and how long it is. Short filters are taken whole, so that
  // their blocks share a piece.
  Index first, span;

  void measure(Index taps_of_filter) {
    first = 0;
    span = taps_of_filter;
    if (span <= kLanes) return;
    Index last = -1;
    first = -1;
    for (const Index tap : taps) {
      if (tap >= 0 && (first < 0 || tap < first)) first = tap;
      last = std::max(last, tap);
    }
    span = last - first + 1;
  }
};

// Results at every place or every other one from here on, and the taps that give them.
struct Part {
  Index row, column;
  std::vector<TapBlock> blocks;
};

// The blocks of taps of a kernel, of its own taps or of those turned round; of windows that move by 2, of every other tap.
static inline std::vector<TapBlock> blocks_of(const Shape& shape, bool turned) {
  const bool square = shape.kernel[1] > 1;
  const Index apart = shape.stride[2];
  std::vector<TapBlock> made;
  for (Index d = 0; d < shape.kernel[0]; ++d) {
    for (Index h = 0; h < shape.kernel[1]; ++h) {
      for (Index w = 0; w < shape.kernel[2]; ++w) {
        if (h % (3 * apart) >= apart || w % (3 * apart) >= apart) continue;
        TapBlock block = {d * shape.dilation[0], h * shape.dilation[1], w * shape.dilation[2]};
        for (Index tap = 0; tap < 9; ++tap) {
          const Index row = h + (square ? tap / 3 * apart : 0), column = w + tap % 3 * apart;
          const bool inside = row < shape.kernel[1] && column < shape.kernel[2] && (square || tap < 3);
          const Index place = (d * shape.kernel[1] + row) * shape.kernel[2] + column;
          block.taps[tap] = !inside ? -1 : turned ? shape.taps() - 1 - place : place;
        }
        block.measure(shape.taps());
        made.push_back(block);
      }
    }
  }
  return made;
}

// Where windows move by 2, along one dimension: from which place of the result on, of those that a place of the data can
// meet, and how many there are.
struct Reach {
  Index first, count;
  Reach(const Shape& shape, int dim) {
    // Place 2 u + rest of the data meets, with tap t, place u + (rest + padding - t) / 2.
    const Index last = (shape.padding[dim] + 1) / 2;
    first = -((shape.kernel[dim] - 1 - shape.padding[dim]) / 2);
    count = last - first + 1;
  }
};

// The gradient of the data where windows move by 2: even and odd places of each direction have filters of their own.
static inline std::vector<Part> parts_of_data(const Shape& shape) {
  std::vector<Part> made;
  for (Index rest = 0; rest < 4; ++rest) {
    Part part = {rest / 2, rest % 2, {TapBlock{}}};
    for (Index tap = 0; tap < 9; ++tap) {
      const Index row = part.row + shape.padding[1] - 2 * (Reach(shape, 1).first + tap / 3);
      const Index column = part.column + shape.padding[2] - 2 * (Reach(shape, 2).first + tap % 3);
      const bool inside = row >= 0 && row < shape.kernel[1] && column >= 0 && column < shape.kernel[2];
      part.blocks[0].taps[tap] = inside ? row * shape.kernel[2] + column : -1;
    }
    part.blocks[0].measure(shape.taps());
    made.push_back(part);
  }
  return made;
}

// Elements of equal remainder modulo 4 of four vectors that lie side by side.
ALWAYS_INLINE void split_by_four(const Floats (&from)[4], Floats (&to)[4]) {
  Ints even = {}, odd = {};
  for (int lane = 0; lane < kLanes; ++lane) {
    even[lane] = 2 * lane;
    odd[lane] = 2 * lane + 1;
  }
  const Floats left_even = __builtin_shuffle(from[0], from[1], even), left_odd = __builtin_shuffle(from[0], from[1], odd);
  const Floats right_even = __builtin_shuffle(from[2], from[3], even), right_odd = __builtin_shuffle(from[2], from[3], odd);
  to[0] = __builtin_shuffle(left_even, right_even, even);
  to[1] = __builtin_shuffle(left_odd, right_odd, even);
  to[2] = __builtin_shuffle(left_even, right_even, odd);
  to[3] = __builtin_shuffle(left_odd, right_odd, odd);
}

// The other way round.
ALWAYS_INLINE void join_by_four(const Floats (&from)[4], float* to) {
  Ints low = {}, high = {};
  for (int lane = 0; lane < kLanes; ++lane) {
    low[lane] = lane / 2 + lane % 2 * kLanes;
    high[lane] = low[lane] + kLanes / 2;
  }
  const Floats even_low = __builtin_shuffle(from[0], from[2], low), even_high = __builtin_shuffle(from[0], from[2], high);
  const Floats odd_low = __builtin_shuffle(from[1], from[3], low), odd_high = __builtin_shuffle(from[1], from[3], high);
  store(to, __builtin_shuffle(even_low, odd_low, low));
  store(to + kLanes, __builtin_shuffle(even_low, odd_low, high));
  store(to + 2 * kLanes, __builtin_shuffle(even_high, odd_high, low));
  store(to + 3 * kLanes, __builtin_shuffle(even_high, odd_high, high));
}

// Elements between two of the 36 places of a block: not a multiple of 4096 bytes, which all would share lines of a cache.
static inline Index spread(Index size) { return gemm::round_up(size, kLanes) + 2 * kLanes; }

// Four vectors from lines, numbers `step` apart; of them only those at places begin … end are read, the others are zero.
class LineReader {
 public:
  LineReader(Index step, Index begin, Index end) : step_(step), begin_(begin), end_(end) {
#if defined(__AVX512F__)
    const bool by_two = step == 2;
    for (Index at = 0; at < (by_two ? 8 : 4); ++at) {
      const Index low = (by_two ? 2 * begin : begin) - at * kLanes, high = (by_two ? 2 * end - 1 : end) - at * kLanes;
      const unsigned first = static_cast<unsigned>(std::min<Index>(kLanes, std::max<Index>(0, low)));
      const unsigned last = static_cast<unsigned>(std::min<Index>(kLanes, std::max<Index>(0, high)));
      inside_[at] = static_cast<__mmask16>(((1u << last) - 1) & ~((1u << first) - 1));
    }
#endif
  }

  inline __attribute__((always_inline)) void read(const float* line, Floats (&to)[4]) const {
#if defined(__AVX512F__)
    const auto part = [&](Index at) { return static_cast<Floats>(_mm512_maskz_loadu_ps(inside_[at], line + at * kLanes)); };
    Ints places = {};
    for (int lane = 0; lane < kLanes; ++lane) places[lane] = lane;
    if (step_ == 1) {
      for (Index at = 0; at < 4; ++at) to[at] = part(at);
    } else if (step_ == 2) {
      for (Index at = 0; at < 4; ++at) to[at] = __builtin_shuffle(part(2 * at), part(2 * at + 1), 2 * places);
    } else {
      const Ints apart = places * static_cast<int32_t>(step_);
      for (Index at = 0; at < 4; ++at) {
        to[at] = static_cast<Floats>(_mm512_mask_i32gather_ps(__m512{}, inside_[at], reinterpret_cast<__m512i>(apart),
                                                              line + at * kLanes * step_, sizeof(float)));
      }
    }
#else
    for (int at = 0; at < 4; ++at) {
      float lanes[kLanes];
      for (Index lane = 0; lane < kLanes; ++lane) {
        const Index place = at * kLanes + lane;
        lanes[lane] = place >= begin_ && place < end_ ? line[place * step_] : 0.0f;
      }
      to[at] = load(lanes);
    }
#endif
  }

 private:
  Index step_;
  [[maybe_unused]] Index begin_, end_;
#if defined(__AVX512F__)
  __mmask16 inside_[8];
#endif
};

// Numbers to places `step` apart.
ALWAYS_INLINE void spread_line(float* to, Index step, const float* from, Index count) {
  if (step == 1) {
    copy_line(to, from, count);
    return;
  }
  Index at = 0;
#if defined(__AVX512F__)
  if (step == 2) {
    Ints low = {};
    for (int lane = 0; lane < kLanes; ++lane) low[lane] = lane / 2;
    for (; at + kLanes / 2 <= count; at += kLanes / 2) {
      _mm512_mask_storeu_ps(to + 2 * at, 0x5555, static_cast<__m512>(__builtin_shuffle(load(from + at), low)));
    }
  }
#endif
  for (; at < count; ++at) to[at * step] = from[at];
}

// Tiles of `height` x `size` as their elements: to[(row * size + column) * pitch + tile], of the data that a block of taps
// meets. Vectors beyond the last tile are written too.
template <int height, int size>
static void gather(const Tiles& tiles, const TapBlock& block, const float* x, Index image_step, Index first, Index number, Index pitch,
                   float* to) {
  // A vector of tiles that overlap needs the first columns of the next.
  constexpr int step = size > kOut ? kLanes - 1 : kLanes;
  Ints next = {};
  for (int lane = 0; lane < kLanes; ++lane) next[lane] = std::min(lane + 1, kLanes - 1);
  const Index apart = tiles.step_columns * tiles.stride;
  tiles.for_runs(first, number, [&](Index image, Index slice, Index top, Index left, Index run, Index at) {
    const Index depth = slice + block.slice - tiles.padding_slices;
    const bool outside = depth < 0 || depth >= tiles.slices;
    const Index before = left * tiles.stride + block.column - tiles.padding_columns;
    const Index length = run * kOut + size - kOut;
    const Index begin = before < 0 ? (-before + apart - 1) / apart : 0;
    const Index end = std::min(length, tiles.columns > before ? (tiles.columns - before + apart - 1) / apart : 0);
    for (Index tile = 0; tile < run; tile += step) {
      const LineReader reader(apart, begin - tile * kOut, end - tile * kOut);
      for (int row = 0; row < height; ++row) {
        const Index h = (top + row * tiles.step_rows) * tiles.stride + block.row - tiles.padding_rows;
        float* row_to = to + row * size * pitch + at + tile;
        if (outside || h < 0 || h >= tiles.rows) {
          for (int column = 0; column < size; ++column) store(row_to + column * pitch, Floats{});
          continue;
        }
        const float* from = x + image * image_step + (depth * tiles.rows + h) * tiles.columns + before;
        Floats whole[4], parts[4];
        reader.read(from + tile * kOut * apart, whole);
        split_by_four(whole, parts);
        for (int column = 0; column < 4; ++column) store(row_to + column * pitch, parts[column]);
        if (size > kOut) {
          store(row_to + 4 * pitch, __builtin_shuffle(parts[0], next));
          store(row_to + 5 * pitch, __builtin_shuffle(parts[1], next));
        }
      }
    }
  });
}

}  // namespace convolution
}  // namespace facula
