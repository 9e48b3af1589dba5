#pragma once
// Files that appear in a directory when all of them are complete, or not at all.

#include "../examples/common/output.hpp"

#include <cerrno>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace convert {

[[noreturn]] inline void throw_errno(const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(), path.string());
}

/// A file under a temporary name, "<name>.tmp-<process id>". Unless it is published, it is removed in the end.
class StagedFile {
public:
  /// A file of that temporary name can only be left over from a process that is no more; it is replaced.
  explicit StagedFile(std::filesystem::path path)
      : path_(std::move(path)), temporary_(path_.string() + ".tmp-" + std::to_string(::getpid())) {
    ::unlink(temporary_.c_str());
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0)
      throw_errno(temporary_);
  }
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;
  ~StagedFile() {
    if (descriptor_ >= 0)
      ::close(descriptor_);
    if (!published_)
      ::unlink(temporary_.c_str());
  }

  const std::filesystem::path& path() const { return path_; }
  const std::filesystem::path& temporary() const { return temporary_; }

  void write(std::string_view bytes) {
    try {
      cli::write_all(descriptor_, bytes);
    } catch (const std::system_error& e) {
      throw std::system_error(e.code(), temporary_.string());
    }
  }

  /// To be called when all is written; the bytes are then on the disk.
  void finish() {
    if (::fsync(descriptor_) != 0 || ::close(std::exchange(descriptor_, -1)) != 0)
      throw_errno(temporary_);
  }

  /// Gives the file its name, in place of any that has it.
  void publish() {
    std::filesystem::rename(temporary_, path_);
    published_ = true;
  }

private:
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
  bool published_ = false;
};

/// The directory that files are staged in. It is made if need be, and if nothing is published in it, removed again.
class StagingDirectory {
public:
  explicit StagingDirectory(std::filesystem::path path)
      : path_(std::move(path)), made_(std::filesystem::create_directories(path_)) {}
  StagingDirectory(const StagingDirectory&) = delete;
  StagingDirectory& operator=(const StagingDirectory&) = delete;
  ~StagingDirectory() {
    files_.clear();
    if (made_)
      ::rmdir(path_.c_str()); // does nothing to a directory that holds files
  }

  /// A new file; the reference is good as long as this object.
  StagedFile& create(const std::string& name) { return files_.emplace_back(path_ / name); }

  /// Gives all files their names, the one created first as the last, and removes the files of `obsolete` names.
  void publish(const std::vector<std::string>& obsolete) {
    for (auto file = files_.rbegin(); file != files_.rend(); ++file)
      file->publish();
    for (const std::string& name : obsolete)
      std::filesystem::remove(path_ / name);
    const int directory = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 || ::fsync(directory) != 0 || ::close(directory) != 0)
      throw_errno(path_);
  }

private:
  std::filesystem::path path_;
  bool made_;
  std::deque<StagedFile> files_;
};

} // namespace convert
