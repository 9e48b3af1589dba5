#include "redis_server.hpp"

#include "service/inference/redis_protocol.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include <spawn.h>
#include <sys/wait.h>

extern char** environ;

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "redis-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    throw std::runtime_error("no temporary folder: " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

RedisServer::RedisServer(std::vector<std::string> arguments, bool started) : arguments_(std::move(arguments)) {
  if (started)
    start();
}

RedisServer::~RedisServer() { kill(); }

void RedisServer::start() {
  // Should the test die, so does the server.
  std::vector<std::string> words{"setpriv",      "--pdeathsig",
                                 "KILL",         "redis-server",
                                 "--port",       "0",
                                 "--unixsocket", socket(),
                                 "--save",       "",
                                 "--appendonly", "no",
                                 "--dir",        folder_.path().string(),
                                 "--logfile",    (folder_.path() / "log").string()};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  std::vector<char*> pointers;
  for (std::string& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  if (const int error = posix_spawnp(&process_, "setpriv", nullptr, nullptr, pointers.data(), environ); error != 0)
    throw std::runtime_error("redis-server does not start");
  for (int i = 0; i < 1000; ++i) {
    if (std::filesystem::exists(socket()) && ask({"PING"}) != "no reply")
      return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw std::runtime_error("redis-server does not answer");
}

void RedisServer::kill() {
  if (process_ < 0)
    return;
  ::kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  std::filesystem::remove(socket());
  process_ = -1;
}

void RedisServer::signal(int name) { ::kill(process_, name); }

std::optional<std::string> RedisServer::ask(std::initializer_list<std::string_view> words) {
  const std::unique_ptr<redisContext, decltype(&redisFree)> connection(redisConnectUnix(socket().c_str()), &redisFree);
  const std::string command = service::redis_command(words);
  void* raw = nullptr;
  if (connection == nullptr || connection->err != 0 ||
      redisAppendFormattedCommand(connection.get(), command.data(), command.size()) != REDIS_OK ||
      redisGetReply(connection.get(), &raw) != REDIS_OK)
    return "no reply";
  const std::unique_ptr<redisReply, void (*)(redisReply*)> reply(static_cast<redisReply*>(raw),
                                                                 [](redisReply* r) { freeReplyObject(r); });
  switch (reply->type) {
  case REDIS_REPLY_NIL: return std::nullopt;
  case REDIS_REPLY_INTEGER: return std::to_string(reply->integer);
  case REDIS_REPLY_ERROR: return "-" + std::string(reply->str, reply->len);
  case REDIS_REPLY_ARRAY: return std::to_string(reply->elements) + " replies";
  default: return std::string(reply->str, reply->len);
  }
}

int RedisServer::kill_clients() {
  return std::stoi(ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}).value());
}
