// Convolutions by Winograd's F(4 x 4, 3 x 3): tiles of 4 x 4 results from 36 products instead of 144.
// Lavin and Gray 2015, arXiv:1509.09308.
//
// Larger filters are taken apart into blocks of 3 x 3 taps, each as if it were one more channel; filters of one row into
// blocks of 3, for tiles of 4 results in a row. Windows that move by 2 meet every other tap at even places of the data and
// the rest at odd ones: two blocks in each direction or, for the gradient of the data, two filters.
#include "winograd.h"

#include <cstdlib>

namespace facula {
namespace convolution {
namespace {

// So few tiles that filters are transformed for one part of the rows at a time, and used where the caches still hold them.
constexpr Index kFewTiles = 64;

// FilterTaps of `rows` x channels: the taps of (row, channel) begin at weight + row * row_step + channel * channel_step.
struct FilterTaps {
  const float* weight;
  Index row_step, channel_step;
};

// A convolution of tiles: for each group, rows of filters over channels. All parts meet the same data.
struct Job {
  Index batch, groups, channels, rows;
  Tiles tiles;
  std::vector<Part> parts;
  Index out_step;
  // Taps of a filter, and how far apart the filters of groups lie.
  FilterTaps filters;
  Index group_step;
  Index out_rows, out_columns;
  const float* x;
  const float* bias;
  float* y;

  Index number() const { return batch * tiles.of_image(); }
  // The steps of a sum: every block of taps of every channel.
  Index depth() const { return channels * static_cast<Index>(blocks().size()); }
  const std::vector<TapBlock>& blocks() const { return parts[0].blocks; }
  Index number_of_parts() const { return static_cast<Index>(parts.size()); }
  FilterTaps filters_of(Index group, Index row) const {
    return {filters.weight + group * group_step + row * filters.row_step, filters.row_step, filters.channel_step};
  }
};

#if defined(__AVX512F__)
// One block of a vector of filters from its taps; the last line is of those that are missing. Apart from the usual block of
// nine that lie side by side, which stay in registers.
__attribute__((noinline)) void transform_taps(const TapBlock& block, const float (*lines)[kLanes], float* to, Index step) {
  transform<OfFilter, true>(
      [&](int row, int column) {
        const Index tap = block.taps[row * 3 + column];
        return load(lines[tap < 0 ? kLanes : tap - block.first]);
      },
      [&](int row, int column, Floats value) { store_short(to + (row * kIn + column) * step, value, gemm::kRows); });
}
#endif

// At most gemm::kRows rows of filters of some parts as matrices, `step` apart: element (row, k) of each at
// k * gemm::kRows + row, and those of the next part `part_step` on.
template <bool square>
void transform_filters(Index rows, Index channels, const Part* parts, Index number_of_parts, const FilterTaps& from, float* to,
                       Index step, Index part_step) {
  constexpr int vectors = (gemm::kRows + kLanes - 1) / kLanes;
  const Index blocks = static_cast<Index>(parts[0].blocks.size());
  const auto put = [&](float* place, int vector, int row, int column, Floats value) {
    store_short(place + (row * kIn + column) * step + vector * kLanes, value,
                std::min<Index>(kLanes, gemm::kRows - vector * kLanes));
  };
#if defined(__AVX512F__)
  float lines[kLanes + 1][kLanes] = {};
#endif
  for (Index channel = 0; channel < channels; ++channel) {
    const float* weight = from.weight + channel * from.channel_step;
    [[maybe_unused]] const TapBlock* in_lines = nullptr;
    for (Index number = 0; number < number_of_parts * blocks; ++number) {
      const TapBlock& block = parts[number / blocks].blocks[number % blocks];
      float* place = to + number / blocks * part_step + (channel * blocks + number % blocks) * gemm::kRows;
#if defined(__AVX512F__)
      if (square && block.span <= kLanes) {
        if (in_lines != nullptr && in_lines->first == block.first) {
          transform_taps(block, lines, place, step);
          continue;
        }
        Floats side[kLanes];
        for (Index row = 0; row < kLanes; ++row) {
          side[row] = row < rows ? load_short(weight + row * from.row_step + block.first, block.span) : Floats{};
        }
        gemm::transpose(side);
        const auto put_here = [&](int row, int column, Floats value) { put(place, 0, row, column, value); };
        if (block.span == 9 && block.taps[0] == block.first) {
          transform<OfFilter, square>([&](int row, int column) { return side[row * 3 + column]; }, put_here);
        } else if (block.span == 9 && block.taps[8] == block.first) {
          transform<OfFilter, square>([&](int row, int column) { return side[8 - row * 3 - column]; }, put_here);
        } else {
          for (int tap = 0; tap < kLanes; ++tap) store(lines[tap], side[tap]);
          in_lines = &block;
          transform_taps(block, lines, place, step);
        }
        continue;
      }
#endif
      float taps[Form<square>::taps][vectors * kLanes] = {};
      for (int tap = 0; tap < Form<square>::taps; ++tap) {
        if (block.taps[tap] < 0) continue;
        for (Index row = 0; row < rows; ++row) taps[tap][row] = weight[row * from.row_step + block.taps[tap]];
      }
      for (int vector = 0; vector < vectors; ++vector) {
        transform<OfFilter, square>([&](int row, int column) { return load(taps[row * 3 + column] + vector * kLanes); },
                                    [&](int row, int column, Floats value) { put(place, vector, row, column, value); });
      }
    }
  }
}

// Tiles of step k of the sum as panels of gemm::kColumns tiles, for each of the points `data_step` apart.
template <bool square>
void transform_data(const Job& job, Index group, Index k, Index first, Index number, Index wide, float* gathered, float* data,
                    Index data_step) {
  const Index size = job.tiles.image_size();
  const Index pitch = wide + 2 * kLanes;
  const Index blocks = static_cast<Index>(job.blocks().size());
  const Index depth = job.channels * blocks;
  const Index channel = blocks == 1 ? k : k / blocks;
  gather<Form<square>::in_rows, kIn>(job.tiles, job.blocks()[k - channel * blocks], job.x + (group * job.channels + channel) * size,
                                     job.groups * job.channels * size, first, number, pitch, gathered);
  for (Index at = 0; at < wide; at += kLanes) {
    float* to = data + (at / gemm::kColumns * depth + k) * gemm::kColumns + at % gemm::kColumns;
    transform<OfData, square>([&](int row, int column) { return load(gathered + (row * kIn + column) * pitch + at); },
                              [&](int row, int column, Floats value) { store(to + (row * kIn + column) * data_step, value); });
  }
}

// One row's products, transformed back and written where the tiles lie. `lines` holds the lines of all tiles.
template <bool square>
void finish_row(const Job& job, const Part& part, Index group, Index row, Index first, Index number, Index wide, const float* products,
                Index product_step, float* lines) {
  constexpr int rows = Form<square>::out_rows;
  const Index pitch = wide + 2 * kLanes;
  const Index across = job.tiles.step_columns * job.out_step;
  const Floats added = all(job.bias == nullptr ? 0.0f : job.bias[group * job.rows + row]);
  for (Index at = 0; at < wide; at += kLanes) {
    Floats made[rows][4];
    transform<OfResult, square>([&](int i, int j) { return load(products + (i * kIn + j) * product_step + at); },
                                [&](int i, int j, Floats value) { made[i][j] = value + added; });
    for (int i = 0; i < rows; ++i) join_by_four(made[i], lines + i * kOut * pitch + at * kOut);
  }
  job.tiles.for_runs(first, number, [&](Index image, Index slice, Index top, Index left, Index run, Index at) {
    const Index column = left * job.out_step + part.column;
    if (column >= job.out_columns) return;
    const Index count = std::min(run * kOut, (job.out_columns - column + across - 1) / across);
    const Index plane = ((image * job.groups + group) * job.rows + row) * job.tiles.out_slices + slice;
    for (Index line = 0; line < rows; ++line) {
      const Index h = (top + line * job.tiles.step_rows) * job.out_step + part.row;
      if (h >= job.out_rows) return;
      spread_line(job.y + (plane * job.out_rows + h) * job.out_columns + column, across, lines + line * kOut * pitch + at * kOut, count);
    }
  });
}

// All data is transformed first; then each task transforms some rows of filters, which need not be kept.
template <bool square>
bool filter_few_tiles(const Job& job) {
  constexpr Index points = Form<square>::points;
  const Index number = job.number();
  const Index depth = job.depth();
  const Index wide = gemm::round_up(number, kLanes);
  const Index data_step = spread(gemm::round_up(wide, gemm::kColumns) * depth);
  const Index filter_step = spread(depth * gemm::kRows);
  const Index product_step = spread(gemm::kRows * wide);
  const Index room = kIn * kIn * (wide + 2 * kLanes);
  float* data = scratch<float>(Purpose::padded, static_cast<size_t>(points * data_step));
  if (data == nullptr) return false;
  bool done = true;
  for (Index group = 0; group < job.groups; ++group) {
    parallel_for(depth, std::max<Index>(1, 256 / wide), [&](Index begin, Index end) {
      float* gathered = scratch<float>(Purpose::gathered, static_cast<size_t>(room));
      if (gathered == nullptr) {
        done = false;
        return;
      }
      for (Index k = begin; k < end; ++k) transform_data<square>(job, group, k, 0, number, wide, gathered, data, data_step);
    });
    const RowTiles rows(job.rows);
    parallel_tasks(rows.count * job.number_of_parts(), [&](Index task) {
      const Part& part = job.parts[task / rows.count];
      const Index tile = task % rows.count;
      float* gathered = scratch<float>(Purpose::gathered, static_cast<size_t>(room));
      float* filters = scratch<float>(Purpose::transformed, static_cast<size_t>(points * filter_step));
      float* products = scratch<float>(Purpose::accumulated, static_cast<size_t>(points * product_step));
      if (gathered == nullptr || filters == nullptr || products == nullptr) {
        done = false;
        return;
      }
      const Index row = rows.first(tile), high = rows.first(tile + 1) - row;
      transform_filters<square>(high, job.channels, &part, 1, job.filters_of(group, row), filters, filter_step, 0);
      for (Index point = 0; point < points; ++point) {
        for (Index j = 0; j < wide; j += gemm::kColumns) {
          Index last = 0;
          const gemm::Kernel run = gemm::kernel_for<true, true>(high, std::min<Index>(gemm::kColumns, wide - j), last);
          run(depth, filters + point * filter_step, 1, gemm::kRows, data + point * data_step + j * depth, gemm::kColumns,
              products + point * product_step + j, wide, last, gemm::Finish{});
        }
      }
      for (Index i = 0; i < high; ++i) {
        finish_row<square>(job, part, group, row + i, 0, number, wide, products + i * wide, product_step, gathered);
      }
    });
  }
  return done;
}

// All filters are transformed first; then each task does everything for a block of tiles.
template <bool square>
bool filter_many_tiles(const Job& job) {
  constexpr Index points = Form<square>::points;
  const Index depth = job.depth();
  const RowTiles rows(job.rows);
  // Of all parts, one after the other.
  const Index panel = depth * gemm::kRows;
  const Index matrix = spread(job.number_of_parts() * rows.count * panel);
  float* filters = scratch<float>(Purpose::transformed, static_cast<size_t>(job.groups * points * matrix));
  if (filters == nullptr) return false;
  parallel_for(job.groups * rows.count, std::max<Index>(1, 256 / depth), [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      const Index group = at / rows.count, tile = at % rows.count;
      const Index row = rows.first(tile);
      transform_filters<square>(rows.first(tile + 1) - row, job.channels, job.parts.data(), job.number_of_parts(),
                                job.filters_of(group, row), filters + group * points * matrix + tile * panel, matrix,
                                rows.count * panel);
    }
  });
  const Index vectors = (job.number() + kLanes - 1) / kLanes;
  // What one block needs, transformed data and products, stays in the second cache.
  const Index budget = (Index{5} << 18) / (points * kLanes * static_cast<Index>(sizeof(float)) * (depth + job.rows));
  const Index most = std::min<Index>(12, std::max<Index>(2, budget / 2 * 2));
  const Index blocks = std::min(vectors, std::max((vectors + most - 1) / most, std::min<Index>(vectors / 2, 2 * threads())));
  bool done = true;
  parallel_tasks(job.groups * blocks, [&](Index task) {
    const Index group = task / blocks;
    const Index block = task % blocks;
    const Index first = vectors * block / blocks * kLanes;
    const Index wide = vectors * (block + 1) / blocks * kLanes - first;
    const Index number = std::min(wide, job.number() - first);
    const Index data_step = spread(gemm::round_up(wide, gemm::kColumns) * depth);
    const Index product_step = spread(job.rows * wide);
    float* gathered = scratch<float>(Purpose::gathered, static_cast<size_t>(kIn * kIn * (wide + 2 * kLanes)));
    float* data = scratch<float>(Purpose::padded, static_cast<size_t>(points * data_step));
    float* products = scratch<float>(Purpose::accumulated, static_cast<size_t>(points * product_step));
    if (gathered == nullptr || data == nullptr || products == nullptr) {
      done = false;
      return;
    }
    for (Index k = 0; k < depth; ++k) transform_data<square>(job, group, k, first, number, wide, gathered, data, data_step);
    for (Index number_of_part = 0; number_of_part < job.number_of_parts(); ++number_of_part) {
      const float* filters_of_part = filters + group * points * matrix + number_of_part * rows.count * panel;
      for (Index point = 0; point < points; ++point) {
        for (Index tile = 0; tile < rows.count; ++tile) {
          const Index row = rows.first(tile), high = rows.first(tile + 1) - row;
          for (Index j = 0; j < wide; j += gemm::kColumns) {
            Index last = 0;
            const gemm::Kernel run = gemm::kernel_for<true, true>(high, std::min<Index>(gemm::kColumns, wide - j), last);
            run(depth, filters_of_part + point * matrix + tile * panel, 1, gemm::kRows, data + point * data_step + j * depth,
                gemm::kColumns, products + point * product_step + row * wide + j, wide, last, gemm::Finish{});
          }
        }
      }
      for (Index row = 0; row < job.rows; ++row) {
        finish_row<square>(job, job.parts[number_of_part], group, row, first, number, wide, products + row * wide, product_step,
                           gathered);
      }
    }
  });
  return done;
}

bool is_square(const Shape& shape) { return shape.kernel[1] > 1; }

bool filter_tiles(const Shape& shape, const Job& job) {
  const bool few = job.number() <= kFewTiles;
  if (is_square(shape)) return few ? filter_few_tiles<true>(job) : filter_many_tiles<true>(job);
  return few ? filter_few_tiles<false>(job) : filter_many_tiles<false>(job);
}

// Tiles of results over data.
Tiles tiles_of(const Shape& shape, const Index* results, const Index* data, const Index* padding) {
  const Index tile_rows = is_square(shape) ? kOut : 1;
  const auto count = [](Index length, Index step, Index tile) { return ((length + step - 1) / step + tile - 1) / tile; };
  return {count(results[1], shape.dilation[1], tile_rows), count(results[2], shape.dilation[2], kOut), tile_rows, results[0],
          data[0], data[1], data[2], padding[0], padding[1], padding[2], shape.dilation[1], shape.dilation[2]};
}

Tiles data_tiles_of(const Shape& shape) {
  Tiles made = tiles_of(shape, shape.out, shape.in, shape.padding);
  made.stride = shape.stride[2];
  return made;
}

bool is_switched_on() {
  static const bool on = [] {
    const char* value = std::getenv("FACULA_WINOGRAD");
    return value == nullptr || std::strcmp(value, "0") != 0;
  }();
  return on;
}

}  // namespace

namespace {

// Whether windows move by 2 in both directions of images, and all taps fit into one block for each remainder.
bool moves_by_two(const Shape& shape) {
  for (int dim = 1; dim < kDims; ++dim) {
    if (shape.stride[dim] != 2 || shape.dilation[dim] != 1 || shape.kernel[dim] < 4 || shape.kernel[dim] > 6) return false;
    if (Reach(shape, dim).count > 3) return false;
  }
  return shape.kernel[0] == 1 && shape.stride[0] == 1;
}

// Whether transforming takes less time than it saves: in steps for each pair of channels, `filters` for each block of
// their taps, and without transforming one for every few products. The numbers were measured.
bool repays(const Shape& shape, double filters) {
  struct Costs {
    double product, data, result, filter;
  };
  const Costs costs = is_square(shape) ? Costs{1.5, 25.0, 20.0, 1.0} : Costs{0.24, 3.0, 3.0, 0.3};
  const auto number = [](Index count) { return static_cast<double>(count); };
  const double blocks = number(static_cast<Index>(blocks_of(shape, false).size()));
  const double of_tile = blocks * (costs.product + costs.data / number(shape.group_out())) +
                         costs.result / number(shape.group_channels());
  const double tiles = number(gemm::round_up(shape.batch * data_tiles_of(shape).of_image(), kLanes));
  return tiles * of_tile + blocks * filters * costs.filter < 0.035 * number(shape.taps() * shape.batch * shape.places());
}

}  // namespace

bool suits_winograd(const Shape& shape) {
  for (int dim = 0; dim < kDims; ++dim) {
    if (shape.padding[dim] > (shape.kernel[dim] - 1) * shape.dilation[dim]) return false;
    if (shape.stride[dim] != 1 && !moves_by_two(shape)) return false;
  }
  if (shape.kernel[2] < 2 || shape.taps() > 81) return false;
  const Index depth = shape.group_channels(), rows = shape.group_out();
  // Of windows that move by 2 there are four blocks.
  const Index taps = shape.stride[2] == 1 ? shape.taps() : 4 * 9;
  if (std::min(depth, rows) < 16 || std::max(depth, rows) * taps > 9 * 1024) return false;
  return shape.batch * shape.places() >= 128 && repays(shape, 12.0) && is_switched_on();
}

// Of few channels, the products of the points are too small to be quick; and for few taps at even and odd places, their
// number is not small enough.
bool suits_winograd_weight(const Shape& shape) {
  if (shape.stride[2] != 1 && shape.taps() < 25) return false;
  return suits_winograd(shape) && std::min(shape.group_channels(), shape.group_out()) >= 24 && repays(shape, 40.0);
}

bool winograd_forward(const Shape& shape, const float* x, const float* weight, const float* bias, float* y) {
  const Index rows = shape.group_out(), channels = shape.group_channels();
  return filter_tiles(shape, {shape.batch, shape.groups, channels, rows, data_tiles_of(shape), {{0, 0, blocks_of(shape, false)}}, 1,
                              {weight, channels * shape.taps(), shape.taps()}, rows * channels * shape.taps(), shape.out[1],
                              shape.out[2], x, bias, y});
}

bool winograd_data(const Shape& shape, const float* y, const float* weight, float* x) {
  const Index rows = shape.group_channels(), channels = shape.group_out();
  const bool by_two = moves_by_two(shape);
  Index padding[kDims], results[kDims];
  for (int dim = 0; dim < kDims; ++dim) {
    const bool halved = by_two && dim > 0;
    padding[dim] = halved ? -Reach(shape, dim).first : (shape.kernel[dim] - 1) * shape.dilation[dim] - shape.padding[dim];
    results[dim] = halved ? (shape.in[dim] + 1) / 2 : shape.in[dim];
  }
  const std::vector<Part> parts = by_two ? parts_of_data(shape) : std::vector<Part>{{0, 0, blocks_of(shape, true)}};
  return filter_tiles(shape, {shape.batch, shape.groups, channels, rows, tiles_of(shape, results, shape.out, padding), parts,
                              by_two ? 2 : 1, {weight, shape.taps(), rows * shape.taps()}, rows * channels * shape.taps(),
                              shape.in[1], shape.in[2], y, nullptr, x});
}

namespace {

// The gradients of filters of one row and kLanes steps k of the sum, from the sums of all points.
template <bool square, class Get>
ALWAYS_INLINE void finish_filters(const std::vector<TapBlock>& blocks, Index taps_of_filter, const Get& get, Index k, Index lanes,
                                  float* to) {
  constexpr int count = Form<square>::taps;
  Floats taps[kLanes < count ? count : kLanes] = {};
  transform<OfFilterGradient, square>(get, [&](int i, int j, Floats value) { taps[i * 3 + j] = value; });
  const Index number = static_cast<Index>(blocks.size());
#if defined(__AVX512F__)
  if (taps_of_filter == count * number) {
    // All blocks are whole, and lie side by side.
    gemm::transpose(taps);
    for (Index lane = 0; lane < lanes; ++lane) {
      const Index at = (k + lane) / number * taps_of_filter + blocks[(k + lane) % number].taps[0];
      store_short(to + at, taps[lane], count);
    }
    return;
  }
#endif
  for (Index lane = 0; lane < lanes; ++lane) {
    const TapBlock& block = blocks[(k + lane) % number];
    for (int tap = 0; tap < count; ++tap) {
      if (block.taps[tap] >= 0) to[(k + lane) / number * taps_of_filter + block.taps[tap]] = taps[tap][lane];
    }
  }
}

// The products of few tiles for all points at once: the sums of some rows and channels stay in the nearest cache.
template <bool square>
bool weight_of_few_tiles(const Shape& shape, const std::vector<TapBlock>& blocks, Index number, const float* data, Index data_step,
                         const float* gradient, Index gradient_step, Index width, float* weight) {
  constexpr Index points = Form<square>::points;
  const Index depth = shape.group_channels() * static_cast<Index>(blocks.size());
  const RowTiles tiles(shape.group_out());
  const Index panels = (depth + gemm::kColumns - 1) / gemm::kColumns;
  const Index parts = std::min(tiles.count, std::max<Index>(1, 2 * threads() / panels));
  constexpr Index kSums = gemm::kRows * gemm::kColumns;
  bool done = true;
  parallel_tasks(panels * parts, [&](Index task) {
    const Index k = task / parts * gemm::kColumns;
    const Index wide = std::min<Index>(gemm::kColumns, depth - k);
    float* right = scratch<float>(Purpose::right_panels, static_cast<size_t>(points * number * gemm::kColumns + kLanes));
    float* sums = scratch<float>(Purpose::accumulated, static_cast<size_t>(points * kSums));
    if (right == nullptr || sums == nullptr) {
      done = false;
      return;
    }
    for (Index point = 0; point < points; ++point) {
      gemm::interleave<gemm::kColumns>(data + point * data_step + k * width, width, 1, wide, number,
                                       right + point * number * gemm::kColumns);
    }
    for (Index tile = tiles.count * (task % parts) / parts; tile < tiles.count * (task % parts + 1) / parts; ++tile) {
      const Index row = tiles.first(tile), high = tiles.first(tile + 1) - row;
      for (Index point = 0; point < points; ++point) {
        Index last = 0;
        const gemm::Kernel run = gemm::kernel_for<false, true>(high, wide, last);
        run(number, gradient + point * gradient_step + row * width, width, 1, right + point * number * gemm::kColumns, gemm::kColumns,
            sums + point * kSums, gemm::kColumns, last, gemm::Finish{});
      }
      for (Index i = 0; i < high; ++i) {
        for (Index at = 0; at < wide; at += kLanes) {
          const float* from = sums + i * gemm::kColumns + at;
          finish_filters<square>(blocks, shape.taps(), [&](int line, int column) { return load(from + (line * kIn + column) * kSums); },
                                 k + at, std::min<Index>(kLanes, wide - at), weight + (row + i) * shape.depth());
        }
      }
    }
  });
  return done;
}

// For each point: (out x tiles) of the transformed gradient times (tiles x channels) of the transformed data, added up
// block by block of tiles. Threads divide first the channels, then the points.
template <bool square>
bool weight_of_tiles(const Shape& shape, const float* x, const float* y, float* weight) {
  constexpr Index points = Form<square>::points;
  const std::vector<TapBlock> blocks = blocks_of(shape, false);
  const Index number_of_blocks = static_cast<Index>(blocks.size());
  const Index rows = shape.group_out();
  const Index depth = shape.group_channels() * number_of_blocks;
  const Tiles data_tiles = data_tiles_of(shape);
  const Index none[kDims] = {};
  const Tiles gradient_tiles = tiles_of(shape, shape.out, shape.out, none);
  const TapBlock no_block = {};
  const Index number = shape.batch * data_tiles.of_image();
  const bool few = number <= 3 * kFewTiles;
  const Index most = gemm::round_up(std::max<Index>(64, (Index{1} << 20) / (points * 4 * (rows + depth))), kLanes);
  const Index passes = few ? 1 : (number + most - 1) / most;
  const Index width = gemm::round_up((number + passes - 1) / passes, kLanes);
  const Index data_step = spread(depth * width);
  const Index gradient_step = spread(rows * width);
  float* data = scratch<float>(Purpose::padded, static_cast<size_t>(points * data_step));
  float* gradient = scratch<float>(Purpose::transformed, static_cast<size_t>(points * gradient_step));
  float* sums = scratch<float>(Purpose::accumulated, static_cast<size_t>(few ? 1 : points * rows * depth));
  if (data == nullptr || gradient == nullptr || sums == nullptr) return false;
  bool done = true;
  for (Index group = 0; group < shape.groups; ++group) {
    float* group_weight = weight + group * rows * shape.depth();
    for (Index first = 0; first < number; first += width) {
      const Index count = std::min(width, number - first);
      parallel_tasks((depth + rows + 3) / 4, [&](Index task) {
        const Index pitch = width + 2 * kLanes;
        float* gathered = scratch<float>(Purpose::gathered, static_cast<size_t>(kIn * kIn * pitch));
        if (gathered == nullptr) {
          done = false;
          return;
        }
        for (Index at = task * 4; at < std::min(depth + rows, task * 4 + 4); ++at) {
          if (at < depth) {
            const Index channel = group * shape.group_channels() + at / number_of_blocks;
            gather<Form<square>::in_rows, kIn>(data_tiles, blocks[at % number_of_blocks], x + channel * shape.in_size(),
                                               shape.channels * shape.in_size(), first, count, pitch, gathered);
            for (Index tile = 0; tile < count; tile += kLanes) {
              float* to = data + at * width + tile;
              transform<OfData, square>(
                  [&](int row, int column) { return load(gathered + (row * kIn + column) * pitch + tile); },
                  [&](int row, int column, Floats value) { store(to + (row * kIn + column) * data_step, value); });
            }
          } else {
            gather<Form<square>::out_rows, kOut>(gradient_tiles, no_block, y + (group * rows + at - depth) * shape.places(),
                                                 shape.out_channels * shape.places(), first, count, pitch, gathered);
            for (Index tile = 0; tile < count; tile += kLanes) {
              float* to = gradient + (at - depth) * width + tile;
              transform<OfGradient, square>(
                  [&](int row, int column) { return load(gathered + (row * kOut + column) * pitch + tile); },
                  [&](int row, int column, Floats value) { store(to + (row * kIn + column) * gradient_step, value); });
            }
          }
        }
      });
      if (few) {
        if (!weight_of_few_tiles<square>(shape, blocks, count, data, data_step, gradient, gradient_step, width, group_weight)) done = false;
        continue;
      }
      parallel_tasks(points, [&](Index point) {
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
          finish_filters<square>(blocks, shape.taps(),
                                 [&](int i, int j) { return load_short(from + (i * kIn + j) * rows * depth, lanes); }, k, lanes,
                                 group_weight + row * shape.depth());
        }
      }
    });
  }
  return done;
}

}  // namespace

bool winograd_weight(const Shape& shape, const float* x, const float* y, float* weight) {
  return is_square(shape) ? weight_of_tiles<true>(shape, x, y, weight) : weight_of_tiles<false>(shape, x, y, weight);
}

}  // namespace convolution
}  // namespace facula
