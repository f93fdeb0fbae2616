// Convolutions 3 x 3 with stride 1 by Winograd's F(4 x 4, 3 x 3): tiles of 4 x 4 results from 36 products instead of 144.
// Lavin and Gray 2015, arXiv:1509.09308.
#include "winograd.h"

#include <cstdlib>

namespace facula {
namespace convolution {
namespace {

// So few tiles that filters are transformed for one part of the rows at a time, and used where the caches still hold them.
constexpr Index kFewTiles = 64;

// Filters (rows x depth) of 3 x 3 taps: those of (row, k) begin at weight + row * row_step + k * k_step, or are turned round.
struct Taps {
  const float* weight;
  Index row_step, k_step;
  bool turned;
};

// A convolution of tiles: for each group, rows of filters over `depth` channels.
struct Job {
  Index batch, groups, depth, rows;
  Tiles tiles;
  Index out_rows, out_columns;
  const float* x;
  Taps taps;
  const float* bias;
  float* y;

  Index number() const { return batch * tiles.of_image(); }
  Taps taps_of(Index group) const {
    Taps made = taps;
    made.weight += group * (taps.turned ? depth * taps.k_step : rows * taps.row_step);
    return made;
  }
};

// At most gemm::kRows rows of filters as 36 matrices, `step` apart: element (row, k) of each at k * gemm::kRows + row.
void transform_filters(Index rows, Index depth, const Taps& from, float* to, Index step) {
  constexpr int vectors = (gemm::kRows + kLanes - 1) / kLanes;
  for (Index k = 0; k < depth; ++k) {
    float* place = to + k * gemm::kRows;
    const float* weight = from.weight + k * from.k_step;
#if defined(__AVX512F__)
    Floats square[kLanes];
    for (Index row = 0; row < kLanes; ++row) {
      square[row] = row < rows ? load_short(weight + row * from.row_step, 9) : Floats{};
    }
    gemm::transpose(square);
    const auto tap = [&](int at, int) { return square[from.turned ? 8 - at : at]; };
#else
    float taps[9][vectors * kLanes] = {};
    for (Index row = 0; row < rows; ++row) {
      for (int at = 0; at < 9; ++at) taps[at][row] = weight[row * from.row_step + (from.turned ? 8 - at : at)];
    }
    const auto tap = [&](int at, int vector) { return load(taps[at] + vector * kLanes); };
#endif
    for (int vector = 0; vector < vectors; ++vector) {
      transform<OfFilter>([&](int row, int column) { return tap(row * 3 + column, vector); },
                          [&](int row, int column, Floats value) {
                            float* numbers = place + (row * kIn + column) * step + vector * kLanes;
                            store_short(numbers, value, std::min<Index>(kLanes, gemm::kRows - vector * kLanes));
                          });
    }
  }
}

// Tiles of channel k as panels of gemm::kColumns tiles, for each of the 36 places `data_step` apart.
void transform_data(const Job& job, Index group, Index k, Index first, Index number, Index wide, float* gathered, float* data,
                    Index data_step) {
  const Index plane = job.tiles.rows * job.tiles.columns;
  const Index pitch = wide + 2 * kLanes;
  gather<kIn>(job.tiles, job.x + (group * job.depth + k) * plane, job.groups * job.depth * plane, first, number, pitch, gathered);
  for (Index at = 0; at < wide; at += kLanes) {
    float* to = data + (at / gemm::kColumns * job.depth + k) * gemm::kColumns + at % gemm::kColumns;
    transform<OfData>([&](int row, int column) { return load(gathered + (row * kIn + column) * pitch + at); },
                      [&](int row, int column, Floats value) { store(to + (row * kIn + column) * data_step, value); });
  }
}

// The products of one tile of filters with the tiles of data.
void multiply_points(Index rows, Index depth, Index wide, const float* filters, Index filter_step, const float* data, Index data_step,
                     float* products, Index product_step) {
  for (Index point = 0; point < kPoints; ++point) {
    for (Index j = 0; j < wide; j += gemm::kColumns) {
      Index last = 0;
      const gemm::Kernel run = gemm::kernel_for<true, true>(rows, std::min<Index>(gemm::kColumns, wide - j), last);
      run(depth, filters + point * filter_step, 1, gemm::kRows, data + point * data_step + j * depth, gemm::kColumns,
          products + point * product_step + j, wide, last, gemm::Finish{});
    }
  }
}

// One row's products, transformed back and written where the tiles lie. `lines` holds 16 lines of tiles.
void finish_row(const Job& job, Index group, Index row, Index first, Index number, Index wide, const float* products,
                Index product_step, float* lines) {
  const Index pitch = wide + 2 * kLanes;
  const Index across = job.tiles.step_columns;
  const Floats added = all(job.bias == nullptr ? 0.0f : job.bias[group * job.rows + row]);
  for (Index at = 0; at < wide; at += kLanes) {
    Floats made[kOut][4];
    transform<OfResult>([&](int i, int j) { return load(products + (i * kIn + j) * product_step + at); },
                        [&](int i, int j, Floats value) { made[i][j] = value + added; });
    for (int i = 0; i < kOut; ++i) join_by_four(made[i], lines + i * kOut * pitch + at * kOut);
  }
  job.tiles.for_runs(first, number, [&](Index image, Index top, Index left, Index run, Index at) {
    if (left >= job.out_columns) return;
    const Index count = std::min(run * kOut, (job.out_columns - left + across - 1) / across);
    float* to = job.y + ((image * job.groups + group) * job.rows + row) * job.out_rows * job.out_columns + left;
    for (Index line = 0; line < kOut; ++line) {
      const Index h = top + line * job.tiles.step_rows;
      if (h >= job.out_rows) return;
      spread_line(to + h * job.out_columns, across, lines + line * kOut * pitch + at * kOut, count);
    }
  });
}

// All data is transformed first; then each task transforms some rows of filters, which need not be kept.
bool filter_few_tiles(const Job& job) {
  const Index number = job.number();
  const Index wide = gemm::round_up(number, kLanes);
  const Index data_step = spread(gemm::round_up(wide, gemm::kColumns) * job.depth);
  const Index filter_step = spread(job.depth * gemm::kRows);
  const Index product_step = spread(gemm::kRows * wide);
  const Index room = kPoints * (wide + 2 * kLanes);
  float* data = scratch<float>(Purpose::padded, static_cast<size_t>(kPoints * data_step));
  if (data == nullptr) return false;
  bool done = true;
  for (Index group = 0; group < job.groups; ++group) {
    parallel_for(job.depth, std::max<Index>(1, 256 / wide), [&](Index begin, Index end) {
      float* gathered = scratch<float>(Purpose::gathered, static_cast<size_t>(room));
      if (gathered == nullptr) {
        done = false;
        return;
      }
      for (Index k = begin; k < end; ++k) transform_data(job, group, k, 0, number, wide, gathered, data, data_step);
    });
    const RowTiles rows(job.rows);
    parallel_tasks(rows.count, [&](Index tile) {
      float* gathered = scratch<float>(Purpose::gathered, static_cast<size_t>(room));
      float* filters = scratch<float>(Purpose::transformed, static_cast<size_t>(kPoints * filter_step));
      float* products = scratch<float>(Purpose::accumulated, static_cast<size_t>(kPoints * product_step));
      if (gathered == nullptr || filters == nullptr || products == nullptr) {
        done = false;
        return;
      }
      const Index row = rows.first(tile), high = rows.first(tile + 1) - row;
      Taps taps = job.taps_of(group);
      taps.weight += row * taps.row_step;
      transform_filters(high, job.depth, taps, filters, filter_step);
      multiply_points(high, job.depth, wide, filters, filter_step, data, data_step, products, product_step);
      for (Index i = 0; i < high; ++i) {
        finish_row(job, group, row + i, 0, number, wide, products + i * wide, product_step, gathered);
      }
    });
  }
  return done;
}

// All filters are transformed first; then each task does everything for a block of tiles.
bool filter_many_tiles(const Job& job) {
  const RowTiles rows(job.rows);
  const Index panel = job.depth * gemm::kRows;
  const Index matrix = spread(rows.count * panel);
  float* filters = scratch<float>(Purpose::transformed, static_cast<size_t>(job.groups * kPoints * matrix));
  if (filters == nullptr) return false;
  parallel_for(job.groups * rows.count, std::max<Index>(1, 256 / job.depth), [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      const Index group = at / rows.count, tile = at % rows.count;
      Taps taps = job.taps_of(group);
      taps.weight += rows.first(tile) * taps.row_step;
      transform_filters(rows.first(tile + 1) - rows.first(tile), job.depth, taps, filters + group * kPoints * matrix + tile * panel,
                        matrix);
    }
  });
  const Index vectors = (job.number() + kLanes - 1) / kLanes;
  // What one block needs, transformed data and products, stays in the second cache.
  const Index budget = (Index{5} << 18) / (kPoints * kLanes * static_cast<Index>(sizeof(float)) * (job.depth + job.rows));
  const Index most = std::min<Index>(12, std::max<Index>(2, budget / 2 * 2));
  const Index blocks = std::min(vectors, std::max((vectors + most - 1) / most, std::min<Index>(vectors / 2, 2 * threads())));
  bool done = true;
  parallel_tasks(job.groups * blocks, [&](Index task) {
    const Index group = task / blocks;
    const Index block = task % blocks;
    const Index first = vectors * block / blocks * kLanes;
    const Index wide = vectors * (block + 1) / blocks * kLanes - first;
    const Index number = std::min(wide, job.number() - first);
    const Index data_step = spread(gemm::round_up(wide, gemm::kColumns) * job.depth);
    const Index product_step = spread(job.rows * wide);
    float* gathered = scratch<float>(Purpose::gathered, static_cast<size_t>(kPoints * (wide + 2 * kLanes)));
    float* data = scratch<float>(Purpose::padded, static_cast<size_t>(kPoints * data_step));
    float* products = scratch<float>(Purpose::accumulated, static_cast<size_t>(kPoints * product_step));
    if (gathered == nullptr || data == nullptr || products == nullptr) {
      done = false;
      return;
    }
    for (Index k = 0; k < job.depth; ++k) transform_data(job, group, k, first, number, wide, gathered, data, data_step);
    for (Index point = 0; point < kPoints; ++point) {
      for (Index tile = 0; tile < rows.count; ++tile) {
        const Index row = rows.first(tile), high = rows.first(tile + 1) - row;
        for (Index j = 0; j < wide; j += gemm::kColumns) {
          Index last = 0;
          const gemm::Kernel run = gemm::kernel_for<true, true>(high, std::min<Index>(gemm::kColumns, wide - j), last);
          run(job.depth, filters + (group * kPoints + point) * matrix + tile * panel, 1, gemm::kRows,
              data + point * data_step + j * job.depth, gemm::kColumns, products + point * product_step + row * wide + j, wide, last,
              gemm::Finish{});
        }
      }
    }
    for (Index row = 0; row < job.rows; ++row) {
      finish_row(job, group, row, first, number, wide, products + row * wide, product_step, gathered);
    }
  });
  return done;
}

bool filter_tiles(const Job& job) { return job.number() <= kFewTiles ? filter_few_tiles(job) : filter_many_tiles(job); }

// Tiles of results over data, both of the lengths of the last two dimensions.
Tiles tiles_of(const Shape& shape, const Index* results, const Index* data, Index padding_rows, Index padding_columns) {
  const auto count = [](Index length, Index step) { return ((length + step - 1) / step + kOut - 1) / kOut; };
  return {count(results[1], shape.dilation[1]), count(results[2], shape.dilation[2]), data[1], data[2],
          padding_rows, padding_columns, shape.dilation[1], shape.dilation[2]};
}

Tiles data_tiles_of(const Shape& shape) { return tiles_of(shape, shape.out, shape.in, shape.padding[1], shape.padding[2]); }

bool is_switched_on() {
  static const bool on = [] {
    const char* value = std::getenv("FACULA_WINOGRAD");
    return value == nullptr || std::strcmp(value, "0") != 0;
  }();
  return on;
}

}  // namespace

namespace {

// Whether transforming takes less time than it saves: for `tiles` tiles, and `filters` steps for each filter.
bool repays(const Shape& shape, Index tiles, double filters) {
  const double channels = 25.0 / static_cast<double>(shape.group_out()) + 20.0 / static_cast<double>(shape.group_channels());
  const double transformed = static_cast<double>(gemm::round_up(tiles, kLanes)) * (1.5 + channels) + filters;
  return transformed < 0.9 * 0.35 * static_cast<double>(shape.batch * shape.places());
}

}  // namespace

bool suits_winograd(const Shape& shape) {
  if (shape.in[0] != 1 || shape.kernel[0] != 1 || shape.kernel[1] != 3 || shape.kernel[2] != 3) return false;
  for (int dim = 0; dim < kDims; ++dim) {
    if (shape.stride[dim] != 1) return false;
  }
  if (shape.padding[0] != 0 || shape.padding[1] > 2 * shape.dilation[1] || shape.padding[2] > 2 * shape.dilation[2]) return false;
  const Index depth = shape.group_channels(), rows = shape.group_out();
  if (std::min(depth, rows) < 16 || std::max(depth, rows) > 1024 || shape.batch * shape.places() < 128) return false;
  return repays(shape, shape.batch * data_tiles_of(shape).of_image(), 12.0) && is_switched_on();
}

bool winograd_forward(const Shape& shape, const float* x, const float* weight, const float* bias, float* y) {
  const Index rows = shape.group_out(), depth = shape.group_channels();
  return filter_tiles({shape.batch, shape.groups, depth, rows, data_tiles_of(shape), shape.out[1], shape.out[2], x,
                       {weight, depth * 9, 9, false}, bias, y});
}

bool winograd_data(const Shape& shape, const float* y, const float* weight, float* x) {
  const Index rows = shape.group_channels(), depth = shape.group_out();
  const Tiles tiles = tiles_of(shape, shape.in, shape.out, 2 * shape.dilation[1] - shape.padding[1],
                               2 * shape.dilation[2] - shape.padding[2]);
  return filter_tiles({shape.batch, shape.groups, depth, rows, tiles, shape.in[1], shape.in[2], y, {weight, 9, rows * 9, true},
                       nullptr, x});
}

// Of few channels, the products of the 36 places are too small to be quick.
bool suits_winograd_weight(const Shape& shape) {
  return suits_winograd(shape) && std::min(shape.group_channels(), shape.group_out()) >= 24 &&
         repays(shape, shape.batch * data_tiles_of(shape).of_image(), 40.0);
}

namespace {

// The gradients of filters of one row and kLanes channels, from their 36 sums.
template <class Get>
ALWAYS_INLINE void finish_filters(const Get& get, Index lanes, float* to) {
  Floats taps[kLanes < 9 ? 9 : kLanes] = {};
  transform<OfFilterGradient>(get, [&](int i, int j, Floats value) { taps[i * 3 + j] = value; });
#if defined(__AVX512F__)
  gemm::transpose(taps);
  for (Index lane = 0; lane < lanes; ++lane) store_short(to + lane * 9, taps[lane], 9);
#else
  for (int tap = 0; tap < 9; ++tap) {
    for (Index lane = 0; lane < lanes; ++lane) to[lane * 9 + tap] = taps[tap][lane];
  }
#endif
}

// The products of few tiles for all 36 places at once: the sums of some rows and channels stay in the nearest cache.
bool weight_of_few_tiles(Index rows, Index depth, Index number, const float* data, Index data_step, const float* gradient,
                         Index gradient_step, Index width, float* weight) {
  const RowTiles tiles(rows);
  const Index panels = (depth + gemm::kColumns - 1) / gemm::kColumns;
  const Index parts = std::min(tiles.count, std::max<Index>(1, 2 * threads() / panels));
  constexpr Index kSums = gemm::kRows * gemm::kColumns;
  bool done = true;
  parallel_tasks(panels * parts, [&](Index task) {
    const Index k = task / parts * gemm::kColumns;
    const Index wide = std::min<Index>(gemm::kColumns, depth - k);
    float* right = scratch<float>(Purpose::right_panels, static_cast<size_t>(kPoints * number * gemm::kColumns + kLanes));
    float* sums = scratch<float>(Purpose::accumulated, static_cast<size_t>(kPoints * kSums));
    if (right == nullptr || sums == nullptr) {
      done = false;
      return;
    }
    for (Index point = 0; point < kPoints; ++point) {
      gemm::interleave<gemm::kColumns>(data + point * data_step + k * width, width, 1, wide, number,
                                       right + point * number * gemm::kColumns);
    }
    for (Index tile = tiles.count * (task % parts) / parts; tile < tiles.count * (task % parts + 1) / parts; ++tile) {
      const Index row = tiles.first(tile), high = tiles.first(tile + 1) - row;
      for (Index point = 0; point < kPoints; ++point) {
        Index last = 0;
        const gemm::Kernel run = gemm::kernel_for<false, true>(high, wide, last);
        run(number, gradient + point * gradient_step + row * width, width, 1, right + point * number * gemm::kColumns, gemm::kColumns,
            sums + point * kSums, gemm::kColumns, last, gemm::Finish{});
      }
      for (Index i = 0; i < high; ++i) {
        for (Index at = 0; at < wide; at += kLanes) {
          const float* from = sums + i * gemm::kColumns + at;
          finish_filters([&](int line, int column) { return load(from + (line * kIn + column) * kSums); },
                         std::min<Index>(kLanes, wide - at), weight + ((row + i) * depth + k + at) * 9);
        }
      }
    }
  });
  return done;
}

}  // namespace

// Each of the 36 places: (out x tiles) of the transformed gradient times (tiles x channels) of the transformed data, added
// up block by block of tiles. Threads divide first the channels, then the places.
bool winograd_weight(const Shape& shape, const float* x, const float* y, float* weight) {
  const Index rows = shape.group_out();
  const Index depth = shape.group_channels();
  const Tiles data_tiles = data_tiles_of(shape);
  const Tiles gradient_tiles = tiles_of(shape, shape.out, shape.out, 0, 0);
  const Index number = shape.batch * data_tiles.of_image();
  const bool few = number <= 3 * kFewTiles;
  const Index most = gemm::round_up(std::max<Index>(64, (Index{1} << 20) / (kPoints * 4 * (rows + depth))), kLanes);
  const Index blocks = few ? 1 : (number + most - 1) / most;
  const Index width = gemm::round_up((number + blocks - 1) / blocks, kLanes);
  const Index data_step = spread(depth * width);
  const Index gradient_step = spread(rows * width);
  float* data = scratch<float>(Purpose::padded, static_cast<size_t>(kPoints * data_step));
  float* gradient = scratch<float>(Purpose::transformed, static_cast<size_t>(kPoints * gradient_step));
  float* sums = scratch<float>(Purpose::accumulated, static_cast<size_t>(few ? 1 : kPoints * rows * depth));
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
      if (few) {
        if (!weight_of_few_tiles(rows, depth, count, data, data_step, gradient, gradient_step, width, weight + group * rows * depth * 9)) {
          done = false;
        }
        continue;
      }
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
    if (few) continue;
    parallel_for(rows, std::max<Index>(1, 256 / depth), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        for (Index k = 0; k < depth; k += kLanes) {
          const Index lanes = std::min<Index>(kLanes, depth - k);
          const float* from = sums + row * depth + k;
          finish_filters([&](int i, int j) { return load_short(from + (i * kIn + j) * rows * depth, lanes); }, lanes,
                         weight + ((group * rows + row) * depth + k) * 9);
        }
      }
    });
  }
  return done;
}

}  // namespace convolution
}  // namespace facula
