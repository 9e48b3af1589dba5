#include <distilbert/aligned_buffer.hpp>

#include <cstdint>
#include <limits>
#include <utility>

#include <doctest/doctest.h>

using namespace distilbert;

TEST_CASE("every byte is there, from a multiple of 64") {
  for (const std::size_t size : {1u, 63u, 64u, 65u, 100'000u}) {
    AlignedBuffer buffer(size);
    CHECK(buffer.size() == size);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % AlignedBuffer::alignment == 0);
    buffer.data()[0] = buffer.data()[size - 1] = 1;
  }
  CHECK(AlignedBuffer(0).size() == 0);
}

TEST_CASE("a buffer that was moved from is empty") {
  AlignedBuffer from(10);
  const AlignedBuffer to = std::move(from);
  CHECK(to.size() == 10);
  CHECK(from.size() == 0);
  CHECK(from.data() == nullptr);
}

TEST_CASE("memory that cannot be had is an error") {
  for (const std::size_t size : {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 2})
    try {
      const AlignedBuffer buffer(size);
      FAIL("had it");
    } catch (const Error& e) {
      CHECK(e.code() == ErrorCode::out_of_memory);
    }
}
