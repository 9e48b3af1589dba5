#pragma once
// A file's bytes, read-only: mapped where they lie in the page cache, or copied into private memory. POSIX only.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aligned_buffer.hpp"
#include "error.hpp"
#include "load_options.hpp" // Memory

namespace distilbert {

/// The bytes of one regular file. Copies share the bytes, and the last one gives them back; safe to read, copy and
/// drop from many threads at once.
///
/// The file is opened without blocking, and its size is asked for once, of the open file; all later bounds follow from
/// that number. Renaming another file over it, unlinking it or appending to it never shows in the bytes.
/// Memory::map: truncating the file afterwards makes the next access to the lost part end the process with SIGBUS, as
/// does a failing disk, and rewriting it in place shows in the bytes. Memory::copy has neither trouble, and open()
/// refuses a file that changes while it is being copied.
class MappedFile {
public:
  /// Opens `path`, following symbolic links. Directories, pipes, sockets and devices are refused without waiting for
  /// them. Errors: file_not_found, file_not_regular, file_not_readable, file_too_large (more than `max_bytes`),
  /// out_of_memory.
  static MappedFile open(const std::filesystem::path& path, Memory memory, std::uint64_t max_bytes = 1ull << 36);

  /// Null for an empty file; otherwise aligned to 64 bytes.
  const unsigned char* data() const noexcept { return bytes_.get(); }
  std::size_t size() const noexcept { return size_; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data()), size()}; }
  /// Keeps the bytes alive for as long as it is held.
  std::shared_ptr<const void> owner() const noexcept { return bytes_; }

private:
  using Bytes = std::shared_ptr<const unsigned char>;

  MappedFile(Bytes bytes, std::size_t size) : bytes_(std::move(bytes)), size_(size) {}

  static Bytes map(int descriptor, std::size_t size, const std::string& path);
  static Bytes copy(int descriptor, const struct stat& status, const std::string& path);

  Bytes bytes_;
  std::size_t size_;
};

namespace detail {

/// Closes the descriptor at the end of its scope.
class FileDescriptor {
public:
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (descriptor_ >= 0)
      ::close(descriptor_);
  }
  int get() const { return descriptor_; }

private:
  int descriptor_;
};

[[noreturn]] inline void throw_file_error(const std::string& path, const char* action, int error) {
  const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::file_not_found
                         : error == ENXIO                    ? ErrorCode::file_not_regular
                         : error == ENOMEM                   ? ErrorCode::out_of_memory
                                                             : ErrorCode::file_not_readable;
  throw Error(code, path + ": " + action + ": " + std::strerror(error));
}

} // namespace detail

inline MappedFile MappedFile::open(const std::filesystem::path& path, Memory memory, std::uint64_t max_bytes) {
  const std::string name = path.string();
  if (name.find('\0') != std::string::npos)
    throw Error(ErrorCode::file_not_found, name.substr(0, name.find('\0')) + "...: a path cannot hold a null byte");

  int opened;
  do
    opened = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  while (opened < 0 && errno == EINTR);
  if (opened < 0)
    detail::throw_file_error(name, "open", errno);
  const detail::FileDescriptor descriptor(opened);

  struct stat status;
  if (::fstat(descriptor.get(), &status) != 0)
    detail::throw_file_error(name, "fstat", errno);
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorCode::file_not_regular, name);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > max_bytes)
    throw Error(ErrorCode::file_too_large, name + ": at most " + std::to_string(max_bytes) + " bytes expected, " +
                                               std::to_string(size) + " found");
  if (size == 0)
    return MappedFile(nullptr, 0);
  return MappedFile(memory == Memory::map ? map(descriptor.get(), size, name) : copy(descriptor.get(), status, name),
                    size);
}

inline MappedFile::Bytes MappedFile::map(int descriptor, std::size_t size, const std::string& path) {
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (address == MAP_FAILED)
    detail::throw_file_error(path, "mmap", errno);
  const auto unmap = [size](const unsigned char* bytes) { ::munmap(const_cast<unsigned char*>(bytes), size); };
  return Bytes(static_cast<const unsigned char*>(address), unmap);
}

inline MappedFile::Bytes MappedFile::copy(int descriptor, const struct stat& status, const std::string& path) {
  const auto size = static_cast<std::size_t>(status.st_size);
  std::shared_ptr<AlignedBuffer> buffer;
  try {
    buffer = std::make_shared<AlignedBuffer>(size);
  } catch (const Error& e) {
    rethrow_within(path, e);
  }
  unsigned char* target = buffer->data();

  for (std::size_t done = 0; done < size;) {
    const ssize_t count = ::read(descriptor, target + done, size - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      detail::throw_file_error(path, "read", errno);
    if (count == 0)
      throw Error(ErrorCode::file_not_readable, path + ": it shrank while it was being read");
    done += static_cast<std::size_t>(count);
  }

  struct stat after;
  if (::fstat(descriptor, &after) != 0)
    detail::throw_file_error(path, "fstat", errno);
  if (after.st_size != status.st_size || after.st_mtim.tv_sec != status.st_mtim.tv_sec ||
      after.st_mtim.tv_nsec != status.st_mtim.tv_nsec)
    throw Error(ErrorCode::file_not_readable, path + ": it changed while it was being read");
  return Bytes(buffer, target);
}

} // namespace distilbert
