// Scaled dot-product attention of float32 and its gradients, a block of queries at a time: scores never leave the cache.
//
// As in Dao et al. 2022, arXiv 2205.14135: only the logarithm of each row's sum of exponentials is kept for the gradient,
// which computes the weights again. Keys and values are copied once for each head, in the order in which products read.
#include "array.h"
#include "gemm.h"
#include "softmax.h"

namespace facula {
namespace {

using gemm::Finish;
using gemm::kColumns;
using gemm::kRows;
using gemm::Matrix;

constexpr Index kItem = sizeof(float);

// What is looked at: all heads' matrices have `length` queries and `keys` keys; `groups` heads of queries share one of keys.
struct Problem {
  Index length, keys, width, value_width, groups;
  float scale;
  bool causal;
  // How many queries are treated at once, and how far rows of scores are apart.
  Index block() const { return (keys <= 1024 ? 8 : 4) * kRows; }
  Index row() const { return gemm::round_up(keys, kColumns) + kColumns; }
  // Keys that any query before `end` sees.
  Index seen(Index end) const { return causal && end < keys ? end : keys; }
  // The same for the tile of rows that query i is in, and the first tile of queries from `begin` on that sees key j.
  Index seen_by_tile(Index i) const { return seen(i / kRows * kRows + kRows); }
  Index first_tile(Index begin, Index j) const { return causal && j > begin ? (j - begin) / kRows * kRows : 0; }
};

// An array of matrices, head by head, each for `groups` heads of queries.
struct Heads {
  char* data;
  const npy_intp* shape;
  const npy_intp* strides;
  int dims;
  Index groups;
  explicit Heads(const Array& x, Index groups = 1)
      : data(x.data<char>()), shape(x.shape()), strides(x.strides()), dims(x.dims() - 2), groups(groups) {}
  char* start(Index head) const {
    char* from = data;
    head /= groups;
    for (int dim = dims - 1; dim >= 0; --dim) {
      from += head % shape[dim] * strides[dim];
      head /= shape[dim];
    }
    return from;
  }
  Matrix operator[](Index head) const {
    return {reinterpret_cast<const float*>(start(head)), strides[dims] / kItem, strides[dims + 1] / kItem};
  }
};

// A matrix to write to, whose rows are contiguous.
struct Result {
  float* data = nullptr;
  Index row = 0;
  Result(const Heads& heads, Index head) : data(reinterpret_cast<float*>(heads.start(head))), row(heads.strides[heads.dims] / kItem) {}
  float* at(Index i) const { return data + i * row; }
  void clear(Index begin, Index end, Index width) const {
    for (Index i = begin; i < end; ++i) std::memset(at(i), 0, static_cast<size_t>(width) * sizeof(float));
  }
};

// Numbers to add to the scores, or which of them count; in bytes, as NumPy has them.
struct Mask {
  const char* data = nullptr;
  Index row = 0;
  Index column = 0;
  bool boolean = false;
  void apply(Index i, Index count, float* scores) const {
    if (data == nullptr) return;
    const char* from = data + i * row;
    if (boolean) {
      for (Index j = 0; j < count; ++j) scores[j] = from[j * column] != 0 ? scores[j] : -INFINITY;
    } else if (column == kItem) {
      const float* added = reinterpret_cast<const float*>(from);
      for (Index j = 0; j < count; ++j) scores[j] += added[j];
    } else {
      for (Index j = 0; j < count; ++j) scores[j] += *reinterpret_cast<const float*>(from + j * column);
    }
  }
};

Mask mask_of(PyObject* object, Index head) {
  Mask mask;
  if (object == Py_None) return mask;
  const Array array(object);
  const Heads heads(array);
  mask.data = heads.start(head);
  mask.row = array.stride(-2);
  mask.column = array.stride(-1);
  mask.boolean = array.type() == Type::boolean;
  return mask;
}

// Copy B (k x n) into panels, one after the other.
void pack(Index n, Index k, const Matrix& b, float* to) {
  for (Index j = 0; j < n; j += kColumns) {
    const Matrix part = b.from(0, j);
    gemm::interleave<kColumns>(part.data, part.column, part.row, std::min<Index>(kColumns, n - j), k, to + j * k);
  }
}

Index packed_size(Index n, Index k) { return gemm::round_up(n, kColumns) * k + kLanes * kColumns; }

// What of a product is needed in kRows of its rows: so many columns, and these steps of the sums. The rest is not read.
struct Needed {
  Index columns, begin, end;
};

// C (m x n) = or += A (m x k) B, from B's panels of `deep` rows each, of which the first k count; `needed(i)` is of the tile
// of rows from i on.
template <class Function>
void multiply(Index m, Index n, Index k, const Matrix& a, const float* panels, Index deep, float* c, Index c_row, bool add,
              const Function& needed) {
  Index k0 = 0;
  do {
    const Index depth = std::min<Index>(256, k - k0);
    for (Index j = 0; j < n; j += kColumns) {
      const Index wide = std::min<Index>(kColumns, n - j);
      for (Index i = 0; i < m; i += kRows) {
        const Needed part = needed(i);
        const Index begin = std::max(k0, part.begin);
        const Index end = std::min(k0 + depth, part.end);
        if (j >= part.columns || begin >= end) continue;
        Finish finish;
        finish.add = add || begin > part.begin;
        Index last = 0;
        const auto run = gemm::kernel_for<false, true>(std::min<Index>(kRows, m - i), wide, last);
        run(end - begin, a.at(i, begin), a.row, a.column, panels + j * deep + begin * kColumns, kColumns, c + i * c_row + j,
            c_row, last, finish);
      }
    }
    k0 += depth;
  } while (k0 < k);
}

// exp(x) for x that is never far above 0; 0 where it would be no normal number, since those take the processor long.
ALWAYS_INLINE Floats share(Floats x) {
#if defined(__AVX512F__)
  Floats power;
  const Floats rest = exp_of_rest(x, power);
  // What is not a number is kept.
  const __mmask16 normal = _mm512_cmp_ps_mask(reinterpret_cast<__m512>(x), reinterpret_cast<__m512>(all(-87.0f)), _CMP_NLT_UQ);
  return reinterpret_cast<Floats>(
      _mm512_maskz_scalef_ps(normal, reinterpret_cast<__m512>(rest + 1.0f), reinterpret_cast<__m512>(power)));
#else
  const Ints tiny = x < -87.0f;
  const Floats power = exp_below_zero(tiny ? Floats{} : x);
  return tiny ? Floats{} : power;
#endif
}

// Apply the mask to the scores of query i, and let what is not seen be minus infinity, to the end of a whole vector. Returns
// the factor by which scores are still to be multiplied.
float finish_scores(const Problem& problem, const Mask& mask, Index i, Index seen, float* scores) {
  const Index own = problem.causal ? std::min(seen, i + 1) : seen;
  for (Index j = own, end = gemm::round_up(seen, kLanes); j < end; ++j) scores[j] = -INFINITY;
  // Minus infinity must stay what it is.
  if (mask.data == nullptr && problem.scale > 0.0f) return problem.scale;
  for (Index j = 0; j < own; ++j) scores[j] *= problem.scale;
  mask.apply(i, own, scores);
  return 1.0f;
}

float largest_score(Index seen, const float* scores) {
  Floats found[4] = {all(-INFINITY), all(-INFINITY), all(-INFINITY), all(-INFINITY)};
  Index j = 0;
  for (; j + 4 * kLanes <= seen; j += 4 * kLanes) {
    for (int part = 0; part < 4; ++part) found[part] = maximum(load(scores + j + part * kLanes), found[part]);
  }
  for (; j < seen; j += kLanes) found[0] = maximum(load(scores + j), found[0]);
  return largest_across(maximum(maximum(found[0], found[1]), maximum(found[2], found[3])));
}

// exp(score * factor - shift) in place of each score; their sum.
float exponentials(Index seen, float* scores, float factor, float shift) {
  Floats sums[2] = {};
  Index j = 0;
  for (; j + 2 * kLanes <= seen; j += 2 * kLanes) {
    for (int part = 0; part < 2; ++part) {
      const Floats value = share(load(scores + j + part * kLanes) * factor - shift);
      store(scores + j + part * kLanes, value);
      sums[part] += value;
    }
  }
  for (; j < seen; j += kLanes) {
    const Floats value = share(load(scores + j) * factor - shift);
    store(scores + j, value);
    sums[0] += value;
  }
  return sum_across(sums[0] + sums[1]);
}

// Sums of products of a row with `rows` others, `apart` from each other.
template <int rows>
ALWAYS_INLINE void products(const float* x, const float* others, Index apart, Index count, float* to) {
  Floats sums[rows] = {};
  Index j = 0;
  for (; j + kLanes <= count; j += kLanes) {
    const Floats left = load(x + j);
    for (int row = 0; row < rows; ++row) sums[row] += left * load(others + row * apart + j);
  }
  if (j < count) {
    const Floats left = load_filled(x + j, count - j, 0.0f);
    for (int row = 0; row < rows; ++row) sums[row] += left * load_filled(others + row * apart + j, count - j, 0.0f);
  }
  for (int row = 0; row < rows; ++row) to[row] = sum_across(sums[row]);
}

// to = the sum of rows of x, each times its factor.
template <int vectors>
ALWAYS_INLINE void weighted_rows(const float* factors, const float* x, Index apart, Index rows, Index last, float scale, float* to) {
  Floats sums[vectors] = {};
  for (Index row = 0; row < rows; ++row) {
    for (int at = 0; at < vectors; ++at) {
      const float* from = x + row * apart + at * kLanes;
      sums[at] += factors[row] * (at + 1 < vectors || last == kLanes ? load(from) : load_filled(from, last, 0.0f));
    }
  }
  for (int at = 0; at < vectors; ++at) store_first(to + at * kLanes, sums[at] * scale, at + 1 < vectors ? Index{kLanes} : last);
}

// A few queries, for which copies of keys and values would take longer than all the rest: these are read where they lie.
constexpr Index kFewQueries = 4;

bool is_read_in_place(const Problem& problem, const Matrix& query, const Matrix& key, const Matrix& value) {
  return problem.length <= kFewQueries && query.column == 1 && key.column == 1 && value.column == 1;
}

bool forward_in_place(const Problem& problem, const Matrix& query, const Matrix& key, const Matrix& value, const Mask& mask,
                      const float* noise, const Result& out, float* logsumexp) {
  float* scores = scratch<float>(Purpose::accumulated, static_cast<size_t>(problem.row()));
  if (scores == nullptr) return false;
  for (Index i = 0; i < problem.length; ++i) {
    const Index seen = problem.seen(i + 1);
    Index j = 0;
    for (; j + 4 <= seen; j += 4) products<4>(query.at(i, 0), key.at(j, 0), key.row, problem.width, scores + j);
    for (; j < seen; ++j) products<1>(query.at(i, 0), key.at(j, 0), key.row, problem.width, scores + j);
    const float factor = finish_scores(problem, mask, i, seen, scores);
    const float most = largest_score(seen, scores) * factor;
    const float shift = most == -INFINITY ? 0.0f : most;
    const float sum = exponentials(seen, scores, factor, shift);
    logsumexp[i] = sum == 0.0f ? INFINITY : shift + std::log(sum);
    if (noise != nullptr) {
      for (j = 0; j < seen; ++j) scores[j] *= noise[i * problem.keys + j];
    }
    const float share_of_each = sum == 0.0f ? 0.0f : 1.0f / sum;
    for (Index from = 0; from < problem.value_width;) {
      const Index rest = problem.value_width - from;
      if (rest >= 4 * kLanes) {
        weighted_rows<4>(scores, value.at(0, from), value.row, seen, kLanes, share_of_each, out.at(i) + from);
        from += 4 * kLanes;
      } else {
        weighted_rows<1>(scores, value.at(0, from), value.row, seen, std::min<Index>(kLanes, rest), share_of_each, out.at(i) + from);
        from += kLanes;
      }
    }
  }
  return true;
}

bool forward(const Problem& problem, const Matrix& query, const Matrix& key, const Matrix& value, const Mask& mask,
             const float* noise, Index begin, Index end, const Result& out, float* logsumexp) {
  if (is_read_in_place(problem, query, key, value)) return forward_in_place(problem, query, key, value, mask, noise, out, logsumexp);
  const Index most_seen = problem.seen(end);
  const Index keys_size = packed_size(most_seen, problem.width);
  float* packed = scratch<float>(Purpose::right_panels,
                                 static_cast<size_t>(keys_size + packed_size(problem.value_width, most_seen)));
  float* scores = scratch<float>(Purpose::accumulated, static_cast<size_t>(problem.block() * problem.row()));
  if (packed == nullptr || scores == nullptr) return false;
  float* values = packed + keys_size;
  pack(most_seen, problem.width, {key.data, key.column, key.row}, packed);
  pack(problem.value_width, most_seen, value, values);
  for (Index i0 = begin; i0 < end; i0 += problem.block()) {
    const Index rows = std::min(problem.block(), end - i0);
    const Index seen = problem.seen(i0 + rows);
    multiply(rows, seen, problem.width, query.from(i0, 0), packed, problem.width, scores, problem.row(), false,
             [&](Index i) { return Needed{problem.seen_by_tile(i0 + i), 0, problem.width}; });
    float sums[8 * kRows + kLanes] = {}, shifts[8 * kRows + kLanes] = {};
    for (Index i = 0; i < rows; ++i) {
      float* own = scores + i * problem.row();
      const Index near = problem.seen_by_tile(i0 + i);
      const float factor = finish_scores(problem, mask, i0 + i, near, own);
      const float most = largest_score(near, own) * factor;
      shifts[i] = most == -INFINITY ? 0.0f : most;
      sums[i] = exponentials(near, own, factor, shifts[i]);
      if (noise != nullptr) {
        const float* factors = noise + (i0 + i) * problem.keys;
        for (Index j = 0; j < near; ++j) own[j] *= factors[j];
      }
    }
    for (Index i = 0; i < rows; i += kLanes) {
      // Of a row where nothing takes part the logarithm is infinite, so that its weights are 0 when computed again.
      const Floats sum = load(sums + i);
      store_first(logsumexp + i0 + i, sum == 0.0f ? all(INFINITY) : load(shifts + i) + log(sum), std::min<Index>(kLanes, rows - i));
    }
    multiply(rows, problem.value_width, seen, {scores, problem.row(), 1}, values, most_seen, out.at(i0), out.row, false,
             [&](Index i) { return Needed{problem.value_width, 0, problem.seen_by_tile(i0 + i)}; });
    for (Index i = 0; i < rows; ++i) {
      const float factor = sums[i] == 0.0f ? 0.0f : 1.0f / sums[i];
      float* to = out.at(i0 + i);
      for (Index j = 0; j < problem.value_width; ++j) to[j] *= factor;
    }
  }
  return true;
}

// The sum of products of two first rows.
float product_of_rows(const Matrix& x, const Matrix& y, Index count) {
  Floats sums = {};
  Index j = 0;
  if (x.column == 1 && y.column == 1) {
    for (; j + kLanes <= count; j += kLanes) sums += load(x.data + j) * load(y.data + j);
  }
  float sum = sum_across(sums);
  for (; j < count; ++j) sum += *x.at(0, j) * *y.at(0, j);
  return sum;
}

// What the gradient of one head reads and writes; what other heads gave for its keys stays there, if there are such.
struct Backward {
  Matrix query, key, value, slope, out;
  const float *noise, *logsumexp;
  Result query_slope, key_slope, value_slope;
  bool adds;
};

bool backward(const Problem& problem, const Backward& at, const Mask& mask) {
  const Index keys = problem.keys, width = problem.width, value_width = problem.value_width;
  const Index block = problem.block();
  const Index sizes[5] = {packed_size(keys, width), packed_size(keys, value_width), packed_size(width, keys),
                          packed_size(width, block), packed_size(value_width, block)};
  Index total_size = 0;
  for (Index each : sizes) total_size += each;
  float* packed = scratch<float>(Purpose::right_panels, static_cast<size_t>(total_size));
  float* weights = scratch<float>(Purpose::accumulated, static_cast<size_t>(2 * block * problem.row()));
  if (packed == nullptr || weights == nullptr) return false;
  float* slopes = weights + block * problem.row();
  float* keys_turned = packed;
  float* values_turned = keys_turned + sizes[0];
  float* keys_packed = values_turned + sizes[1];
  float* queries_packed = keys_packed + sizes[2];
  float* received_packed = queries_packed + sizes[3];
  pack(keys, width, {at.key.data, at.key.column, at.key.row}, keys_turned);
  pack(keys, value_width, {at.value.data, at.value.column, at.value.row}, values_turned);
  pack(width, keys, at.key, keys_packed);
  if (!at.adds) {
    at.key_slope.clear(0, keys, width);
    at.value_slope.clear(0, keys, value_width);
  }
  for (Index i0 = 0; i0 < problem.length; i0 += block) {
    const Index rows = std::min(block, problem.length - i0);
    const Index seen = problem.seen(i0 + rows);
    multiply(rows, seen, width, at.query.from(i0, 0), keys_turned, width, weights, problem.row(), false,
             [&](Index i) { return Needed{problem.seen_by_tile(i0 + i), 0, width}; });
    multiply(rows, seen, value_width, at.slope.from(i0, 0), values_turned, value_width, slopes, problem.row(), false,
             [&](Index i) { return Needed{problem.seen_by_tile(i0 + i), 0, value_width}; });
    for (Index i = 0; i < rows; ++i) {
      float* own = weights + i * problem.row();
      float* own_slopes = slopes + i * problem.row();
      const Index near = problem.seen_by_tile(i0 + i);
      const float factor = finish_scores(problem, mask, i0 + i, near, own);
      const float along = product_of_rows(at.slope.from(i0 + i, 0), at.out.from(i0 + i, 0), value_width);
      const float shift = at.logsumexp[i0 + i];
      const float* noise = at.noise == nullptr ? nullptr : at.noise + (i0 + i) * keys;
      for (Index j = 0; j < near && noise == nullptr; j += kLanes) {
        const Floats weight = share(load(own + j) * factor - shift);
        store(own + j, weight);
        store(own_slopes + j, weight * problem.scale * (load(own_slopes + j) - along));
      }
      for (Index j = 0; j < near && noise != nullptr; j += kLanes) {
        const Floats weight = share(load(own + j) * factor - shift);
        const Floats kept = load_filled(noise + j, std::min<Index>(kLanes, keys - j), 0.0f);
        store(own + j, weight * kept);
        store(own_slopes + j, weight * problem.scale * (load(own_slopes + j) * kept - along));
      }
    }
    pack(width, rows, at.query.from(i0, 0), queries_packed);
    pack(value_width, rows, at.slope.from(i0, 0), received_packed);
    multiply(rows, width, seen, {slopes, problem.row(), 1}, keys_packed, keys, at.query_slope.at(i0), at.query_slope.row,
             false, [&](Index i) { return Needed{width, 0, problem.seen_by_tile(i0 + i)}; });
    multiply(seen, width, rows, {slopes, 1, problem.row()}, queries_packed, rows, at.key_slope.data, at.key_slope.row, true,
             [&](Index j) { return Needed{width, problem.first_tile(i0, j), rows}; });
    multiply(seen, value_width, rows, {weights, 1, problem.row()}, received_packed, rows, at.value_slope.data,
             at.value_slope.row, true, [&](Index j) { return Needed{value_width, problem.first_tile(i0, j), rows}; });
  }
  return true;
}

bool is_usable(PyObject* object, int dims) {
  if (!is_array(object)) return false;
  const Array x(object);
  if (x.type() != Type::float32 || x.dims() != dims) return false;
  for (int dim = 0; dim < dims; ++dim) {
    if (x.stride(dim) % kItem != 0) return false;
  }
  return true;
}

// Whether an array can be written to as heads of matrices of these sizes, whose rows are contiguous.
bool is_result(PyObject* object, const Array& like, Index rows, Index width) {
  if (!is_usable(object, like.dims()) || !PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(object))) return false;
  const Array x(object);
  if (x.shape(-2) != rows || x.shape(-1) != width || (x.stride(-1) != kItem && width > 1)) return false;
  return std::equal(x.shape(), x.shape() + x.dims() - 2, like.shape());
}

// Read (query, key, value, mask, noise, causal, scale) into a problem; false where it is not one for these kernels.
bool read(PyObject* const* args, Problem& problem, Index& heads) {
  if (!is_array(args[0])) return false;
  const Array query(args[0]);
  const int dims = query.dims();
  if (dims < 2 || !is_usable(args[0], dims) || !is_usable(args[1], dims) || !is_usable(args[2], dims)) return false;
  const Array key(args[1]);
  const Array value(args[2]);
  heads = 1;
  problem = {query.shape(-2), key.shape(-2), query.shape(-1), value.shape(-1), 1, 0.0f, args[5] == Py_True};
  if (query.size() == 0 || key.size() == 0 || value.size() == 0) return false;
  for (int dim = 0; dim < dims - 2; ++dim) {
    if (value.shape(dim) != key.shape(dim)) return false;
    if (key.shape(dim) != query.shape(dim)) {
      if (dim != dims - 3 || query.shape(dim) % key.shape(dim) != 0) return false;
      problem.groups = query.shape(dim) / key.shape(dim);
    }
    heads *= query.shape(dim);
  }
  if (key.shape(-1) != problem.width || value.shape(-2) != problem.keys) return false;
  for (int at : {3, 4}) {
    if (args[at] == Py_None) continue;
    // Brought to the shape of the scores by the caller, which costs no memory.
    if (!is_array(args[at])) return false;
    const Array mask(args[at]);
    if (mask.dims() != dims || (mask.type() != Type::float32 && (at == 4 || mask.type() != Type::boolean))) return false;
    if (at == 4 && !mask.contiguous()) return false;
    if (!std::equal(mask.shape(), mask.shape() + dims - 2, query.shape())) return false;
    if (mask.shape(-2) != problem.length || mask.shape(-1) != problem.keys) return false;
  }
  problem.scale = static_cast<float>(PyFloat_AsDouble(args[6]));
  return !PyErr_Occurred();
}

const float* noise_of(PyObject* object, const Problem& problem, Index head) {
  return object == Py_None ? nullptr : Array(object).data<float>() + head * problem.length * problem.keys;
}

}  // namespace

KERNEL(attention,
       "attention(query, key, value, mask, noise, causal, scale, out): each row's log of summed exponentials; the result is "
       "written to out") {
  Problem problem;
  Index heads = 0;
  if (count != 8 || !read(args, problem, heads)) return PyErr_Occurred() ? nullptr : declined();
  const Array query(args[0]), key(args[1]), value(args[2]), out(args[7]);
  if (!is_result(args[7], query, problem.length, problem.value_width)) return declined();
  Array logsumexp = Array::empty(query.dims() - 1, query.shape(), Type::float32);
  if (!logsumexp) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    const Heads queries(query), keys(key, problem.groups), values(value, problem.groups), outs(out);
    // Few heads are divided, in blocks of queries.
    const Index blocks = (problem.length + problem.block() - 1) / problem.block();
    const Index parts = heads >= 4 * threads() ? 1 : std::min<Index>(blocks, 4);
    const auto task = [&](Index number) {
      const Index head = number / parts;
      const Index part = number % parts;
      const Index begin = blocks * part / parts * problem.block();
      const Index end = std::min(problem.length, blocks * (part + 1) / parts * problem.block());
      const bool fine = forward(problem, queries[head], keys[head], values[head], mask_of(args[3], head),
                                noise_of(args[4], problem, head), begin, end, Result(outs, head),
                                logsumexp.data<float>() + head * problem.length);
      if (!fine) done = false;
    };
    if (heads * problem.length * problem.keys * problem.width > 32768) {
      parallel_tasks(heads * parts, task);
    } else {
      for (Index number = 0; number < heads * parts; ++number) task(number);
    }
  }
  if (!done) return PyErr_NoMemory();
  return logsumexp.release();
}

KERNEL(attention_gradient,
       "attention_gradient(query, key, value, mask, noise, causal, scale, g, out, logsumexp, query_slope, key_slope, value_slope): "
       "of query, key and value, written to the last three") {
  Problem problem;
  Index heads = 0;
  if (count != 13 || !read(args, problem, heads)) return PyErr_Occurred() ? nullptr : declined();
  const Array query(args[0]), key(args[1]), value(args[2]);
  if (!is_usable(args[7], query.dims()) || !is_usable(args[8], query.dims()) || !is_usable(args[9], query.dims() - 1) ||
      !is_result(args[10], query, problem.length, problem.width) || !is_result(args[11], key, problem.keys, problem.width) ||
      !is_result(args[12], value, problem.keys, problem.value_width)) {
    return declined();
  }
  const Array slope(args[7]), out(args[8]), logsumexp(args[9]), query_slope(args[10]), key_slope(args[11]), value_slope(args[12]);
  if (!logsumexp.contiguous()) return declined();
  bool done = true;
  {
    WithoutGil unlocked;
    const Heads queries(query), keys(key, problem.groups), values(value, problem.groups), slopes(slope), outs(out);
    const Heads query_slopes(query_slope), key_slopes(key_slope, problem.groups), value_slopes(value_slope, problem.groups);
    const auto task = [&](Index group) {
      // Heads of queries that share keys add up their gradients in this order.
      for (Index head = group * problem.groups; head < (group + 1) * problem.groups; ++head) {
        const Backward at = {queries[head],
                             keys[head],
                             values[head],
                             slopes[head],
                             outs[head],
                             noise_of(args[4], problem, head),
                             logsumexp.data<float>() + head * problem.length,
                             Result(query_slopes, head),
                             Result(key_slopes, head),
                             Result(value_slopes, head),
                             head % problem.groups != 0};
        if (!backward(problem, at, mask_of(args[3], head))) done = false;
      }
    };
    const Index tasks = heads / problem.groups;
    if (heads * problem.length * problem.keys * problem.width > 32768) {
      parallel_tasks(tasks, task);
    } else {
      for (Index group = 0; group < tasks; ++group) task(group);
    }
  }
  if (!done) return PyErr_NoMemory();
  Py_RETURN_NONE;
}

}  // namespace facula
