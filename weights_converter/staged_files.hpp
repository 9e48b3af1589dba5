#pragma once
// Files that appear in a directory when all of them are complete, or not at all.

#include "../examples/common/output.hpp"

#include <atomic>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <set>
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

/// Tells the files of one process apart.
inline std::string next_number() {
  static std::atomic<unsigned> count{0};
  return std::to_string(++count);
}

/// A file under a temporary name, "<name>.tmp-<process id>-<number>". Unless it is published, it is removed in the end.
class StagedFile {
public:
  /// A file of that temporary name can only be left over from a process that is no more; it is replaced.
  explicit StagedFile(std::filesystem::path path)
      : path_(std::move(path)),
        temporary_(path_.string() + ".tmp-" + std::to_string(::getpid()) + '-' + next_number()) {
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
  explicit StagingDirectory(std::filesystem::path path) : path_(std::move(path)) { make(path_); }
  StagingDirectory(const StagingDirectory&) = delete;
  StagingDirectory& operator=(const StagingDirectory&) = delete;
  ~StagingDirectory() {
    files_.clear();
    for (auto directory = made_.rbegin(); directory != made_.rend(); ++directory)
      ::rmdir(directory->c_str()); // does nothing to a directory that holds files
  }

  /// A new file, in a folder of the directory if its name says so; the reference is good as long as this object.
  StagedFile& create(const std::filesystem::path& name) {
    make((path_ / name).parent_path());
    return files_.emplace_back(path_ / name);
  }

  /// Gives all files their names, the one created first as the last, and removes the files of `obsolete` names.
  void publish(const std::vector<std::filesystem::path>& obsolete) {
    std::set<std::filesystem::path> directories{path_};
    for (auto file = files_.rbegin(); file != files_.rend(); ++file) {
      file->publish();
      directories.insert(file->path().parent_path());
    }
    for (const std::filesystem::path& name : obsolete)
      std::filesystem::remove(path_ / name);
    for (const std::filesystem::path& path : directories) {
      const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (directory < 0 || ::fsync(directory) != 0 || ::close(directory) != 0)
        throw_errno(path);
    }
  }

private:
  void make(const std::filesystem::path& directory) {
    if (std::filesystem::create_directories(directory))
      made_.push_back(directory);
  }

  std::filesystem::path path_;
  std::vector<std::filesystem::path> made_;
  std::deque<StagedFile> files_;
};

} // namespace convert
