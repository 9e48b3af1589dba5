// Prints the verdict of SafeTensors on many files, one a line: "ok", the name of an ErrorCode, or how the ways of
// reading a file disagree.
//
//   safetensors_verdicts files    paths, one a line, from stdin; each file is mapped, copied, and parsed from memory
//   that
//                                 ends at a guard page: whole, and cut off where its header ends
//   safetensors_verdicts stream   files from stdin, each led by its length in 8 bytes; parsed before a guard page; "ok"
//                                 is followed by the tensors as hex(name):dtype:shape:hex(bytes)

#include <distilbert/weights/safetensors.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace {

using namespace distilbert;

std::string name_of(ErrorCode code) {
  switch (code) {
  case ErrorCode::header_too_small: return "header_too_small";
  case ErrorCode::header_too_large: return "header_too_large";
  case ErrorCode::invalid_header_length: return "invalid_header_length";
  case ErrorCode::invalid_header_utf8: return "invalid_header_utf8";
  case ErrorCode::invalid_header_json: return "invalid_header_json";
  case ErrorCode::duplicate_tensor: return "duplicate_tensor";
  case ErrorCode::invalid_offset: return "invalid_offset";
  case ErrorCode::tensor_size_mismatch: return "tensor_size_mismatch";
  case ErrorCode::size_overflow: return "size_overflow";
  case ErrorCode::misaligned_tensor: return "misaligned_tensor";
  case ErrorCode::incomplete_buffer: return "incomplete_buffer";
  default: return describe(code);
  }
}

volatile std::uint64_t byte_sum;

/// Reads every byte of every tensor, so that a wrong view cannot go unseen.
void touch(const SafeTensors& file) {
  std::uint64_t sum = 0;
  for (const TensorView& tensor : file.tensors())
    for (std::size_t i = 0; i < tensor.bytes; ++i)
      sum += tensor.data[i];
  byte_sum = sum;
}

template <class Read> std::string verdict(Read read) {
  try {
    touch(read());
    return "ok";
  } catch (const Error& e) {
    return name_of(e.code());
  }
}

/// Memory whose last byte is followed by a page that must not be touched.
class GuardedMemory {
public:
  explicit GuardedMemory(std::string_view content) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t pages = (content.size() + page - 1) / page * page;
    size_ = pages + page;
    start_ =
        static_cast<unsigned char*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (start_ == MAP_FAILED || mprotect(start_ + pages, page, PROT_NONE) != 0)
      std::abort();
    content_ = start_ + pages - content.size();
    if (!content.empty())
      std::memcpy(content_, content.data(), content.size());
  }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory() { munmap(start_, size_); }
  const unsigned char* data() const { return content_; }

private:
  unsigned char* start_;
  unsigned char* content_;
  std::size_t size_;
};

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes)
    text += {digits[static_cast<unsigned char>(byte) >> 4], digits[static_cast<unsigned char>(byte) & 15]};
  return text;
}

std::string listing(const SafeTensors& file) {
  std::string text;
  for (const TensorView& tensor : file.tensors()) {
    text.append(" ").append(hex(tensor.name)).append(":").append(info(tensor.dtype).name).append(":");
    for (std::size_t i = 0; i < tensor.shape.size(); ++i)
      text.append(i == 0 ? "" : ",").append(std::to_string(tensor.shape[i]));
    text.append(":").append(hex({reinterpret_cast<const char*>(tensor.data), tensor.bytes}));
  }
  return text;
}

std::string guarded_verdict(std::string_view content, bool list = false) {
  const GuardedMemory memory(content);
  std::string tensors;
  const std::string result = verdict([&] {
    SafeTensors file = SafeTensors::parse(memory.data(), content.size());
    if (list)
      tensors = listing(file);
    return file;
  });
  return result + tensors;
}

std::string plain_verdict(std::string_view content) {
  std::vector<unsigned char> copy(content.size() + 4096, ' ');
  std::copy(content.begin(), content.end(), copy.begin());
  return verdict([&] { return SafeTensors::parse(copy.data(), content.size()); });
}

std::string file_verdict(const std::string& path) {
  const std::string mapped = verdict([&] { return SafeTensors::open(path, Memory::map); });
  const std::string copied = verdict([&] { return SafeTensors::open(path, Memory::copy); });
  const MappedFile file = MappedFile::open(path, Memory::map);
  const std::string guarded = guarded_verdict(file.text());
  if (mapped != copied || mapped != guarded)
    return "mapped " + mapped + ", copied " + copied + ", guarded " + guarded;

  if (file.size() >= 8) {
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), sizeof length);
    if (length <= file.size() - 8) {
      const std::string_view header = file.text().substr(0, 8 + length);
      const std::string at_guard = guarded_verdict(header), elsewhere = plain_verdict(header);
      if (at_guard != elsewhere)
        return "header alone before a guard page " + at_guard + ", elsewhere " + elsewhere;
    }
  }
  return mapped;
}

} // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc == 2 ? argv[1] : "";
  std::ios::sync_with_stdio(false);
  if (mode == "files") {
    for (std::string path; std::getline(std::cin, path);)
      std::cout << file_verdict(path) << '\n';
  } else if (mode == "stream") {
    std::string content;
    for (std::uint64_t size = 0; std::cin.read(reinterpret_cast<char*>(&size), sizeof size);) {
      content.resize(size);
      std::cin.read(content.data(), static_cast<std::streamsize>(size));
      std::cout << guarded_verdict(content, true) << '\n';
    }
  } else {
    std::cerr << "usage: safetensors_verdicts files|stream < input\n";
    return 2;
  }
}
