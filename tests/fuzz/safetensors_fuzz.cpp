// Any bytes as a safetensors file: an Error or tensors whose bytes are all there. The input lies in memory of exactly
// its size, so the address sanitizer sees a read past its end.

#include <distilbert/weights/safetensors.hpp>

#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::vector<unsigned char> exact(data, data + size);
  try {
    const auto file = distilbert::SafeTensors::parse(exact.data(), exact.size());
    std::size_t total = 0;
    for (const distilbert::TensorView& tensor : file.tensors()) {
      if (file.find(tensor.name) != &tensor || tensor.data + tensor.bytes > exact.data() + exact.size())
        std::abort();
      total += tensor.bytes;
    }
    std::uint64_t header = 0;
    for (std::size_t i = 8; i-- > 0;)
      header = header << 8 | exact[i];
    if (8 + header + total != exact.size())
      std::abort();
  } catch (const distilbert::Error& e) {
    if (e.code() < distilbert::ErrorCode::header_too_small || e.code() > distilbert::ErrorCode::incomplete_buffer)
      std::abort();
  }
  return 0;
}
