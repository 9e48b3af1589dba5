#pragma once
// Tensors and results as xtensor arrays. Optional: nothing else of the library includes this header or needs xtensor.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include "error.hpp"
#include "quote.hpp"
#include "weights/checkpoint.hpp"
#include "weights/packed_layout.hpp"
#include "weights/safetensors.hpp"

namespace distilbert {

namespace detail {

/// Whether elements of that type lie in the file as T.
template <class T> constexpr bool is_stored_as(Dtype dtype) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, std::int8_t> || std::is_same_v<T, std::uint8_t> ||
                    std::is_same_v<T, std::uint16_t>,
                "float, std::int8_t, std::uint8_t, or std::uint16_t for the bits of BF16 and F16");
  return std::is_same_v<T, float>         ? dtype == Dtype::f32
         : std::is_same_v<T, std::int8_t> ? dtype == Dtype::i8
         : sizeof(T) == 1                 ? dtype == Dtype::u8
                                          : dtype == Dtype::bf16 || dtype == Dtype::f16;
}

/// A stored weight as a float; 16 bits are a bfloat16.
struct Widen {
  float operator()(float weight) const { return weight; }
  float operator()(std::uint16_t bits) const { return bf16_to_float(bits); }
  float operator()(std::int8_t weight) const { return weight; }
};

/// Weights of the panels, stored as T, as [panels, 16, groups, group].
template <class T> xt::xtensor<float, 4> unpack_panels(const PackedLinear& linear) {
  constexpr std::size_t group = 4 / sizeof(T);
  const std::array<std::size_t, 3> stored = {linear.in / group, lanes, group};
  auto weights = xt::xtensor<float, 4>::from_shape({linear.panel_count(), lanes, stored[0], group});
  for (std::size_t p = 0; p < linear.panel_count(); ++p) {
    const auto* first = reinterpret_cast<const T*>(linear.panel(p) + panel_header_bytes(linear.precision));
    const auto panel = xt::adapt(first, linear.in * lanes, xt::no_ownership(), stored);
    xt::view(weights, p) = xt::make_lambda_xfunction(Widen(), xt::transpose(panel, {1, 0, 2}));
  }
  return weights;
}

} // namespace detail

/// A tensor of a file as an array over the file's own bytes, which must outlive it; nothing is copied. T is what the
/// file stores: float for F32, std::int8_t for I8, std::uint8_t for U8, std::uint16_t for the bits of BF16 and F16.
/// Throws unsupported_dtype for another type, and invalid_argument where the bytes do not lie at a multiple of T's
/// alignment, which the format does not promise; Checkpoint::read copes with both.
template <class T> auto as_array(const TensorView& tensor) {
  if (!detail::is_stored_as<T>(tensor.dtype))
    throw Error(ErrorCode::unsupported_dtype, detail::quote(tensor.name) + " is " + info(tensor.dtype).name);
  if (reinterpret_cast<std::uintptr_t>(tensor.data) % alignof(T) != 0)
    throw Error(ErrorCode::invalid_argument, detail::quote(tensor.name) + " is not aligned in the file");
  return xt::adapt(reinterpret_cast<const T*>(tensor.data), tensor.bytes / sizeof(T), xt::no_ownership(), tensor.shape);
}

/// Values as an array of that shape, which takes over their memory; nothing is copied. Throws wrong_shape if the number
/// of elements is another. With it the logits of texts are
///   as_array(classifier.logits(texts), {texts.size(), classifier.config().num_labels()})
inline auto as_array(std::vector<float>&& values, const std::vector<std::size_t>& shape) {
  std::size_t count = 1;
  for (const std::size_t extent : shape)
    count *= extent;
  if (count != values.size())
    throw Error(ErrorCode::wrong_shape,
                detail::shape_text(shape) + " expected, " + std::to_string(values.size()) + " values found");
  return xt::adapt(std::move(values), shape);
}

/// The weights [out, in], padding included, as the kernels understand them: int8 times the scale of its channel, and of
/// its input if there is one.
inline xt::xtensor<float, 2> unpack(const PackedLinear& linear) {
  auto weights = linear.precision == Precision::fp32   ? detail::unpack_panels<float>(linear)
                 : linear.precision == Precision::bf16 ? detail::unpack_panels<std::uint16_t>(linear)
                                                       : detail::unpack_panels<std::int8_t>(linear);
  if (linear.precision == Precision::int8) {
    for (std::size_t p = 0; p < linear.panel_count(); ++p) {
      const auto* scale = reinterpret_cast<const float*>(linear.panel(p)) + lanes; // after the bias
      const std::array<std::size_t, 3> per_channel = {lanes, 1, 1};
      xt::view(weights, p) *= xt::adapt(scale, lanes, xt::no_ownership(), per_channel);
    }
  }
  xt::xtensor<float, 2> matrix;
  matrix.resize({linear.out, linear.in});
  std::copy(weights.cbegin(), weights.cend(), matrix.begin());
  if (linear.input_scale)
    matrix *= xt::adapt(linear.input_scale, linear.in, xt::no_ownership(), std::array<std::size_t, 1>{linear.in});
  return matrix;
}

/// The table [rows, dim], columns of padding included, likewise.
inline xt::xtensor<float, 2> unpack(const PackedEmbedding& embedding) {
  const std::array<std::size_t, 2> shape = {embedding.rows, embedding.dim};
  const auto widened = [&](const auto* first) { // moved, since the adaptor would keep a reference to an lvalue
    return xt::make_lambda_xfunction(detail::Widen(),
                                     xt::adapt(std::move(first), shape[0] * shape[1], xt::no_ownership(), shape));
  };
  switch (embedding.precision) {
  case Precision::fp32: return widened(static_cast<const float*>(embedding.weight));
  case Precision::bf16: return widened(static_cast<const std::uint16_t*>(embedding.weight));
  case Precision::int8: break;
  }
  const std::array<std::size_t, 2> per_row = {embedding.rows, 1};
  return widened(static_cast<const std::int8_t*>(embedding.weight)) *
         xt::adapt(embedding.scale, embedding.rows, xt::no_ownership(), per_row);
}

} // namespace distilbert
