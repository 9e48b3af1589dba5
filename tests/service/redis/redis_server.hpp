#pragma once
// A redis-server of the test's own.

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

/// A folder that goes with the test.
class TemporaryFolder {
public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

/// Listens at a Unix socket in a folder of its own, keeps nothing on disk, and ends with the test, whatever its end.
class RedisServer {
public:
  /// Further arguments of redis-server. It answers once the constructor is done.
  explicit RedisServer(std::vector<std::string> arguments = {}, bool started = true);
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;
  ~RedisServer();

  std::string socket() const { return (folder_.path() / "redis.sock").string(); }

  void start();
  void kill();           // SIGKILL
  void signal(int name); // SIGSTOP, SIGCONT

  /// A command on a connection of its own. The text of the reply; an error's begins with "-", and nothing stands for
  /// nil.
  std::optional<std::string> ask(std::initializer_list<std::string_view> words);
  /// Closes all connections but the test's own; returns how many.
  int kill_clients();

private:
  TemporaryFolder folder_;
  std::vector<std::string> arguments_;
  pid_t process_ = -1;
};
