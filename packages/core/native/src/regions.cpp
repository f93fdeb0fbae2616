// Boxes in images: which of many that overlap to keep, and means of the regions that boxes name, with their gradient.
#include <cmath>
#include <vector>

#include "map.h"
#include "rows.h"

namespace facula {
namespace {

// A product as it is when rounded by itself, not joined with the sum that follows: overlaps are compared exactly.
ALWAYS_INLINE Floats by_itself(Floats x) {
#if defined(__AVX512F__)
  asm("" : "+v"(x));
#elif defined(__x86_64__)
  asm("" : "+x"(x));
#endif
  return x;
}

// What part of a row or column of an image goes into a bin: `share` of place `low` and of the one after it.
struct Sample {
  int32_t low, high;
  float of_low, of_high;
};

// Where samples along one side are, bin by bin.
struct Side {
  std::vector<Sample> samples;
  std::vector<Index> ends;
  Index least = 0, most = -1;
};

void place_samples(float start, float end, Index length, Index bins, Index ratio, bool aligned, Side& side) {
  const float extent = aligned ? end - start : std::max(end - start, 1.0f);
  const float step = extent / static_cast<float>(bins);
  const Index count = ratio > 0 ? ratio : std::max<Index>(static_cast<Index>(std::ceil(step)), 0);
  side.samples.clear();
  side.ends.clear();
  side.least = length;
  side.most = -1;
  for (Index bin = 0; bin < bins; ++bin) {
    for (Index at = 0; at < count; ++at) {
      const float inner = (static_cast<float>(at) + 0.5f) * step / static_cast<float>(count);
      float place = start + static_cast<float>(bin) * step + inner;
      if (!(place >= -1.0f && place <= static_cast<float>(length))) continue;
      place = std::min(std::max(place, 0.0f), static_cast<float>(length - 1));
      const Index low = static_cast<Index>(place);
      const Index high = std::min(low + 1, length - 1);
      const float part = place - static_cast<float>(low);
      side.samples.push_back({static_cast<int32_t>(low), static_cast<int32_t>(high), (1.0f - part) / static_cast<float>(count),
                              part / static_cast<float>(count)});
      side.least = std::min(side.least, low);
      side.most = std::max(side.most, high);
    }
    side.ends.push_back(static_cast<Index>(side.samples.size()));
  }
}

// Images (N, C, H, W), boxes (K, 5) and bins: what both directions read.
struct Regions {
  Index images, channels, height, width, boxes, rows, columns, ratio;
  float scale;
  bool aligned;

  // Place the samples of a box in its image; the number of the image.
  Index place(const float* box, Side& down, Side& across) const {
    const float offset = aligned ? 0.5f : 0.0f;
    place_samples(box[2] * scale - offset, box[4] * scale - offset, height, rows, ratio, aligned, down);
    place_samples(box[1] * scale - offset, box[3] * scale - offset, width, columns, ratio, aligned, across);
    return static_cast<Index>(box[0]);
  }
};

bool read_numbers(PyObject* const* args, int count, Index* to) {
  for (int at = 0; at < count; ++at) to[at] = PyLong_AsLongLong(args[at]);
  return !PyErr_Occurred();
}

bool is_dense_float(PyObject* object, int dims) {
  if (!is_array(object)) return false;
  const Array x(object);
  return x.type() == Type::float32 && x.contiguous() && x.dims() == dims;
}

bool names_images(const Array& boxes, Index images) {
  for (Index at = 0; at < boxes.shape(0); ++at) {
    const float number = boxes.data<float>()[at * 5];
    if (!(number >= 0.0f && number < static_cast<float>(images))) return false;
  }
  return true;
}

}  // namespace

KERNEL(nms, "nms(boxes, threshold): the places of the boxes to keep, of boxes (N, 4) in falling order of their scores") {
  if (count != 2 || !is_dense_float(args[0], 2) || Array(args[0]).shape(1) != 4) return declined();
  const Array boxes(args[0]);
  const double exact = PyFloat_AsDouble(args[1]);
  if (exact == -1.0 && PyErr_Occurred()) return nullptr;
  // The largest float that is not above the threshold: an overlap is above the one when it is above the other.
  float threshold = static_cast<float>(exact);
  if (static_cast<double>(threshold) > exact) threshold = std::nextafter(threshold, -INFINITY);
  const Index size = boxes.shape(0), room = (size + kLanes - 1) / kLanes * kLanes;
  std::vector<float> sides(static_cast<size_t>(5 * room));
  float *left = sides.data(), *top = left + room, *right = top + room, *bottom = right + room, *area = bottom + room;
  std::vector<int32_t> gone(static_cast<size_t>(room));
  std::vector<Index> kept;
  {
    WithoutGil unlocked;
    const float* from = boxes.data<float>();
    for (Index i = 0; i < size; ++i, from += 4) {
      left[i] = from[0];
      top[i] = from[1];
      right[i] = from[2];
      bottom[i] = from[3];
      area[i] = (from[2] - from[0]) * (from[3] - from[1]);
    }
    for (Index i = 0; i < size; ++i) {
      if (gone[static_cast<size_t>(i)] != 0) continue;
      kept.push_back(i);
      const Floats own_left = all(left[i]), own_top = all(top[i]), own_right = all(right[i]), own_bottom = all(bottom[i]);
      // What comes before in the first vector has been decided; to mark it again changes nothing.
      for (Index j = (i + 1) / kLanes * kLanes; j < size; j += kLanes) {
        const Floats wide = minimum(own_right, load(right + j)) - maximum(own_left, load(left + j));
        const Floats high = minimum(own_bottom, load(bottom + j)) - maximum(own_top, load(top + j));
        const Floats common = by_itself(maximum(wide, Floats{}) * maximum(high, Floats{}));
        const Ints above = common / (area[i] + load(area + j) - common) > threshold;
        Ints marks;
        std::memcpy(&marks, gone.data() + j, sizeof marks);
        marks |= above;
        std::memcpy(gone.data() + j, &marks, sizeof marks);
      }
    }
  }
  const npy_intp shape[1] = {static_cast<npy_intp>(kept.size())};
  Array result = Array::empty(1, shape, Type::int64);
  if (!result) return nullptr;
  std::copy(kept.begin(), kept.end(), result.data<Index>());
  return result.release();
}

KERNEL(roi_align, "roi_align(images, boxes, rows, columns, scale, ratio, aligned): the means of the bins of each box") {
  if (count != 7 || !is_dense_float(args[0], 4) || !is_dense_float(args[1], 2)) return declined();
  const Array images(args[0]), boxes(args[1]);
  Index bins[2], ratio = 0;
  if (!read_numbers(args + 2, 2, bins) || !read_numbers(args + 5, 1, &ratio)) return nullptr;
  if (boxes.shape(1) != 5 || images.size() == 0 || bins[0] < 1 || bins[1] < 1 || !names_images(boxes, images.shape(0))) {
    return declined();
  }
  const Regions at = {images.shape(0), images.shape(1), images.shape(2), images.shape(3), boxes.shape(0), bins[0],
                      bins[1],         ratio,           static_cast<float>(PyFloat_AsDouble(args[4])), args[6] == Py_True};
  if (PyErr_Occurred()) return nullptr;
  const npy_intp shape[4] = {at.boxes, at.channels, at.rows, at.columns};
  Array result = Array::empty(4, shape, Type::float32);
  if (!result) return nullptr;
  {
    WithoutGil unlocked;
    const Index grain = std::max<Index>(1, 16384 / (at.channels * at.rows * at.columns * 4 + 1));
    parallel_for(at.boxes, grain, [&](Index begin, Index end) {
      Side down, across;
      std::vector<float> row(static_cast<size_t>(at.width + kLanes));
      for (Index box = begin; box < end; ++box) {
        const Index image = at.place(boxes.data<float>() + box * 5, down, across);
        const Index least = across.least, wide = across.most + 1 - least;
        for (Index channel = 0; channel < at.channels; ++channel) {
          const float* from = images.data<float>() + (image * at.channels + channel) * at.height * at.width + least;
          float* to = result.data<float>() + (box * at.channels + channel) * at.rows * at.columns;
          Index sample = 0;
          for (Index bin = 0; bin < at.rows; ++bin) {
            // The rows of this bin as one, of the columns that are looked at.
            std::fill(row.begin(), row.begin() + std::max<Index>(wide, 0), 0.0f);
            for (; sample < down.ends[static_cast<size_t>(bin)] && wide > 0; ++sample) {
              const Sample& of = down.samples[static_cast<size_t>(sample)];
              const float *low = from + of.low * at.width, *high = from + of.high * at.width;
              for (Index j = 0; j < wide; ++j) row[static_cast<size_t>(j)] += of.of_low * low[j] + of.of_high * high[j];
            }
            Index place = 0;
            for (Index column = 0; column < at.columns; ++column) {
              float sum = 0.0f;
              for (; place < across.ends[static_cast<size_t>(column)]; ++place) {
                const Sample& of = across.samples[static_cast<size_t>(place)];
                sum += of.of_low * row[static_cast<size_t>(of.low - least)] + of.of_high * row[static_cast<size_t>(of.high - least)];
              }
              to[bin * at.columns + column] = sum;
            }
          }
        }
      }
    });
  }
  return result.release();
}

KERNEL(roi_align_gradient,
       "roi_align_gradient(slopes, boxes, images, channels, height, width, scale, ratio, aligned): the gradient for the images") {
  if (count != 9 || !is_dense_float(args[0], 4) || !is_dense_float(args[1], 2)) return declined();
  const Array slopes(args[0]), boxes(args[1]);
  Index sizes[4], ratio = 0;
  if (!read_numbers(args + 2, 4, sizes) || !read_numbers(args + 7, 1, &ratio)) return nullptr;
  const Regions at = {sizes[0], sizes[1], sizes[2], sizes[3], boxes.shape(0), slopes.shape(2), slopes.shape(3), ratio,
                      static_cast<float>(PyFloat_AsDouble(args[6])), args[8] == Py_True};
  if (PyErr_Occurred()) return nullptr;
  if (boxes.shape(1) != 5 || slopes.shape(0) != at.boxes || slopes.shape(1) != at.channels || at.rows < 1 || at.columns < 1 ||
      at.images * at.channels * at.height * at.width == 0 || !names_images(boxes, at.images)) {
    return declined();
  }
  const npy_intp shape[4] = {at.images, at.channels, at.height, at.width};
  Array result = Array::empty(4, shape, Type::float32);
  if (!result) return nullptr;
  {
    WithoutGil unlocked;
    // Each thread has channels of its own, so that boxes add up in their order.
    parallel_for(at.channels, 1, [&](Index begin, Index end) {
      for (Index image = 0; image < at.images; ++image) {
        float* to = result.data<float>() + (image * at.channels + begin) * at.height * at.width;
        std::memset(to, 0, static_cast<size_t>((end - begin) * at.height * at.width) * sizeof(float));
      }
      Side down, across;
      std::vector<float> row(static_cast<size_t>(at.width + kLanes));
      for (Index box = 0; box < at.boxes; ++box) {
        const Index image = at.place(boxes.data<float>() + box * 5, down, across);
        const Index least = across.least, wide = across.most + 1 - least;
        if (wide <= 0) continue;
        for (Index channel = begin; channel < end; ++channel) {
          const float* from = slopes.data<float>() + (box * at.channels + channel) * at.rows * at.columns;
          float* to = result.data<float>() + (image * at.channels + channel) * at.height * at.width + least;
          Index sample = 0;
          for (Index bin = 0; bin < at.rows; ++bin) {
            std::fill(row.begin(), row.begin() + wide, 0.0f);
            Index place = 0;
            for (Index column = 0; column < at.columns; ++column) {
              const float slope = from[bin * at.columns + column];
              for (; place < across.ends[static_cast<size_t>(column)]; ++place) {
                const Sample& of = across.samples[static_cast<size_t>(place)];
                row[static_cast<size_t>(of.low - least)] += of.of_low * slope;
                row[static_cast<size_t>(of.high - least)] += of.of_high * slope;
              }
            }
            for (; sample < down.ends[static_cast<size_t>(bin)]; ++sample) {
              const Sample& of = down.samples[static_cast<size_t>(sample)];
              float *low = to + of.low * at.width, *high = to + of.high * at.width;
              for (Index j = 0; j < wide; ++j) low[j] += of.of_low * row[static_cast<size_t>(j)];
              for (Index j = 0; j < wide; ++j) high[j] += of.of_high * row[static_cast<size_t>(j)];
            }
          }
        }
      }
    });
  }
  return result.release();
}

}  // namespace facula
