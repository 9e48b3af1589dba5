#pragma once
// Allocations that fail on demand, once. Replaces operator new: for one file of a program.

#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

namespace service::test {

constexpr int never = std::numeric_limits<int>::max();
inline thread_local int left_here = never;     // allocations of this thread until one fails
inline std::atomic<int> left_elsewhere{never}; // of the threads that are not spared
inline thread_local bool spared = false;

} // namespace service::test

// Not inlined: g++ would see one of the two alone, and take it for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  using namespace service::test;
  if (left_here != never && left_here-- == 0) {
    left_here = never;
    throw std::bad_alloc();
  }
  if (!spared && left_elsewhere != never && left_elsewhere-- == 0) {
    left_elsewhere = never;
    throw std::bad_alloc();
  }
  if (void* block = std::malloc(bytes))
    return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }
