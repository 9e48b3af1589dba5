#pragma once
// The portable level: every kernel in plain Eigen, for any CPU. All other levels are tested against it, so it says
// plainly what the numbers are. contract.hpp holds the manual of each operation.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../bf16.hpp"
#include "contract.hpp"
#include "lane_math.hpp"
#include "packed_attention.hpp"

namespace distilbert::kernels {
inline namespace DISTILBERT_BASELINE {

inline float to_float(float x) { return x; }
inline float to_float(std::int8_t x) { return static_cast<float>(x); }
inline float to_float(std::int16_t x) { return static_cast<float>(x); }
inline float to_float(std::uint16_t bf16) { return bf16_to_float(bf16); }

/// y[r][0..16) += sum over k of x[r][k] * w[k][0..16), for R rows. Two rows keep 16 SSE registers busy; more spill.
template <int R, class X>
void accumulate(const X* x, std::size_t x_stride, const float* w, std::size_t w_stride, std::size_t depth, float* y,
                std::size_t y_stride) {
  Eigen::Matrix<float, int{lanes}, R, Eigen::DontAlign> sum;
  for (int r = 0; r < R; ++r)
    sum.col(r) = lanes_at<float>(y + std::size_t(r) * y_stride).matrix();
  for (std::size_t k = 0; k < depth; ++k) {
    Eigen::Matrix<float, 1, R, Eigen::RowMajor | Eigen::DontAlign> xk;
    for (int r = 0; r < R; ++r)
      xk[r] = to_float(x[std::size_t(r) * x_stride + k]);
    sum.noalias() += lanes_at(w + k * w_stride).matrix() * xk;
  }
  for (int r = 0; r < R; ++r)
    lanes_at(y + std::size_t(r) * y_stride) = sum.col(r).array();
}

template <class X>
void accumulate_rows(std::size_t rows, const X* x, std::size_t x_stride, const float* w, std::size_t w_stride,
                     std::size_t depth, float* y, std::size_t y_stride) {
  std::size_t r = 0;
  for (; r + 2 <= rows; r += 2)
    accumulate<2>(x + r * x_stride, x_stride, w, w_stride, depth, y + r * y_stride, y_stride);
  if (r < rows)
    accumulate<1>(x + r * x_stride, x_stride, w, w_stride, depth, y + r * y_stride, y_stride);
}

template <Precision precision> F apply(Epilogue epilogue, const F& x) {
  switch (epilogue) {
  case Epilogue::gelu: return precision == Precision::fp32 ? lane_gelu(x) : lane_rough_gelu(x);
  case Epilogue::relu: return (x < 0.0f).select(F::Zero(), x);
  case Epilogue::tanh: return lane_tanh(x);
  case Epilogue::none: break;
  }
  return x;
}

/// A panel's weights are widened in blocks of this many k; the sum of that many int8 products is exact in fp32
/// (512 * 254 * 127 < 2^24), which is how this level gets exact integer sums out of a float product.
inline constexpr std::size_t block_depth = 512;
inline constexpr std::size_t block_rows = 64;

/// k-th weights of all 16 channels, as floats: w[k][16] of `depth` consecutive k from `first`, a multiple of 4
inline void widen(const std::uint16_t* panel, std::size_t first, std::size_t depth, float* w) {
  for (std::size_t k = first; k < first + depth; ++k)
    for (std::size_t c = 0; c < lanes; ++c)
      *w++ = to_float(panel[(k / 2 * lanes + c) * 2 + k % 2]);
}
inline void widen(const std::int8_t* panel, std::size_t first, std::size_t depth, float* w) {
  for (std::size_t k = first; k < first + depth; ++k)
    for (std::size_t c = 0; c < lanes; ++c)
      *w++ = to_float(panel[(k / 4 * lanes + c) * 4 + k % 4]);
}

inline void linear_fp32(const LinearCall<float>& call) {
  for (std::size_t p = call.first_panel; p < call.last_panel; ++p) {
    const auto* bias = reinterpret_cast<const float*>(call.weights.panel(p));
    float* y = call.y + p * lanes;
    for (std::size_t r = 0; r < call.rows; ++r)
      lanes_at(y + r * call.y_stride) = lanes_at(bias);
    accumulate_rows(call.rows, call.x, call.x_stride, bias + lanes, lanes, call.weights.in, y, call.y_stride);
    for (std::size_t r = 0; r < call.rows; ++r)
      lanes_at(y + r * call.y_stride) = apply<Precision::fp32>(call.epilogue, lanes_at(y + r * call.y_stride));
  }
}

inline void linear_bf16(const LinearCall<std::uint16_t>& call) {
  float w[block_depth * lanes];
  for (std::size_t p = call.first_panel; p < call.last_panel; ++p) {
    const auto* bias = reinterpret_cast<const float*>(call.weights.panel(p));
    const auto* panel = reinterpret_cast<const std::uint16_t*>(bias + lanes);
    float* y = call.y + p * lanes;
    for (std::size_t r = 0; r < call.rows; ++r)
      lanes_at(y + r * call.y_stride) = lanes_at(bias);
    for (std::size_t k = 0; k < call.weights.in; k += block_depth) {
      const std::size_t depth = std::min(block_depth, call.weights.in - k);
      widen(panel, k, depth, w);
      accumulate_rows(call.rows, call.x + k, call.x_stride, w, lanes, depth, y, call.y_stride);
    }
    for (std::size_t r = 0; r < call.rows; ++r)
      lanes_at(y + r * call.y_stride) = apply<Precision::bf16>(call.epilogue, lanes_at(y + r * call.y_stride));
  }
}

inline void linear_int8(const LinearCall<std::byte>& call) {
  float w[block_depth * lanes], partial[block_rows * lanes];
  std::int32_t sum[block_rows * lanes];
  const auto* x = reinterpret_cast<const std::int16_t*>(call.x);
  for (std::size_t p = call.first_panel; p < call.last_panel; ++p) {
    const auto* bias = reinterpret_cast<const float*>(call.weights.panel(p));
    const float* scale = bias + lanes;
    const auto* panel = reinterpret_cast<const std::int8_t*>(bias + 3 * lanes);
    for (std::size_t first = 0; first < call.rows; first += block_rows) {
      const std::size_t rows = std::min(block_rows, call.rows - first);
      std::fill_n(sum, rows * lanes, 0);
      for (std::size_t k = 0; k < call.weights.in; k += block_depth) {
        const std::size_t depth = std::min(block_depth, call.weights.in - k);
        widen(panel, k, depth, w);
        std::fill_n(partial, rows * lanes, 0.0f);
        accumulate_rows(rows, x + first * call.x_stride + k, call.x_stride, w, lanes, depth, partial, lanes);
        for (std::size_t i = 0; i < rows * lanes; ++i)
          sum[i] += static_cast<std::int32_t>(partial[i]);
      }
      for (std::size_t r = 0; r < rows; ++r) {
        const float x_scale = call.x_quantization[first + r].scale;
        const F y = lanes_at(sum + r * lanes).cast<float>() * (lanes_at(scale) * x_scale) + lanes_at(bias);
        lanes_at(call.y + (first + r) * call.y_stride + p * lanes) = apply<Precision::int8>(call.epilogue, y);
      }
    }
  }
}

inline void linear_transposed(const TransposedCall& call) {
  const PackedLinear& weights = call.weights;
  float w[4 * lanes];
  for (std::size_t r = 0; r < call.rows; ++r) {
    float* y = call.y + r * call.y_stride;
    std::fill_n(y, weights.in, 0.0f);
    for (std::size_t p = call.first_panel; p < call.last_panel; ++p) {
      const unsigned char* panel = weights.panel(p);
      F x = lanes_at(call.x + r * call.x_stride + (p - call.first_panel) * lanes);
      if (weights.precision == Precision::int8)
        x *= lanes_at(reinterpret_cast<const float*>(panel) + lanes);
      panel += panel_header_bytes(weights.precision);
      for (std::size_t k = 0; k < weights.in; k += 4) {
        switch (weights.precision) {
        case Precision::fp32: std::memcpy(w, panel + k * lanes * sizeof(float), sizeof w); break;
        case Precision::bf16: widen(reinterpret_cast<const std::uint16_t*>(panel), k, 4, w); break;
        case Precision::int8: widen(reinterpret_cast<const std::int8_t*>(panel), k, 4, w); break;
        }
        for (std::size_t i = 0; i < 4; ++i)
          y[k + i] += fold_sum(lanes_at(w + i * lanes) * x);
      }
    }
  }
}

inline void round_to_bf16(const float* x, std::size_t count, std::uint16_t* y) {
  std::transform(x, x + count, y, to_bf16);
}

inline Quantization quantize(const float* x, const float* input_scale, std::size_t count, std::byte* y) {
  const auto row = [&](std::size_t i) -> F {
    return input_scale ? F(lanes_at(x + i) * lanes_at(input_scale + i)) : F(lanes_at(x + i));
  };
  F largest = F::Zero(), least = F::Zero(), not_finite = F::Zero();
  for (std::size_t i = 0; i < count; i += lanes) {
    const F xi = row(i);
    largest = largest.max(xi);
    least = least.min(xi);
    not_finite += xi * 0.0f;
  }
  const float half = 0.5f * fold_max(largest) + 0.5f * fold_max(-least); // the sum itself may overflow
  auto* q = reinterpret_cast<std::int16_t*>(y);
  if (fold_sum(not_finite) != 0.0f || half < 1e-30f) {
    std::fill_n(q, count, std::int16_t{0});
    return {fold_sum(not_finite), 0};
  }
  const float inverse = 127.0f / half;
  for (std::size_t i = 0; i < count; i += lanes)
    lanes_at(q + i) = (row(i) * inverse).rint().cast<std::int16_t>();
  return {half / 127.0f, 0};
}

/// The largest of x, which has its first number in the padding on return. It need not notice a NaN.
inline float largest_of(float* x, std::size_t count) {
  std::fill(x + count, x + padded(count), x[0]);
  F largest = lanes_at(x);
  for (std::size_t i = lanes; i < count; i += lanes)
    largest = largest.max(lanes_at(x + i));
  return fold_max(largest);
}

/// Replaces x by e^(x - max x), zero in its padding, and returns the sum: NaN for a row that is not finite.
inline float exponentials(float* x, std::size_t count) {
  const float bound = largest_of(x, count);
  F sum = F::Zero(), not_finite = F::Zero();
  for (std::size_t i = 0; i < count; i += lanes) {
    const F xi = lanes_at(x + i);
    F e = lane_exp(xi - bound);
    if (i + lanes >= count)
      e *= lanes_at(first_lanes + (padded(count) - count));
    lanes_at(x + i) = e;
    sum += e;
    not_finite += xi * 0.0f;
  }
  return fold_sum(sum + not_finite);
}

inline void softmax(float* x, std::size_t count) {
  const float inverse = 1.0f / exponentials(x, count);
  for (std::size_t i = 0; i < count; i += lanes)
    lanes_at(x + i) *= inverse;
}

inline void sigmoid(float* x, std::size_t count) {
  for (std::size_t i = 0; i < count; i += lanes)
    lanes_at(x + i) = lane_sigmoid(lanes_at(x + i));
}

inline void attention(const AttentionCall& call) {
  const std::size_t columns = padded(call.length);
  float* keys = call.scratch;                     // K transposed, in panels of 16 keys: [columns / 16][head_dim][16]
  float* scores = keys + columns * call.head_dim; // [block][columns]
  constexpr std::size_t block = lanes;
  for (std::size_t j = 0; j < columns; ++j)
    for (std::size_t d = 0; d < call.head_dim; ++d)
      keys[(j / lanes * call.head_dim + d) * lanes + j % lanes] = j < call.length ? call.k[j * call.stride + d] : 0.0f;
  for (std::size_t i = 0; i < call.queries; i += block) {
    const std::size_t rows = std::min(block, call.queries - i);
    std::fill_n(scores, rows * columns, 0.0f);
    for (std::size_t j = 0; j < columns; j += lanes)
      accumulate_rows(rows, call.q + i * call.q_stride, call.q_stride, keys + j * call.head_dim, lanes, call.head_dim,
                      scores + j, columns);
    for (std::size_t r = 0; r < rows; ++r)
      softmax(scores + r * columns, call.length);
    for (std::size_t d = 0; d < call.head_dim; d += lanes) {
      float* context = call.context + i * call.context_stride + d;
      for (std::size_t r = 0; r < rows; ++r)
        lanes_at(context + r * call.context_stride).setZero();
      accumulate_rows(rows, scores, columns, call.v + d, call.stride, call.length, context, call.context_stride);
    }
  }
}

/// Quantises x[0], x[stride], ... x[(count - 1) * stride] as channel c of a panel, which is zero so far.
inline void quantize_channel(const float* x, std::size_t stride, std::size_t count, unsigned char* panel,
                             std::size_t c) {
  float largest = 0, not_finite = 0;
  for (std::size_t k = 0; k < count; ++k) {
    largest = std::max(largest, std::fabs(x[k * stride]));
    not_finite += x[k * stride] * 0.0f;
  }
  auto* scale = reinterpret_cast<float*>(panel) + lanes;
  if (not_finite != 0.0f || largest < 1e-30f) {
    scale[c] = not_finite;
    return;
  }
  scale[c] = largest / 127.0f;
  const float inverse = 127.0f / largest;
  for (std::size_t k = 0; k < count; ++k)
    panel[panel_header_bytes(Precision::int8) + (k / 4 * lanes + c) * 4 + k % 4] =
        static_cast<unsigned char>(std::lrint(x[k * stride] * inverse));
}

struct Int8Attention {
  static constexpr Precision precision = Precision::int8;
  using Activation = std::byte;
  static constexpr std::size_t activation_bytes = 2;

  static void linear(const LinearCall<std::byte>& call) { linear_int8(call); }

  static void pack_keys(const AttentionCall& call, std::size_t p, float*, unsigned char* panel) {
    std::memset(panel, 0, panel_bytes(precision, call.head_dim));
    for (std::size_t j = p * lanes; j < std::min((p + 1) * lanes, call.length); ++j)
      quantize_channel(call.k + j * call.stride, 1, call.head_dim, panel, j % lanes);
  }

  static void pack_values(const AttentionCall& call, std::size_t p, unsigned char* panel) {
    std::memset(panel, 0, panel_bytes(precision, padded(call.length)));
    for (std::size_t d = 0; d < lanes; ++d)
      quantize_channel(call.v + p * lanes + d, call.stride, call.length, panel, d);
  }

  static Quantization encode(const float* x, std::size_t count, std::byte* y) { return quantize(x, nullptr, count, y); }

  static Quantization encode_softmax(float* scores, std::size_t count, std::byte* y) {
    const float bound = largest_of(scores, count);
    F sum = F::Zero(), not_finite = F::Zero();
    for (std::size_t i = 0; i < count; i += lanes) {
      const F score = lanes_at(scores + i);
      F e = lane_rough_exp((score - bound).min(0.0f)); // above 0 only beside a NaN
      if (i + lanes >= count)
        e *= lanes_at(first_lanes + (padded(count) - count));
      lanes_at(reinterpret_cast<std::int16_t*>(y) + i) =
          e.isNaN().select(F::Zero(), e * 254.0f).rint().cast<std::int16_t>();
      sum += e;
      not_finite += score * 0.0f;
    }
    return {1.0f / (254.0f * fold_sum(sum + not_finite)), 0};
  }
};

inline void layer_norm(const LayerNormCall& call) {
  const std::size_t columns = padded(call.norm.dim);
  const float dim = static_cast<float>(call.norm.dim);
  const F last_lanes = lanes_at(first_lanes + (columns - call.norm.dim));
  for (std::size_t r = 0; r < call.rows; ++r) {
    const float* x = call.x + r * call.stride;
    float* y = call.y + r * call.stride;
    F sum = F::Zero();
    for (std::size_t c = 0; c < columns; c += lanes) {
      F both = lanes_at(x + c);
      if (call.residual)
        both += lanes_at(call.residual + r * call.stride + c);
      lanes_at(y + c) = both;
      sum += both;
    }
    const float mean = fold_sum(sum) / dim;
    F squares = F::Zero();
    for (std::size_t c = 0; c < columns; c += lanes) {
      F centred = lanes_at(y + c) - mean;
      if (c + lanes == columns)
        centred *= last_lanes;
      lanes_at(y + c) = centred;
      squares += centred * centred;
    }
    const float inverse = 1.0f / std::sqrt(fold_sum(squares) / dim + call.epsilon);
    for (std::size_t c = 0; c < columns; c += lanes)
      lanes_at(y + c) = lanes_at(y + c) * inverse * lanes_at(call.norm.weight + c) + lanes_at(call.norm.bias + c);
  }
}

/// Sixteen columns of a row of an embedding table, from column c.
inline F embedding_lanes(const PackedEmbedding& table, std::size_t row, std::size_t c) {
  const std::size_t at = row * table.dim + c;
  switch (table.precision) {
  case Precision::fp32: return lanes_at(static_cast<const float*>(table.weight) + at);
  case Precision::bf16: {
    const auto* w = static_cast<const std::uint16_t*>(table.weight) + at;
    F wide;
    for (std::size_t i = 0; i < lanes; ++i)
      wide[static_cast<Eigen::Index>(i)] = to_float(w[i]);
    return wide;
  }
  case Precision::int8: break;
  }
  return lanes_at(static_cast<const std::int8_t*>(table.weight) + at).cast<float>() * table.scale[row];
}

inline void embed(const EmbedCall& call) {
  for (std::size_t i = 0; i < call.count; ++i)
    for (std::size_t c = 0; c < call.words.dim; c += lanes)
      lanes_at(call.y + i * call.y_stride + c) = embedding_lanes(call.words, static_cast<std::size_t>(call.ids[i]), c) +
                                                 embedding_lanes(call.positions, call.first_position + i, c);
}

inline constexpr Kernels portable{"portable",
                                  linear_fp32,
                                  linear_bf16,
                                  linear_int8,
                                  linear_transposed,
                                  round_to_bf16,
                                  quantize,
                                  2,
                                  attention,
                                  attention,
                                  packed_attention<Int8Attention>,
                                  layer_norm,
                                  embed,
                                  softmax,
                                  sigmoid};

} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels
