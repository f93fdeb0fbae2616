// Standardised arrays, scaled and shifted: layer, group, instance, root-mean-square and batch normalisation, of float32.
//
// The gradients are in normalization_gradient.cpp.
#include "normalization.h"

namespace facula {
namespace {

struct Forward {
  const float* x;
  const float* weight;
  const float* bias;
  float* y;
  float* mean;
  float* variance;
  float eps;
  bool centred;
};

double sum_of(const float* x, Index length) {
  return sum_of_row(
      length, [=](Index i) __attribute__((always_inline)) { return load(x + i); },
      [=](Index i, Index count) __attribute__((always_inline)) { return load_filled(x + i, count, 0); });
}

double squares_about(const float* x, float mean, Index length) {
  const auto square = [=](Floats value) __attribute__((always_inline)) {
    const Floats distance = value - mean;
    return distance * distance;
  };
  return sum_of_row(
      length, [=](Index i) __attribute__((always_inline)) { return square(load(x + i)); },
      [=](Index i, Index count) __attribute__((always_inline)) { return square(load_filled(x + i, count, mean)); });
}

// (x - mean) * factor + shift, with numbers for all or, where `weight` is given, with a weight for each element.
void scaled(const float* x, float* y, Index length, float mean, float factor, float shift) {
  Index i = 0;
  for (; i + kLanes <= length; i += kLanes) store(y + i, (load(x + i) - mean) * factor + shift);
  if (i < length) store_first(y + i, (load_filled(x + i, length - i, 0) - mean) * factor + shift, length - i);
}

void scaled_by_weights(
    const float* x, float* y, Index length, float mean, float factor, const float* weight, const float* bias) {
  Index i = 0;
  if (bias != nullptr) {
    for (; i + kLanes <= length; i += kLanes) {
      store(y + i, (load(x + i) - mean) * factor * load(weight + i) + load(bias + i));
    }
  } else {
    for (; i + kLanes <= length; i += kLanes) store(y + i, (load(x + i) - mean) * factor * load(weight + i));
  }
  if (i < length) {
    const Index rest = length - i;
    Floats value = (load_filled(x + i, rest, 0) - mean) * factor * load_filled(weight + i, rest, 0);
    if (bias != nullptr) value += load_filled(bias + i, rest, 0);
    store_first(y + i, value, rest);
  }
}

void by_row(const Forward& f, const Together& t, Index row) {
  const Index length = t.row();
  const float* x = f.x + row * length;
  float* y = f.y + row * length;
  const float mean = f.centred ? static_cast<float>(sum_of(x, length) / static_cast<double>(length)) : 0.0f;
  const float variance = static_cast<float>(squares_about(x, mean, length) / static_cast<double>(length));
  const float factor = 1.0f / std::sqrt(variance + f.eps);
  f.mean[row] = mean;
  f.variance[row] = variance;
  if (f.weight == nullptr) {
    scaled(x, y, length, mean, factor, 0.0f);
    return;
  }
  const Index first = row % t.groups * t.channels;
  if (t.run == 1) {
    scaled_by_weights(x, y, length, mean, factor, f.weight + first, f.bias == nullptr ? nullptr : f.bias + first);
    return;
  }
  for (Index channel = 0; channel < t.channels; ++channel) {
    const float shift = f.bias == nullptr ? 0.0f : f.bias[first + channel];
    scaled(x + channel * t.run, y + channel * t.run, t.run, mean, factor * f.weight[first + channel], shift);
  }
}

// A channel of a batch whose runs are longer than one: the statistics of each run, while it is in the cache, are joined
// to those of the runs before.
void by_channel(const Forward& f, const Together& t, Index channel) {
  constexpr Index most = 4096;
  double count = 0, mean = 0, squares = 0;
  for (Index sample = 0; sample < t.outer; ++sample) {
    const float* x = f.x + (sample * t.channels + channel) * t.run;
    for (Index at = 0; at < t.run; at += most) {
      const Index length = std::min(most, t.run - at);
      const double here = sum_of(x + at, length) / static_cast<double>(length);
      const float rounded = static_cast<float>(here);
      const double off = here - rounded;
      const double spread = squares_about(x + at, rounded, length) - off * off * static_cast<double>(length);
      const double sum = count + static_cast<double>(length);
      const double apart = here - mean;
      squares += spread + apart * apart * count * static_cast<double>(length) / sum;
      mean += apart * static_cast<double>(length) / sum;
      count = sum;
    }
  }
  const float variance = static_cast<float>(std::max(squares, 0.0) / count);
  f.mean[channel] = static_cast<float>(mean);
  f.variance[channel] = squares == squares ? variance : NAN;
  const float factor = 1.0f / std::sqrt(f.variance[channel] + f.eps) * (f.weight == nullptr ? 1.0f : f.weight[channel]);
  const float shift = f.bias == nullptr ? 0.0f : f.bias[channel];
  for (Index sample = 0; sample < t.outer; ++sample) {
    const Index at = (sample * t.channels + channel) * t.run;
    scaled(f.x + at, f.y + at, t.run, f.mean[channel], factor, shift);
  }
}

// A vector of channels of a batch whose runs are single elements.
void by_columns(const Forward& f, const Together& t, Index first) {
  constexpr Index rows = 64;
  const Index lanes = std::min<Index>(kLanes, t.channels - first);
  const auto read = [=](const float* from) __attribute__((always_inline)) {
    return lanes == kLanes ? load(from) : load_filled(from, lanes, 0);
  };
  const float* x = f.x + first;
  const float count = static_cast<float>(t.outer);
  Floats mean{}, squares{};
  for (Index begin = 0; begin < t.outer; begin += rows) {
    Floats part{};
    for (Index row = begin; row < std::min(t.outer, begin + rows); ++row) part += read(x + row * t.channels);
    mean += part;
  }
  mean = mean / count;
  for (Index begin = 0; begin < t.outer; begin += rows) {
    Floats part{};
    for (Index row = begin; row < std::min(t.outer, begin + rows); ++row) {
      const Floats distance = read(x + row * t.channels) - mean;
      part += distance * distance;
    }
    squares += part;
  }
  const Floats variance = squares / count;
  store_first(f.mean + first, mean, lanes);
  store_first(f.variance + first, variance, lanes);
  Floats factor;
  for (int lane = 0; lane < kLanes; ++lane) factor[lane] = 1.0f / std::sqrt(variance[lane] + f.eps);
  if (f.weight != nullptr) factor *= read(f.weight + first);
  const Floats shift = f.bias == nullptr ? Floats{} : read(f.bias + first);
  for (Index row = 0; row < t.outer; ++row) {
    const Floats value = (read(x + row * t.channels) - mean) * factor + shift;
    if (lanes == kLanes) {
      store(f.y + row * t.channels + first, value);
    } else {
      store_first(f.y + row * t.channels + first, value, lanes);
    }
  }
}

bool is_float32_or_none(PyObject* object) {
  return object == Py_None || (is_array(object) && Array(object).type() == Type::float32);
}

}  // namespace

KERNEL(standardize,
       "standardize(x, weight, bias, dims, eps, centred): x less its mean over its standard deviation, times weight, "
       "plus bias; with the mean and the variance") {
  if (count != 6 || !is_array(args[0]) || !is_float32_or_none(args[1]) || !is_float32_or_none(args[2])) return declined();
  const Array given(args[0]);
  if (given.type() != Type::float32 || given.size() == 0) return declined();
  const bool weighted = args[1] != Py_None, shifted = args[2] != Py_None;
  const Array weight(args[1]), bias(args[2]);
  if (shifted && (!weighted || !weight.same_shape(bias) || !bias.contiguous())) return declined();
  Together t;
  if (!read_together(given, args[3], weighted ? &weight : nullptr, &t)) return declined();
  const bool centred = PyObject_IsTrue(args[5]) == 1;
  if (t.batch && !centred) return declined();
  const Dense x(args[0]);
  if (!x) return nullptr;
  npy_intp kept[16];
  std::copy(x->shape(), x->shape() + x->dims(), kept);
  for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(args[3]); ++at) {
    Index dim = 0;
    read_dim(PyTuple_GET_ITEM(args[3], at), *x, &dim);
    kept[dim] = 1;
  }
  Array y = Array::like(*x);
  Array mean = Array::empty(x->dims(), kept, Type::float32);
  Array variance = Array::empty(x->dims(), kept, Type::float32);
  if (!y || !mean || !variance) return nullptr;
  const Forward f = {
      x->data<float>(),
      weighted ? weight.data<float>() : nullptr,
      shifted ? bias.data<float>() : nullptr,
      y.data<float>(),
      mean.data<float>(),
      variance.data<float>(),
      static_cast<float>(PyFloat_AsDouble(args[4])),
      centred,
  };
  {
    WithoutGil unlocked(x->size() > kElementsPerThread);
    if (!t.batch) {
      parallel_for(t.rows(), rows_per_thread(t.row()), [&](Index begin, Index end) {
        for (Index row = begin; row < end; ++row) by_row(f, t, row);
      });
    } else if (t.run > 1) {
      parallel_for(t.channels, rows_per_thread(t.together()), [&](Index begin, Index end) {
        for (Index channel = begin; channel < end; ++channel) by_channel(f, t, channel);
      });
    } else {
      parallel_for((t.channels + kLanes - 1) / kLanes, rows_per_thread(t.outer * kLanes), [&](Index begin, Index end) {
        for (Index at = begin; at < end; ++at) by_columns(f, t, at * kLanes);
      });
    }
  }
  return Py_BuildValue("(NNN)", y.release(), mean.release(), variance.release());
}

KERNEL(scale_channels, "scale_channels(x, centre, scale, shift): (x - centre) * scale + shift, one of each for a channel") {
  if (count != 4 || !is_array(args[0]) || Array(args[0]).type() != Type::float32) return declined();
  const Array given(args[0]);
  if (given.dims() < 2 || given.size() == 0) return declined();
  for (int at = 1; at < 4; ++at) {
    if (!is_array(args[at])) return declined();
    const Array each(args[at]);
    if (each.type() != Type::float32 || !each.contiguous() || each.size() != given.shape(1)) return declined();
  }
  const Dense x(args[0]);
  if (!x) return nullptr;
  Array y = Array::like(*x);
  if (!y) return nullptr;
  const Along shape = along(*x, 1);
  const float* from = x->data<float>();
  const float* centre = Array(args[1]).data<float>();
  const float* scale = Array(args[2]).data<float>();
  const float* shift = Array(args[3]).data<float>();
  float* to = y.data<float>();
  {
    WithoutGil unlocked(x->size() > kElementsPerThread);
    if (shape.inner > 1) {
      parallel_for(shape.outer * shape.length, rows_per_thread(shape.inner), [&](Index begin, Index end) {
        for (Index run = begin; run < end; ++run) {
          const Index channel = run % shape.length, at = run * shape.inner;
          scaled(from + at, to + at, shape.inner, centre[channel], scale[channel], shift[channel]);
        }
      });
    } else {
      parallel_for(shape.outer, rows_per_thread(shape.length), [&](Index begin, Index end) {
        for (Index row = begin; row < end; ++row) {
          for (Index channel = 0; channel < shape.length; ++channel) {
            const Index at = row * shape.length + channel;
            to[at] = (from[at] - centre[channel]) * scale[channel] + shift[channel];
          }
        }
      });
    }
  }
  return y.release();
}

}  // namespace facula
