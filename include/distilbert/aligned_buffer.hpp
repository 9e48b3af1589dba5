#pragma once
// Owned memory for packed weights and activations: aligned to a cache line, which is also the widest vector register.

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>

#include "error.hpp"

namespace distilbert {

/// `size()` bytes that start at a multiple of 64, uninitialised; pages that are never touched cost nothing.
/// Throws ErrorCode::out_of_memory.
class AlignedBuffer {
public:
  static constexpr std::size_t alignment = 64;

  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t size) : size_(size) {
    if (size == 0)
      return;
    if (size > static_cast<std::size_t>(-1) - alignment)
      fail();
    data_.reset(
        static_cast<unsigned char*>(std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)));
    if (!data_)
      fail();
  }

  unsigned char* data() noexcept { return data_.get(); }
  const unsigned char* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return data_ ? size_ : 0; } // 0 also once it was moved from

private:
  struct Free {
    void operator()(unsigned char* p) const noexcept { std::free(p); }
  };

  [[noreturn]] void fail() const { throw Error(ErrorCode::out_of_memory, std::to_string(size_) + " bytes"); }

  std::unique_ptr<unsigned char, Free> data_;
  std::size_t size_ = 0;
};

} // namespace distilbert
