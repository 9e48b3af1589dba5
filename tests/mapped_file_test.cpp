#include <distilbert/mapped_file.hpp>

#include <csignal>
#include <cstdint>
#include <iterator>
#include <optional>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <doctest/doctest.h>

#include "weights/support.hpp"

using namespace distilbert;
using support::code_of;
using support::TemporaryDirectory;

namespace {

constexpr Memory both_modes[] = {Memory::map, Memory::copy};

/// How a forked child that runs `body` ends: its exit status, or minus the signal that killed it.
template <class Body> int in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGBUS, SIG_DFL);
    _exit(body());
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

} // namespace

TEST_CASE("both modes show the bytes of the file") {
  const TemporaryDirectory directory;
  std::string content(100'000, '\0');
  for (std::size_t i = 0; i < content.size(); ++i)
    content[i] = static_cast<char>(i * i >> 3);
  const auto path = directory.write("file", content);
  for (const Memory memory : both_modes) {
    const MappedFile file = MappedFile::open(path, memory);
    CHECK(file.text() == content);
    CHECK(reinterpret_cast<std::uintptr_t>(file.data()) % 64 == 0);
  }
}

TEST_CASE("an empty file has no bytes and is no error") {
  const TemporaryDirectory directory;
  const auto path = directory.write("empty", "");
  for (const Memory memory : both_modes) {
    const MappedFile file = MappedFile::open(path, memory);
    CHECK(file.size() == 0);
    CHECK(file.text().empty());
  }
}

TEST_CASE("what is not there is not found, and the message names it") {
  const TemporaryDirectory directory;
  const auto path = directory.write("file", "x");
  for (const Memory memory : both_modes) {
    const auto missing = support::error_of([&] { MappedFile::open(directory.path() / "missing", memory); });
    REQUIRE(missing);
    CHECK(missing->code() == ErrorCode::file_not_found);
    CHECK(support::contains(missing->what(), "missing"));
    CHECK(code_of([&] { MappedFile::open("", memory); }) == ErrorCode::file_not_found);
    CHECK(code_of([&] { MappedFile::open(path / "below", memory); }) == ErrorCode::file_not_found);
    const std::string cut = path.string() + std::string("\0.safetensors", 13);
    CHECK(code_of([&] { MappedFile::open(cut, memory); }) == ErrorCode::file_not_found);
  }
}

TEST_CASE("only regular files are read, and nothing is waited for") {
  const TemporaryDirectory directory;
  const auto pipe = directory.path() / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);

  const auto socket_path = directory.path() / "socket";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(socket_path.string().size() < sizeof address.sun_path);
  socket_path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  const detail::FileDescriptor listener(socket(AF_UNIX, SOCK_STREAM, 0));
  REQUIRE(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);

  for (const Memory memory : both_modes)
    for (const std::filesystem::path& path :
         {directory.path(), pipe, socket_path, std::filesystem::path("/dev/zero")}) {
      CAPTURE(path.string());
      CHECK(code_of([&] { MappedFile::open(path, memory); }) == ErrorCode::file_not_regular);
    }
}

TEST_CASE("symbolic links are followed, loops are an error") {
  const TemporaryDirectory directory;
  directory.write("file", "content");
  std::filesystem::create_symlink("file", directory.path() / "link");
  std::filesystem::create_symlink("loop", directory.path() / "loop");
  for (const Memory memory : both_modes) {
    CHECK(MappedFile::open(directory.path() / "link", memory).text() == "content");
    CHECK(code_of([&] { MappedFile::open(directory.path() / "loop", memory); }) == ErrorCode::file_not_readable);
  }
}

TEST_CASE("a file without permission is not readable") {
  const TemporaryDirectory directory;
  const auto path = directory.write("secret", "content");
  std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(path, std::filesystem::perms::none);
  const int status = in_child([&] {
    constexpr uid_t nobody = 65534;
    if (geteuid() == 0 && seteuid(nobody) != 0) // root may read everything
      return 2;
    for (const Memory memory : both_modes)
      if (code_of([&] { MappedFile::open(path, memory); }) != ErrorCode::file_not_readable)
        return 1;
    return 0;
  });
  CHECK(status == 0);
}

TEST_CASE("a file whose size is a lie is not readable") {
  // sysfs says 4096 bytes, gives a few, and cannot be mapped.
  const std::filesystem::path path = "/sys/devices/system/cpu/online";
  REQUIRE(std::filesystem::exists(path));
  for (const Memory memory : both_modes)
    CHECK(code_of([&] { MappedFile::open(path, memory); }) == ErrorCode::file_not_readable);
}

TEST_CASE("a file larger than the bound is refused before anything is mapped or allocated") {
  const TemporaryDirectory directory;
  const auto sparse = directory.write("sparse", "");
  std::filesystem::resize_file(sparse, 1'000'000'000'000);
  const auto small = directory.write("small", "12345");
  for (const Memory memory : both_modes) {
    const auto error = support::error_of([&] { MappedFile::open(sparse, memory); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::file_too_large);
    CHECK(support::contains(error->what(), "1000000000000 found"));
    CHECK(code_of([&] { MappedFile::open(small, memory, 4); }) == ErrorCode::file_too_large);
    CHECK(MappedFile::open(small, memory, 5).size() == 5);
  }
}

TEST_CASE("memory that cannot be had is an Error") {
#ifdef SUPPORT_SANITIZED
  MESSAGE("not run: sanitizers need more address space than this test leaves");
#else
  const TemporaryDirectory directory;
  const auto path = directory.write("sparse", "");
  std::filesystem::resize_file(path, std::uint64_t{1} << 34);
  const int status = in_child([&] {
    const rlimit limit{std::uint64_t{1} << 32, std::uint64_t{1} << 32};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
      return 2;
    for (const Memory memory : both_modes)
      if (code_of([&] { MappedFile::open(path, memory); }) != ErrorCode::out_of_memory)
        return 1;
    return 0;
  });
  CHECK(status == 0);
#endif
}

TEST_CASE("renaming over, unlinking and appending do not show") {
  const TemporaryDirectory directory;
  const std::string content(10'000, 'a');
  const auto replaced = directory.write("replaced", content), removed = directory.write("removed", content),
             grown = directory.write("grown", content);
  for (const Memory memory : both_modes) {
    const MappedFile files[] = {MappedFile::open(replaced, memory), MappedFile::open(removed, memory),
                                MappedFile::open(grown, memory)};
    std::filesystem::rename(directory.write("new", std::string(5, 'b')), replaced);
    std::filesystem::remove(removed);
    std::ofstream(grown, std::ios::app) << "bbb";
    for (const MappedFile& file : files)
      CHECK(file.text() == content);
    for (const char* name : {"replaced", "removed", "grown"})
      directory.write(name, content);
  }
}

TEST_CASE("a copy does not notice that its file is truncated and rewritten") {
  const TemporaryDirectory directory;
  const std::string content(10'000, 'a');
  const auto path = directory.write("file", content);
  const MappedFile file = MappedFile::open(path, Memory::copy);
  std::filesystem::resize_file(path, 0);
  CHECK(file.text() == content);
  directory.write("file", std::string(10'000, 'b'));
  CHECK(file.text() == content);
}

TEST_CASE("truncating a mapped file ends its reader by SIGBUS, as documented") {
  const TemporaryDirectory directory;
  const auto path = directory.write("file", std::string(10'000, 'a'));
  const int status = in_child([&] {
    const MappedFile file = MappedFile::open(path, Memory::map);
    std::filesystem::resize_file(path, 0);
    return static_cast<int>(*const_cast<const volatile unsigned char*>(file.data() + 5'000)); // never returns
  });
  CHECK(status == -SIGBUS);
}

TEST_CASE("the owner keeps the bytes alive") {
  const TemporaryDirectory directory;
  const auto path = directory.write("file", "content");
  for (const Memory memory : both_modes) {
    std::shared_ptr<const void> owner;
    std::string_view text;
    {
      const MappedFile file = MappedFile::open(path, memory);
      const MappedFile copy = file;
      CHECK(copy.data() == file.data());
      owner = copy.owner();
      text = file.text();
    }
    CHECK(text == "content");
    CHECK(owner.use_count() == 1);
  }
}

TEST_CASE("many threads open and drop the same file without leaking descriptors") {
  const TemporaryDirectory directory;
  const std::string content(5'000, 'a');
  const auto path = directory.write("file", content);
  const MappedFile shared = MappedFile::open(path, Memory::map);
  const std::size_t before = open_descriptors();
  std::vector<std::thread> threads;
  std::vector<int> good(4, 0);
  for (int& count : good)
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        const MappedFile copy = shared;
        const MappedFile own = MappedFile::open(path, both_modes[i % 2]);
        count += copy.text() == content && own.text() == content;
      }
    });
  for (std::thread& thread : threads)
    thread.join();
  CHECK(good == std::vector<int>(4, 100));
  CHECK(open_descriptors() == before);
}

TEST_CASE("forked workers share a mapping, and each may drop it") {
  const TemporaryDirectory directory;
  const std::string content(5'000, 'a');
  const auto path = directory.write("file", content);
  for (const Memory memory : both_modes) {
    std::optional<MappedFile> shared = MappedFile::open(path, memory);
    for (int worker = 0; worker < 3; ++worker)
      CHECK(in_child([&] {
              const bool good = shared->text() == content && MappedFile::open(path, memory).text() == content;
              shared.reset();
              return good ? 0 : 1;
            }) == 0);
    CHECK(shared->text() == content);
  }
}
