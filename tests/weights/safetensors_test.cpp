#include <distilbert/weights/safetensors.hpp>

#include <algorithm>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include <sys/mman.h>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace distilbert;
using support::safetensors_file;
using support::TemporaryDirectory;

namespace {

SafeTensors parse(std::string_view file) { return SafeTensors::parse(support::bytes(file), file.size()); }

std::string message_of(std::string_view file) {
  const auto error = support::error_of([&] { parse(file); });
  return error ? error->what() : "";
}

constexpr const char* two_by_two = R"({"t":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})";

} // namespace

TEST_CASE("tensors come with type, shape and bytes, sorted by name") {
  const std::string file =
      safetensors_file({{"b", "U8", {3}, "xyz"}, {"a", "I16", {2, 1}, "1234"}, {"a.b", "F64", {0}, ""}});
  const SafeTensors tensors = parse(file);
  REQUIRE(tensors.tensors().size() == 3);
  CHECK(tensors.tensors()[0].name == "a");
  CHECK(tensors.tensors()[1].name == "a.b");
  CHECK(tensors.tensors()[2].name == "b");

  const TensorView* a = tensors.find("a");
  REQUIRE(a != nullptr);
  CHECK(a->dtype == Dtype::i16);
  CHECK(a->shape == std::vector<std::size_t>{2, 1});
  CHECK(std::string_view(reinterpret_cast<const char*>(a->data), a->bytes) == "1234");
  const TensorView* b = tensors.find("b");
  REQUIRE(b != nullptr);
  CHECK(std::string_view(reinterpret_cast<const char*>(b->data), b->bytes) == "xyz");
  CHECK(tensors.find("a.b")->bytes == 0);
  for (const char* name : {"", "A", "aa", "a.", "a.bc", "c"})
    CHECK(tensors.find(name) == nullptr);
}

TEST_CASE("names and metadata are unescaped") {
  const SafeTensors file =
      parse(safetensors_file(R"({"__metadata__":{"f\u006frmat":"p\tt","k":"1","k":"2"},)"
                             R"("\ud83d\ude00\u0000":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"));
  CHECK(file.tensors().at(0).name == std::string("\xF0\x9F\x98\x80\0", 5));
  CHECK(file.metadata().size() == 2);
  CHECK(file.metadata().at("format") == "p\tt");
  CHECK(file.metadata().at("k") == "2");
  CHECK(parse(safetensors_file(R"({"__metadata__":null})")).metadata().empty());
}

TEST_CASE("every type of the format has its name and size") {
  std::set<std::string_view> names;
  for (const DtypeInfo& dtype : dtypes) {
    CAPTURE(dtype.name);
    names.insert(dtype.name);
    const std::string file = safetensors_file({{"t", dtype.name, {4}, std::string(dtype.bits / 2, 'x')}});
    CHECK(parse(file).tensors().at(0).bytes == dtype.bits / 2);
    CHECK(info(parse(file).tensors().at(0).dtype).name == std::string_view(dtype.name));
  }
  CHECK(names.size() == 22);
  const std::pair<Dtype, std::string_view> some[] = {
      {Dtype::boolean, "BOOL"}, {Dtype::f4, "F4"},   {Dtype::i8, "I8"},   {Dtype::f16, "F16"},
      {Dtype::bf16, "BF16"},    {Dtype::f32, "F32"}, {Dtype::f64, "F64"}, {Dtype::u64, "U64"}};
  for (const auto& [dtype, name] : some)
    CHECK(info(dtype).name == name);
}

TEST_CASE("each defect has its code") {
  const std::pair<std::string, ErrorCode> cases[] = {
      {std::string(7, '\0'), ErrorCode::header_too_small},
      {"\xff\xff\xff\xff\xff\xff\xff\xff", ErrorCode::header_too_large},
      {safetensors_file(two_by_two).substr(0, 20), ErrorCode::invalid_header_length},
      {safetensors_file("\xff"), ErrorCode::invalid_header_utf8},
      {safetensors_file("{"), ErrorCode::invalid_header_json},
      {safetensors_file({{"t", "U8", {1}, "a"}, {"t", "U8", {1}, "b"}}), ErrorCode::duplicate_tensor},
      {safetensors_file(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "ab"), ErrorCode::invalid_offset},
      {safetensors_file({{"t", "F32", {2, 2}, "short"}}), ErrorCode::tensor_size_mismatch},
      {safetensors_file({{"t", "U8", {std::size_t{1} << 61}, ""}}), ErrorCode::size_overflow},
      {safetensors_file({{"t", "F4", {3}, "ab"}}), ErrorCode::misaligned_tensor},
      {safetensors_file(two_by_two, std::string(17, 'x')), ErrorCode::incomplete_buffer},
  };
  for (const auto& defect : cases) {
    CAPTURE(describe(defect.second));
    CHECK(support::code_of([&] { parse(defect.first); }) == defect.second);
  }
}

TEST_CASE("messages say what was expected and found, and escape and shorten names") {
  CHECK(message_of(safetensors_file({{"layer.weight", "F32", {2, 3}, "short"}})) ==
        "a tensor's bytes do not match its type and shape: \"layer.weight\", F32 [2, 3]: 24 bytes expected, 5 found");
  const std::string evil =
      message_of(safetensors_file(R"({"\u001b[31m\n":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}})", "a"));
  CHECK(support::contains(evil, R"("\x1b[31m\x0a")"));
  CHECK(message_of(safetensors_file({{std::string(1'000'000, 'n'), "U8", {2}, "a"}})).size() < 300);
  CHECK(message_of(safetensors_file({{"t", "U8", std::vector<std::size_t>(100'000, 2), "a"}})).size() < 300);
}

TEST_CASE("a file of another kind is recognized") {
  const std::pair<std::string, const char*> cases[] = {
      {"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
      {std::string("PK\x03\x04\x14\0\x08\x08\x08\0", 10), "PyTorch"},
      {"\x80\x02}q\x01X\x02\x03\x04", "PyTorch"},
      {std::string("GGUF\x03\0\0\0\x01", 9), "GGUF"},
      {"\x89HDF\r\n\x1a\n", "HDF5"},
      {std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10), "gzip"},
      {"<!DOCTYPE html>", "HTML"},
      {R"({"t":{"dtype":"F32"}})", "JSON"},
  };
  for (const auto& [file, hint] : cases)
    CHECK(support::contains(message_of(file), hint));
}

TEST_CASE("no byte after the file is touched, even when its header ends with its page") {
  constexpr std::size_t page = 4096;
  auto* memory =
      static_cast<char*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(memory != MAP_FAILED);
  REQUIRE(mprotect(memory + page, page, PROT_NONE) == 0);
  for (const char* header : {"{}", two_by_two, "{\"t", "{\"t\":{\"dtype\":\"F32\",\"shape\":[1", "{\"a\":\"\\u00"}) {
    for (const std::size_t padding : {std::size_t{0}, page - 8 - std::strlen(header)}) {
      const std::string file = safetensors_file(header + std::string(padding, ' '));
      std::memcpy(memory + page - file.size(), file.data(), file.size());
      const std::string_view guarded(memory + page - file.size(), file.size());
      CHECK(support::code_of([&] { parse(guarded); }) == support::code_of([&] { parse(file); }));
    }
  }
  munmap(memory, 2 * page);
}

TEST_CASE("tensors of an opened file outlive everything but their owner") {
  const TemporaryDirectory directory;
  const auto path = directory.write("model.safetensors", safetensors_file({{"t", "U8", {3}, "abc"}}));
  for (const Memory memory : {Memory::map, Memory::copy}) {
    std::shared_ptr<const void> owner;
    TensorView view;
    {
      const SafeTensors file = SafeTensors::open(path, memory);
      const SafeTensors copy = file;
      view = *copy.find("t");
      owner = copy.owner();
    }
    CHECK(std::string_view(reinterpret_cast<const char*>(view.data), view.bytes) == "abc");
    CHECK(owner.use_count() == 1);
  }
}

TEST_CASE("errors of an opened file name it") {
  const TemporaryDirectory directory;
  const auto path = directory.write("broken.safetensors", "1234567");
  const auto error = support::error_of([&] { SafeTensors::open(path); });
  REQUIRE(error);
  CHECK(error->code() == ErrorCode::header_too_small);
  CHECK(support::contains(error->what(), "broken.safetensors: 7 bytes"));
}

TEST_CASE("a huge sparse file costs nothing to refuse when mapped") {
  const TemporaryDirectory directory;
  const auto path = directory.write("sparse", "");
  std::filesystem::resize_file(path, std::uint64_t{1} << 35);
  CHECK(support::code_of([&] { SafeTensors::open(path, Memory::map); }) == ErrorCode::invalid_header_json);
}

TEST_CASE("many threads read one file, and open and drop it, at once") {
  const TemporaryDirectory directory;
  const auto path =
      directory.write("model.safetensors", safetensors_file({{"a", "U8", {1}, "1"}, {"b", "U8", {1}, "2"}}));
  const SafeTensors shared = SafeTensors::open(path);
  std::vector<int> good(4, 0);
  std::vector<std::thread> threads;
  for (int& count : good)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const SafeTensors own = i % 2 == 0 ? shared : SafeTensors::open(path, Memory::copy);
        count += *own.find("b")->data == '2' && *shared.find("a")->data == '1';
      }
    });
  for (std::thread& thread : threads)
    thread.join();
  CHECK(good == std::vector<int>(4, 50));
}
