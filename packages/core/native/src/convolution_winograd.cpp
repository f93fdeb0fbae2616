// Convolutions 3 x 3 with stride 1 by Winograd's F(4 x 4, 3 x 3): tiles of 4 x 4 results from 36 products instead of 144.
// Lavin and Gray 2015, arXiv:1509.09308.
//
// Tiles of data, of filters and of results are evaluated at the points 0, p, -p, q, -q and infinity in both directions;
// each of the 36 places is then a matrix product of its own. With p q = 1 the numbers stay of one size, and so the
// error smaller than with the usual points 1 and 2.
#include <cstdlib>

#include "convolution.h"

namespace facula {
namespace convolution {
namespace {

constexpr int kOut = 4;
constexpr int kIn = 6;
constexpr int kPoints = kIn * kIn;

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

// Both directions of a square: `get(row, column)` gives its elements, `put(row, column, value)` takes the result's.
template <class Transform, class Get, class Put>
ALWAYS_INLINE void transform(const Get& get, const Put& put) {
  Floats half[Transform::to][Transform::from];
#pragma GCC unroll 6
  for (int column = 0; column < Transform::from; ++column) {
    Floats line[Transform::from], made[Transform::to];
#pragma GCC unroll 6
    for (int row = 0; row < Transform::from; ++row) line[row] = get(row, column);
    Transform::line(line, made);
#pragma GCC unroll 6
    for (int row = 0; row < Transform::to; ++row) half[row][column] = made[row];
  }
#pragma GCC unroll 6
  for (int row = 0; row < Transform::to; ++row) {
    Floats made[Transform::to];
    Transform::line(half[row], made);
#pragma GCC unroll 6
    for (int column = 0; column < Transform::to; ++column) put(row, column, made[column]);
  }
}

// Where tiles lie in an image: tile (i, j) begins at row 4 i - padding.
struct Tiles {
  Index high, wide;
  Index rows, columns;
  Index padding_rows, padding_columns;

  Index count() const { return high * wide; }

  // Calls `body(image, row of tiles, column of tiles, how many side by side, place in the block)`.
  template <class Function>
  void for_runs(Index first, Index number, const Function& body) const {
    for (Index at = 0; at < number;) {
      const Index tile = (first + at) % count();
      const Index column = tile % wide;
      const Index run = std::min(number - at, wide - column);
      body((first + at) / count(), tile / wide, column, run, at);
      at += run;
    }
  }
};

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
Index spread(Index size) { return gemm::round_up(size, kLanes) + 2 * kLanes; }

// Tiles of size x size as their elements: to[(row * size + column) * pitch + tile]. Vectors beyond the last tile are
// written too.
template <int size>
void gather(const Tiles& tiles, const float* x, Index image_step, Index first, Index number, Index pitch, float* to) {
  // A vector of tiles that overlap needs the first columns of the next.
  constexpr int step = size > kOut ? kLanes - 1 : kLanes;
  Ints next = {};
  for (int lane = 0; lane < kLanes; ++lane) next[lane] = std::min(lane + 1, kLanes - 1);
  [[maybe_unused]] float line[4 * kLanes];
  tiles.for_runs(first, number, [&](Index image, Index i, Index j, Index run, Index at) {
    const Index left = j * kOut - tiles.padding_columns;
    const Index length = run * kOut + size - kOut;
    const Index begin = std::min(length, std::max<Index>(0, -left));
    const Index end = std::max(begin, std::min(length, tiles.columns - left));
    for (Index tile = 0; tile < run; tile += step) {
#if defined(__AVX512F__)
      // What lies inside the image, of four vectors.
      __mmask16 inside[4];
      for (int vector = 0; vector < 4; ++vector) {
        const Index place = tile * kOut + vector * kLanes;
        const unsigned low = static_cast<unsigned>(std::min<Index>(kLanes, std::max<Index>(0, begin - place)));
        const unsigned high = static_cast<unsigned>(std::min<Index>(kLanes, std::max<Index>(0, end - place)));
        inside[vector] = static_cast<__mmask16>(((1u << high) - 1) & ~((1u << low) - 1));
      }
#endif
      for (int row = 0; row < size; ++row) {
        const Index h = i * kOut + row - tiles.padding_rows;
        float* row_to = to + row * size * pitch + at + tile;
        if (h < 0 || h >= tiles.rows) {
          for (int column = 0; column < size; ++column) store(row_to + column * pitch, Floats{});
          continue;
        }
        const float* from = x + image * image_step + h * tiles.columns + left;
        Floats whole[4], parts[4];
#if defined(__AVX512F__)
        for (int vector = 0; vector < 4; ++vector) {
          whole[vector] = static_cast<Floats>(_mm512_maskz_loadu_ps(inside[vector], from + tile * kOut + vector * kLanes));
        }
#else
        for (Index place = 0; place < 4 * kLanes; ++place) {
          const Index column = tile * kOut + place;
          line[place] = column >= begin && column < end ? from[column] : 0.0f;
        }
        for (int vector = 0; vector < 4; ++vector) whole[vector] = load(line + vector * kLanes);
#endif
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

// Filters as 36 matrices (rows x depth), in panels of gemm::kRows rows. Element `tap` of filter (row, k) is at
// weight[row * row_step + k * k_step + tap], or turned round.
void transform_filters(Index rows, Index depth, const float* weight, Index row_step, Index k_step, bool turned, float* to) {
  const Index matrix = gemm::round_up(rows, gemm::kRows) * depth;
  const Index panels = (rows + gemm::kRows - 1) / gemm::kRows;
  constexpr int vectors = (gemm::kRows + kLanes - 1) / kLanes;
  parallel_for(panels * depth, 256, [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      const Index panel = at / depth;
      const Index k = at % depth;
      const Index high = std::min<Index>(gemm::kRows, rows - panel * gemm::kRows);
      float taps[9][vectors * kLanes] = {};
      for (Index row = 0; row < high; ++row) {
        const float* filter = weight + (panel * gemm::kRows + row) * row_step + k * k_step;
        for (int tap = 0; tap < 9; ++tap) taps[tap][row] = filter[turned ? 8 - tap : tap];
      }
      for (int vector = 0; vector < vectors; ++vector) {
        transform<OfFilter>([&](int row, int column) { return load(taps[row * 3 + column] + vector * kLanes); },
                            [&](int row, int column, Floats value) {
                              float* place = to + (row * kIn + column) * matrix + at * gemm::kRows + vector * kLanes;
                              store_part(place, value, std::min<Index>(kLanes, gemm::kRows - vector * kLanes));
                            });
      }
    }
  });
}

// Results (batch, rows * groups, ...) of transformed filters over images, block by block of tiles.
bool filter_tiles(Index batch, Index groups, Index depth, Index rows, const Tiles& tiles, Index out_rows, Index out_columns,
                  const float* x, const float* filters, const float* bias, float* y) {
  const Index vectors = (batch * tiles.count() + kLanes - 1) / kLanes;
  // What one block needs, transformed data and products, stays in the second cache.
  const Index budget = (Index{5} << 18) / (kPoints * kLanes * static_cast<Index>(sizeof(float)) * (depth + rows));
  const Index most = std::min<Index>(12, std::max<Index>(2, budget / 2 * 2));
  const Index blocks = std::min(vectors, std::max((vectors + most - 1) / most, std::min<Index>(vectors / 2, 2 * threads())));
  const Index matrix = gemm::round_up(rows, gemm::kRows) * depth;
  bool done = true;
  parallel_tasks(groups * blocks, [&](Index task) {
    const Index group = task / blocks;
    const Index block = task % blocks;
    const Index first = vectors * block / blocks * kLanes;
    const Index wide = vectors * (block + 1) / blocks * kLanes - first;
    const Index number = std::min(wide, batch * tiles.count() - first);
    const Index pitch = wide + 2 * kLanes;
    const Index panel = depth * gemm::kColumns;
    const Index data_step = spread((wide + gemm::kColumns - 1) / gemm::kColumns * panel);
    const Index product_step = spread(rows * wide);
    float* gathered = scratch<float>(Purpose::gathered, static_cast<size_t>(kPoints * pitch));
    float* data = scratch<float>(Purpose::padded, static_cast<size_t>(kPoints * data_step));
    float* products = scratch<float>(Purpose::accumulated, static_cast<size_t>(kPoints * product_step));
    if (gathered == nullptr || data == nullptr || products == nullptr) {
      done = false;
      return;
    }
    const Index in_step = groups * depth * tiles.rows * tiles.columns;
    for (Index k = 0; k < depth; ++k) {
      gather<kIn>(tiles, x + (group * depth + k) * tiles.rows * tiles.columns, in_step, first, number, pitch, gathered);
      for (Index at = 0; at < wide; at += kLanes) {
        float* to = data + at / gemm::kColumns * panel + k * gemm::kColumns + at % gemm::kColumns;
        transform<OfData>([&](int row, int column) { return load(gathered + (row * kIn + column) * pitch + at); },
                          [&](int row, int column, Floats value) { store(to + (row * kIn + column) * data_step, value); });
      }
    }
    for (Index point = 0; point < kPoints; ++point) {
      for (Index i = 0; i < rows; i += gemm::kRows) {
        for (Index j = 0; j < wide; j += gemm::kColumns) {
          Index last = 0;
          const gemm::Kernel run = gemm::kernel_for<true, true>(std::min<Index>(gemm::kRows, rows - i),
                                                          std::min<Index>(gemm::kColumns, wide - j), last);
          run(depth, filters + group * kPoints * matrix + point * matrix + i * depth, 1, gemm::kRows,
              data + point * data_step + j / gemm::kColumns * panel, gemm::kColumns,
              products + point * product_step + i * wide + j, wide, last, gemm::Finish{});
        }
      }
    }
    float* lines = gathered;
    for (Index row = 0; row < rows; ++row) {
      const float* from = products + row * wide;
      const Floats added = all(bias == nullptr ? 0.0f : bias[group * rows + row]);
      for (Index at = 0; at < wide; at += kLanes) {
        Floats made[kOut][4];
        transform<OfResult>([&](int i, int j) { return load(from + (i * kIn + j) * product_step + at); },
                            [&](int i, int j, Floats value) { made[i][j] = value + added; });
        for (int i = 0; i < kOut; ++i) join_by_four(made[i], lines + i * kOut * pitch + at * kOut);
      }
      tiles.for_runs(first, number, [&](Index image, Index i, Index j, Index run, Index at) {
        const Index count = std::min(run * kOut, out_columns - j * kOut);
        float* to = y + ((image * groups + group) * rows + row) * out_rows * out_columns + j * kOut;
        for (Index line = 0; line < std::min<Index>(kOut, out_rows - i * kOut); ++line) {
          copy_line(to + (i * kOut + line) * out_columns, lines + line * kOut * pitch + at * kOut, count);
        }
      });
    }
  });
  return done;
}

Tiles tiles_of(Index out_rows, Index out_columns, Index rows, Index columns, Index padding_rows, Index padding_columns) {
  return {(out_rows + kOut - 1) / kOut, (out_columns + kOut - 1) / kOut, rows, columns, padding_rows, padding_columns};
}

bool is_switched_on() {
  static const bool on = [] {
    const char* value = std::getenv("FACULA_WINOGRAD");
    return value == nullptr || std::strcmp(value, "0") != 0;
  }();
  return on;
}

}  // namespace

bool suits_winograd(const Shape& shape) {
  if (shape.in[0] != 1 || shape.kernel[0] != 1 || shape.kernel[1] != 3 || shape.kernel[2] != 3) return false;
  for (int dim = 0; dim < kDims; ++dim) {
    if (shape.stride[dim] != 1 || shape.dilation[dim] != 1) return false;
  }
  if (shape.padding[0] != 0 || shape.padding[1] > 2 || shape.padding[2] > 2) return false;
  // With fewer places or channels, transforming takes longer than the products that are saved.
  return std::min(shape.in[2], shape.out[2]) >= 14 && std::min(shape.in[1], shape.out[1]) >= 4 &&
         std::min(shape.group_channels(), shape.group_out()) >= 16 && std::max(shape.group_channels(), shape.group_out()) <= 1024 &&
         shape.batch * shape.places() >= 512 && is_switched_on();
}

bool winograd_forward(const Shape& shape, const float* x, const float* weight, const float* bias, float* y) {
  const Index rows = shape.group_out();
  const Index depth = shape.group_channels();
  const Index size = kPoints * gemm::round_up(rows, gemm::kRows) * depth;
  float* filters = scratch<float>(Purpose::transformed, static_cast<size_t>(shape.groups * size));
  if (filters == nullptr) return false;
  for (Index group = 0; group < shape.groups; ++group) {
    transform_filters(rows, depth, weight + group * rows * depth * 9, depth * 9, 9, false, filters + group * size);
  }
  const Tiles tiles = tiles_of(shape.out[1], shape.out[2], shape.in[1], shape.in[2], shape.padding[1], shape.padding[2]);
  return filter_tiles(shape.batch, shape.groups, depth, rows, tiles, shape.out[1], shape.out[2], x, filters, bias, y);
}

bool winograd_data(const Shape& shape, const float* y, const float* weight, float* x) {
  const Index rows = shape.group_channels();
  const Index depth = shape.group_out();
  const Index size = kPoints * gemm::round_up(rows, gemm::kRows) * depth;
  float* filters = scratch<float>(Purpose::transformed, static_cast<size_t>(shape.groups * size));
  if (filters == nullptr) return false;
  for (Index group = 0; group < shape.groups; ++group) {
    transform_filters(rows, depth, weight + group * rows * depth * 9, 9, rows * 9, true, filters + group * size);
  }
  const Tiles tiles =
      tiles_of(shape.in[1], shape.in[2], shape.out[1], shape.out[2], 2 - shape.padding[1], 2 - shape.padding[2]);
  return filter_tiles(shape.batch, shape.groups, depth, rows, tiles, shape.in[1], shape.in[2], y, filters, nullptr, x);
}

// Each of the 36 places: (out x tiles) of the transformed gradient times (tiles x channels) of the transformed data, added
// up block by block of tiles. Threads divide first the channels, then the places.
bool winograd_weight(const Shape& shape, const float* x, const float* y, float* weight) {
  const Index rows = shape.group_out();
  const Index depth = shape.group_channels();
  const Tiles data_tiles = tiles_of(shape.out[1], shape.out[2], shape.in[1], shape.in[2], shape.padding[1], shape.padding[2]);
  const Tiles gradient_tiles = tiles_of(shape.out[1], shape.out[2], shape.out[1], shape.out[2], 0, 0);
  const Index number = shape.batch * data_tiles.count();
  const Index most = gemm::round_up(std::max<Index>(64, (Index{1} << 20) / (kPoints * 4 * (rows + depth))), kLanes);
  const Index blocks = (number + most - 1) / most;
  const Index width = gemm::round_up((number + blocks - 1) / blocks, kLanes);
  const Index data_step = spread(depth * width);
  const Index gradient_step = spread(rows * width);
  float* data = scratch<float>(Purpose::padded, static_cast<size_t>(kPoints * data_step));
  float* gradient = scratch<float>(Purpose::transformed, static_cast<size_t>(kPoints * gradient_step));
  float* sums = scratch<float>(Purpose::accumulated, static_cast<size_t>(kPoints * rows * depth));
  if (data == nullptr || gradient == nullptr || sums == nullptr) return false;
  bool done = true;
  for (Index group = 0; group < shape.groups; ++group) {
    for (Index first = 0; first < number; first += width) {
      const Index count = std::min(width, number - first);
      parallel_tasks((depth + rows + 3) / 4, [&](Index task) {
        const Index pitch = width + 2 * kLanes;
        float* gathered = scratch<float>(Purpose::gathered, static_cast<size_t>(kPoints * pitch));
        if (gathered == nullptr) {
          done = false;
          return;
        }
        for (Index at = task * 4; at < std::min(depth + rows, task * 4 + 4); ++at) {
          if (at < depth) {
            gather<kIn>(data_tiles, x + (group * depth + at) * shape.in_size(), shape.channels * shape.in_size(), first, count,
                        pitch, gathered);
            for (Index tile = 0; tile < count; tile += kLanes) {
              float* to = data + at * width + tile;
              transform<OfData>([&](int row, int column) { return load(gathered + (row * kIn + column) * pitch + tile); },
                                [&](int row, int column, Floats value) { store(to + (row * kIn + column) * data_step, value); });
            }
          } else {
            gather<kOut>(gradient_tiles, y + (group * rows + at - depth) * shape.places(), shape.out_channels * shape.places(),
                         first, count, pitch, gathered);
            for (Index tile = 0; tile < count; tile += kLanes) {
              float* to = gradient + (at - depth) * width + tile;
              transform<OfGradient>(
                  [&](int row, int column) { return load(gathered + (row * kOut + column) * pitch + tile); },
                  [&](int row, int column, Floats value) { store(to + (row * kIn + column) * gradient_step, value); });
            }
          }
        }
      });
      parallel_tasks(kPoints, [&](Index point) {
        gemm::Finish finish;
        finish.add = first > 0;
        const gemm::Matrix a = {gradient + point * gradient_step, width, 1};
        const gemm::Matrix b = {data + point * data_step, 1, width};
        if (!gemm::multiply_alone(rows, depth, count, a, gemm::FromMatrix{b}, 0, sums + point * rows * depth, depth, finish)) {
          done = false;
        }
      });
    }
    parallel_for(rows, std::max<Index>(1, 256 / depth), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        for (Index k = 0; k < depth; k += kLanes) {
          const Index lanes = std::min<Index>(kLanes, depth - k);
          const float* from = sums + row * depth + k;
          float taps[9][kLanes];
          transform<OfFilterGradient>(
              [&](int i, int j) { return load_part(from + (i * kIn + j) * rows * depth, lanes); },
              [&](int i, int j, Floats value) { store(taps[i * 3 + j], value); });
          float* to = weight + ((group * rows + row) * depth + k) * 9;
          for (Index lane = 0; lane < lanes; ++lane) {
            for (int tap = 0; tap < 9; ++tap) to[lane * 9 + tap] = taps[tap][lane];
          }
        }
      }
    });
  }
  return done;
}

}  // namespace convolution
}  // namespace facula
