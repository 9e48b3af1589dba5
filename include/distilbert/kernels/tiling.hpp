#pragma once
// How a product is cut into register tiles: plain loops around the tiles that each level brings.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "baseline.hpp"
#include "contract.hpp"

namespace distilbert::kernels {
inline namespace DISTILBERT_BASELINE {

/// Most rows of a tile, on every level, but for tall ones (see Tiles).
inline constexpr std::size_t tile_rows = 6;

/// Panels of the widest tile of any level: where a product is cut between threads, it is cut at multiples of these.
inline constexpr std::size_t panels_together = 4;

/// Rows are cut into tiles that differ by one row at most: 13 rows by tiles of up to six are 5, 4 and 4, since a tile
/// of one row would leave the multipliers waiting.
constexpr std::size_t tile_count(std::size_t rows, std::size_t most = tile_rows) { return (rows + most - 1) / most; }
constexpr std::size_t tile_height(std::size_t rows, std::size_t tiles, std::size_t tile) {
  return rows / tiles + (tile < rows % tiles ? 1 : 0);
}

/// Where a tile lies: rows from `row`, panels from `panel`, the part [first_k, last_k) of its sums. A part that does
/// not begin at 0 goes on from what is stored in y.
struct TilePlace {
  std::size_t row, panel, first_k, last_k;
  // Memory to fetch meanwhile, of as many panels as the tile has, `ahead_step` bytes for each 64 bytes that it
  // multiplies: the last tiles of one part of the weights together fetch the next part, so that multiplying and waiting
  // overlap.
  const unsigned char* ahead;
  std::size_t ahead_step;
};

template <class X> using Tile = void (*)(const LinearCall<X>& call, const TilePlace& place);

inline constexpr std::size_t whole_depth = ~std::size_t{0};

/// Tiles of so many panels, by their number of rows less one.
template <class X> struct TileList {
  std::size_t panels, most_rows;
  const Tile<X>* of_height;
};
template <class X, std::size_t N> constexpr TileList<X> tiles_of(std::size_t panels, const Tile<X> (&of_height)[N]) {
  return {panels, N, of_height};
}

/// The tiles of one level.
template <class X> struct Tiles {
  std::size_t depth;  // most k of one part; whole_depth where sums are not cut
  TileList<X> wide;   // of most products
  TileList<X> tall;   // of products of few rows, and of what is left at the right edge; `wide` where a level has none
  TileList<X> narrow; // one panel
};

/// Products of more than tile_rows and up to so many rows go by tall tiles, where a level has them: each weight is then
/// read once or twice instead of two to four times. Those reads come from the second-level cache, and take the places
/// that fetching needs (see most_fetching_tiles). DistilBERT-base in int8 on a Xeon of 2023, 2026-11-29, in billion
/// operations a second, by wide tiles and by tall ones: 7 rows 318 and 370, 8: 374, 418, 12: 535, 583, 16: 611, 648,
/// 18: 646, 647, 20: 644, 684, 21: 659, 666, but 22: 664, 640. In fp32 they gain nothing.
inline constexpr std::size_t few_rows = 21;

/// The last tiles of a part fetch the next part; longer parts would push out what is still needed. Many tiles share it,
/// because a core has few places for lines that are on their way (16 on Golden Cove): the products of DistilBERT-base
/// over 64 tokens on a Xeon of 2023, 2026-11-29, in billion operations a second: int8 532 without, 583 with 4 tiles,
/// 690 with 16; fp32 135 with 4, 163 with 16 and parts of 192 KB.
inline constexpr std::size_t most_fetching_tiles = 16, most_fetched_bytes = std::size_t{256} * 1024;

/// Runs the whole call, panels in the outer loop: the weights, which are the larger part, come from memory once.
template <class X> void run_tiles(const LinearCall<X>& call, const Tiles<X>& tiles) {
  const PackedLinear& weights = call.weights;
  const std::size_t rows = call.rows, bytes_of_k = lanes * element_bytes(weights.precision);
  if (rows == 0)
    return;
  const TileList<X>& usual = rows > tile_rows && rows <= few_rows ? tiles.tall : tiles.wide;
  for (std::size_t panel = call.first_panel; panel < call.last_panel;) {
    const std::size_t left = call.last_panel - panel;
    const TileList<X>& list = left >= usual.panels ? usual : left >= tiles.tall.panels ? tiles.tall : tiles.narrow;
    const std::size_t tile_total = tile_count(rows, list.most_rows);
    for (std::size_t k = 0; k < weights.in; k += std::min(tiles.depth, weights.in - k)) {
      const std::size_t last_k = k + std::min(tiles.depth, weights.in - k);
      const bool more = last_k < weights.in; // of the same panels
      const unsigned char* ahead = weights.panel(more ? panel : panel + list.panels) +
                                   panel_header_bytes(weights.precision) + (more ? last_k * bytes_of_k : 0);
      const std::size_t bytes = (last_k - k) * bytes_of_k, fetching = std::min(tile_total, most_fetching_tiles);
      const std::size_t first_fetching = list.panels * bytes <= most_fetched_bytes ? tile_total - fetching : tile_total;
      const std::size_t step = (64 + fetching - 1) / fetching; // rounded up, so that `bytes / fetching` leaves no gap
      for (std::size_t row = 0, i = 0; row < rows; ++i) {
        const std::size_t height = tile_height(rows, tile_total, i);
        const bool fetches = i >= first_fetching;
        list.of_height[height - 1](call, {row, panel, k, last_k, ahead, fetches ? step : 0});
        ahead += fetches ? bytes / fetching : 0;
        row += height;
      }
    }
    panel += list.panels;
  }
}

/// A level that differs from another in its products of bytes, or of bf16.
constexpr Kernels with_int8(Kernels level, std::string_view isa, void (*linear_int8)(const LinearCall<std::byte>&),
                            Quantization (*quantize)(const float*, const float*, std::size_t, std::byte*),
                            std::size_t quantized_bytes, void (*attention_int8)(const AttentionCall&)) {
  level.isa = isa;
  level.linear_int8 = linear_int8;
  level.quantize = quantize;
  level.quantized_bytes = quantized_bytes;
  level.attention_int8 = attention_int8;
  return level;
}
constexpr Kernels with_bf16(Kernels level, std::string_view isa, void (*linear_bf16)(const LinearCall<std::uint16_t>&),
                            void (*attention_bf16)(const AttentionCall&)) {
  level.isa = isa;
  level.linear_bf16 = linear_bf16;
  level.attention_bf16 = attention_bf16;
  return level;
}

} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels
