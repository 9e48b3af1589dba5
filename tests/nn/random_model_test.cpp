// Both languages make the same weights for every head; golden_test.cpp sees to the encoders.

#include <doctest/doctest.h>

#include <set>

#include "golden.hpp"

using namespace distilbert::test;

TEST_CASE("the models of heads.json are those that the reference had") {
  const GoldenFile file("heads.json", "tasks");
  std::set<std::string> heads;
  for (const Json json : list_of(file["cases"])) {
    const Shape shape = shape_of(json);
    CAPTURE(text_of(json["name"].value()));
    CHECK(checksum(random_tensors(shape)) == checksum_of(json));
    heads.insert(shape.family + " " + shape.head);
  }
  CHECK(heads.size() == 10);
}
