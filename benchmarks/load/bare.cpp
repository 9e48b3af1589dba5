// distilbert-bench-bare: the rate of the library without a server: threads that classify one text after the other.

#include <distilbert/distilbert.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: distilbert-bench-bare MODEL FILE THREADS SECONDS\n"
               "FILE has a text on each line. Prints texts a second.\n",
               stderr);
    return 2;
  }
  try {
    using Clock = std::chrono::steady_clock;
    distilbert::LoadOptions options;
    options.threads = 1;
    options.memory = distilbert::Memory::copy;
    const auto classifier = distilbert::TextClassifier::from_pretrained(argv[1], options);
    std::vector<std::string> texts;
    std::ifstream in(argv[2]);
    for (std::string line; std::getline(in, line);)
      texts.push_back(line);
    if (texts.empty())
      throw std::runtime_error(std::string(argv[2]) + " holds no text");

    std::atomic<std::size_t> done{0};
    const auto start = Clock::now();
    const auto end = start + std::chrono::duration<double>(std::strtod(argv[4], nullptr));
    std::vector<std::thread> threads;
    for (unsigned long i = std::strtoul(argv[3], nullptr, 10); i > 0; --i)
      threads.emplace_back([&] {
        while (Clock::now() < end)
          classifier.classify(texts[done++ % texts.size()]);
      });
    for (std::thread& thread : threads)
      thread.join();
    std::printf("%.1f\n", static_cast<double>(done) / std::chrono::duration<double>(Clock::now() - start).count());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "distilbert-bench-bare: %s\n", e.what());
    return 1;
  }
}
