#pragma once
// How a product is cut into register tiles: plain loops around the tiles that each level brings.

#include <algorithm>
#include <cstddef>

#include "baseline.hpp"
#include "contract.hpp"

namespace distilbert::kernels {
inline namespace DISTILBERT_BASELINE {

/// Most rows of a tile, on every level.
inline constexpr std::size_t tile_rows = 6;

/// Rows are cut into tiles that differ by one row at most: 13 rows are 5, 4 and 4, since a tile of one row would leave
/// the multipliers waiting.
constexpr std::size_t tile_count(std::size_t rows) { return (rows + tile_rows - 1) / tile_rows; }
constexpr std::size_t tile_height(std::size_t rows, std::size_t tile) {
  return rows / tile_count(rows) + (tile < rows % tile_count(rows) ? 1 : 0);
}

/// Where a tile lies: rows from `row`, panels from `panel`, the part [first_k, last_k) of its sums. A part that does
/// not begin at 0 goes on from what is stored in y.
struct TilePlace {
  std::size_t row, panel, first_k, last_k;
};

template <class X> using Tile = void (*)(const LinearCall<X>& call, const TilePlace& place);

inline constexpr std::size_t whole_depth = ~std::size_t{0};

/// The tiles of one level by their number of rows less one.
template <class X> struct Tiles {
  std::size_t panels;        // of a wide tile
  std::size_t depth;         // most k of one part; whole_depth where sums are not cut
  Tile<X> wide[tile_rows];   // `panels` panels
  Tile<X> narrow[tile_rows]; // one panel: what is left at the right edge
};

/// Runs the whole call, panels in the outer loop: the weights, which are the larger part, pass once.
template <class X> void run_tiles(const LinearCall<X>& call, const Tiles<X>& tiles) {
  const std::size_t in = call.weights.in;
  for (std::size_t panel = call.first_panel; panel < call.last_panel;) {
    const bool wide = call.last_panel - panel >= tiles.panels;
    const Tile<X>* tile = wide ? tiles.wide : tiles.narrow;
    for (std::size_t k = 0; k < in; k += std::min(tiles.depth, in - k)) {
      const std::size_t last_k = k + std::min(tiles.depth, in - k);
      for (std::size_t row = 0, i = 0; row < call.rows; ++i) {
        const std::size_t height = tile_height(call.rows, i);
        tile[height - 1](call, {row, panel, k, last_k});
        row += height;
      }
    }
    panel += wide ? tiles.panels : 1;
  }
}

} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels
