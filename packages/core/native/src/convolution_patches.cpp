// Convolutions as matrix products whose right side is copied, panel by panel, straight from the images or read where it
// lies; and the gradient of the weight.
#include "convolution.h"

namespace facula {
namespace convolution {
namespace {

using gemm::Finish;
using gemm::Matrix;

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

// Filters copied for the kernels, one group after the other: pass by pass, in each pass tile by tile.
float* packed_filters(const Filters& filters, Index groups, Index rows, Index depth) {
  const size_t size = gemm::packed_size(rows, depth);
  float* packed = scratch<float>(Purpose::transformed, size * static_cast<size_t>(groups));
  if (packed == nullptr) return nullptr;
  const RowTiles tiles(rows);
  parallel_for(groups * tiles.count, std::max<Index>(1, 16384 / (gemm::kRows * depth)), [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      const Index tile = at % tiles.count;
      const Index first = tiles.first(tile);
      const Index depth_block = gemm::depth_of_pass(depth);
      for (Index k = 0; k < depth; k += depth_block) {
        const Index deep = std::min(depth_block, depth - k);
        const Matrix part = filters.of(at / tiles.count).from(first, k);
        gemm::interleave<gemm::kRows>(part.data, part.row, part.column, tiles.first(tile + 1) - first, deep,
                                      packed + at / tiles.count * size + (k * tiles.count + tile * deep) * gemm::kRows);
      }
    }
  });
  return packed;
}

// Sums of `rows` filters over places that lie side by side: as `gemm`'s kernel, but read where the image lies, or
// (`offsets` is null) from a panel.
template <int rows>
void filter_run(Index depth, const float* filters, const float* image, const Index* offsets, float* to, Index to_row, Index count,
                bool add, const float* bias) {
  Floats sums[rows][2];
#pragma GCC unroll 12
  for (int i = 0; i < rows; ++i) {
    sums[i][0] = sums[i][1] = bias == nullptr ? Floats{} : all(bias[i]);
    // What is written should be near when the sums are done.
    __builtin_prefetch(to + i * to_row, 1);
    __builtin_prefetch(to + i * to_row + kLanes, 1);
  }
  const auto step = [&](Index k, const float* line) {
    const Floats left = load(line), right = load(line + kLanes);
#pragma GCC unroll 12
    for (int i = 0; i < rows; ++i) {
      const float scale = filters[k * gemm::kRows + i];
      sums[i][0] += scale * left;
      sums[i][1] += scale * right;
    }
  };
  if (offsets == nullptr) {
    for (Index k = 0; k < depth; ++k) step(k, image + k * gemm::kColumns);
  } else {
    for (Index k = 0; k < depth; ++k) step(k, image + offsets[k]);
  }
  if (count == gemm::kColumns) {
#pragma GCC unroll 12
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) {
        float* place = to + i * to_row + j * kLanes;
        store(place, add ? sums[i][j] + load(place) : sums[i][j]);
      }
    }
    return;
  }
#pragma GCC unroll 12
  for (int i = 0; i < rows; ++i) {
    const Index lanes = std::min<Index>(kLanes, count);
    float* place = to + i * to_row;
    store_short(place, add ? sums[i][0] + load_short(place, lanes) : sums[i][0], lanes);
    if (count > kLanes) {
      place += kLanes;
      store_short(place, add ? sums[i][1] + load_short(place, count - kLanes) : sums[i][1], count - kLanes);
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

// Tiles of rows of packed filters over the places from `place` on; `to` and `bias` are of the first row of all. Patches
// that lie side by side are not copied for a few rows.
bool filter_places(const RowTiles& tiles, Index first_tile, Index last_tile, Index depth, const float* filters,
                   const Patches& patches, Index place, Index places, float* to, Index to_row, const float* bias) {
  const Index depth_block = gemm::depth_of_pass(depth);
  float* panel = scratch<float>(Purpose::right_panels, static_cast<size_t>((depth_block + kLanes) * gemm::kColumns + kLanes));
  if (panel == nullptr) return false;
  for (Index k = 0; k < depth; k += depth_block) {
    const Index deep = std::min(depth_block, depth - k);
    const float* block = filters + k * tiles.count * gemm::kRows;
    for (Index j = 0; j < places; j += gemm::kColumns) {
      const Index wide = std::min<Index>(gemm::kColumns, places - j);
      const Index width = patches.padded->out[2];
      const Index line = (place + j) / width;
      const bool in_line = last_tile - first_tile <= 8 && (place + j) % width + wide <= width;
      const float* image = panel;
      if (in_line) {
        image = patches.image + (place + j) % width +
                patches.padded->place_offset(line / patches.padded->out[1], line % patches.padded->out[1]);
      } else {
        patches.panel(k, deep, place + j, wide, panel);
      }
      for (Index tile = first_tile; tile < last_tile; ++tile) {
        const Index i = tiles.first(tile);
        filter_run_of<gemm::kRows>(tiles.first(tile + 1) - i)(deep, block + tile * deep * gemm::kRows, image,
                                                              in_line ? patches.offsets + k : nullptr, to + i * to_row + j, to_row,
                                                              wide, k > 0, k > 0 || bias == nullptr ? nullptr : bias + i);
      }
    }
  }
  return true;
}

}  // namespace

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
  const size_t filters_size = static_cast<size_t>(RowTiles(rows).count * gemm::kRows * depth + kLanes);
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
      const RowTiles tiles(rows);
      const Index across = units * panels < 16 * threads() && tiles.count >= 4 ? std::min<Index>(tiles.count / 2, threads()) : 1;
      parallel_tasks(units * parts * across, [&](Index task) {
        const Index part = task / across % parts;
        const Index unit = task / across / parts;
        const Index first = panels * part / parts * gemm::kColumns;
        const Index last = std::min(columns, panels * (part + 1) / parts * gemm::kColumns);
        const Patches patches = {copies + unit * channels * all.plane(), &all, offsets.data()};
        if (!filter_places(tiles, tiles.count * (task % across) / across, tiles.count * (task % across + 1) / across, depth,
                           packed + unit % groups * filters_size, patches, first, last - first, to + unit * rows * columns + first,
                           columns, bias == nullptr ? nullptr : bias + unit % groups * rows)) {
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

// The gradient of the weight: for each group, (out x places) of the gradient times (places x depth) of the patches, added
// up image by image. Threads divide the weight, so that no sum depends on their number.
bool weight_gradient(const Shape& shape, const float* x, const float* y, float* weight) {
  if (suits_winograd_weight(shape)) return winograd_weight(shape, x, y, weight);
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

}  // namespace convolution
}  // namespace facula
