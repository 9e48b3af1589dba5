// From nothing to the first answer, files in the page cache: in a process that runs already, and as a process.

#include "micro.hpp"

#include <distilbert/distilbert.hpp>

#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

/// Runs a program to its end, standard output thrown away. Throws if it fails.
void run(std::vector<std::string> command) {
  std::vector<char*> arguments;
  for (std::string& argument : command)
    arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw std::system_error(error, std::generic_category(), command[0]);
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw std::runtime_error(command[0] + " failed");
}

} // namespace

void register_start(const std::string& model) {
  static const std::string text = "two hours that I would have liked to spend on something else";
  add("start/first_answer/" + model, [model](benchmark::State& state) {
    distilbert::LoadOptions options;
    options.threads = 1;
    for (auto _ : state)
      benchmark::DoNotOptimize(distilbert::TextClassifier::from_pretrained(model, options).classify(text).score);
  })->Unit(benchmark::kMillisecond);
  add("start/process/" + model, [model](benchmark::State& state) {
    for (auto _ : state)
      run({DISTILBERT_BENCH_CLASSIFY, "--threads", "1", "--model", model, "--logits", "--", text});
  })->Unit(benchmark::kMillisecond);
}

} // namespace bench
