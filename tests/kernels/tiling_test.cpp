// How products are cut into tiles, with tiles that only write down where they lie.
#include <cstddef>
#include <set>
#include <vector>

#include <distilbert/kernels/tiling.hpp>
#include <doctest/doctest.h>

using namespace distilbert;
using namespace distilbert::kernels;

namespace {

struct Seen {
  std::size_t height, panels;
  TilePlace place;
};
std::vector<Seen> seen;

template <std::size_t R, std::size_t P> void note(const LinearCall<float>&, const TilePlace& place) {
  seen.push_back({R, P, place});
}

template <std::size_t P>
constexpr Tile<float> six[] = {note<1, P>, note<2, P>, note<3, P>, note<4, P>, note<5, P>, note<6, P>};
constexpr Tile<float> ten[] = {note<1, 2>, note<2, 2>, note<3, 2>, note<4, 2>, note<5, 2>,
                               note<6, 2>, note<7, 2>, note<8, 2>, note<9, 2>, note<10, 2>};
constexpr TileList<float> wide = tiles_of(4, six<4>), tall = tiles_of(2, ten), narrow = tiles_of(1, six<1>);

struct Cut {
  std::size_t rows, first_panel, last_panel, in;
};

constexpr std::size_t most_in = 3072;

/// Weights that nobody reads, and as much again beyond them.
const unsigned char* weights() {
  static const std::vector<unsigned char> memory(20 * panel_bytes(Precision::fp32, most_in));
  return memory.data();
}

void run(const Cut& cut, const Tiles<float>& tiles) {
  const std::size_t out = cut.last_panel * lanes;
  seen.clear();
  run_tiles<float>({nullptr,
                    cut.in,
                    cut.rows,
                    nullptr,
                    {Precision::fp32, out, cut.in, weights()},
                    cut.first_panel,
                    cut.last_panel,
                    Epilogue::none,
                    nullptr,
                    out},
                   tiles);
}

template <class Body> void with_all_cuts(const Body& body) {
  for (const std::size_t depth : {whole_depth, std::size_t{48}})
    for (const bool has_tall : {false, true})
      for (std::size_t rows = 0; rows <= 30; ++rows)
        for (std::size_t panels = 0; panels <= 9; ++panels)
          for (const std::size_t in : {std::size_t{16}, std::size_t{48}, std::size_t{112}})
            body(Cut{rows, 1, 1 + panels, in}, Tiles<float>{depth, wide, has_tall ? tall : wide, narrow});
}

} // namespace

TEST_CASE("tiles cover every output once for every k, and no tile is higher than its list") {
  with_all_cuts([](const Cut& cut, const Tiles<float>& tiles) {
    run(cut, tiles);
    std::vector<std::size_t> reached(cut.rows * cut.last_panel); // k of each output that lie behind
    for (const Seen& tile : seen) {
      REQUIRE(tile.place.last_k - tile.place.first_k <= tiles.depth);
      for (std::size_t r = tile.place.row; r < tile.place.row + tile.height; ++r)
        for (std::size_t p = tile.place.panel; p < tile.place.panel + tile.panels; ++p) {
          REQUIRE(r < cut.rows);
          REQUIRE(p >= cut.first_panel);
          REQUIRE(p < cut.last_panel);
          REQUIRE(reached[r * cut.last_panel + p] == tile.place.first_k);
          reached[r * cut.last_panel + p] = tile.place.last_k;
        }
    }
    for (std::size_t r = 0; r < cut.rows; ++r)
      for (std::size_t p = cut.first_panel; p < cut.last_panel; ++p)
        REQUIRE(reached[r * cut.last_panel + p] == cut.in);
  });
}

TEST_CASE("few rows go by tall tiles, one row of tiles or two") {
  const auto heights = [](std::size_t rows) {
    run({rows, 0, 2, 16}, {whole_depth, wide, tall, narrow});
    std::vector<std::size_t> all;
    for (const Seen& tile : seen)
      all.push_back(tile.height * 10 + tile.panels);
    return all;
  };
  using Heights = std::vector<std::size_t>;
  CHECK(heights(6) == Heights{62}); // two panels are too few for a wide tile
  CHECK(heights(7) == Heights{72});
  CHECK(heights(11) == Heights{62, 52});
  run({few_rows, 0, 4, 16}, {whole_depth, wide, tall, narrow});
  CHECK(seen[0].panels == 2);
  run({few_rows + 1, 0, 4, 16}, {whole_depth, wide, tall, narrow});
  CHECK(seen[0].panels == 4);
}

TEST_CASE("the tiles of a part together ask for every line of the next part, and for little else") {
  const std::size_t element = lanes * sizeof(float);
  for (const std::size_t depth : {whole_depth, std::size_t{768}})
    for (std::size_t rows = 1; rows <= 130; rows += rows < 24 ? 1 : 17)
      for (const std::size_t in : {std::size_t{16}, std::size_t{768}, most_in}) {
        run({rows, 0, 8, in}, {depth, wide, tall, narrow});
        for (std::size_t i = 0; i < seen.size();) {
          const TilePlace& part = seen[i].place;
          const std::size_t panels = seen[i].panels, bytes = (part.last_k - part.first_k) * element;
          const std::size_t panel = part.last_k < in ? part.panel : part.panel + panels;
          const unsigned char* next = weights() + panel * panel_bytes(Precision::fp32, in) +
                                      panel_header_bytes(Precision::fp32) + part.last_k % in * element;
          std::set<std::ptrdiff_t> lines;
          for (; i < seen.size() && seen[i].place.panel == part.panel && seen[i].place.first_k == part.first_k; ++i)
            for (std::size_t at = 0; at < bytes && seen[i].place.ahead_step > 0; at += 64)
              lines.insert((seen[i].place.ahead + at / 64 * seen[i].place.ahead_step - next) / 64);
          if (panels * bytes > most_fetched_bytes) {
            REQUIRE(lines.empty());
            continue;
          }
          for (std::size_t line = 0; line < bytes / 64; ++line)
            REQUIRE(lines.count(static_cast<std::ptrdiff_t>(line)) == 1);
          REQUIRE(lines.size() <= bytes / 64 + bytes / 64 / 16 + 1);
        }
      }
}
