// distilbert-bench-engine: this library behind the protocol of the benchmark of peers (run.py describes it).

#include <distilbert/distilbert.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Texts = std::vector<std::vector<std::int32_t>>;

template <class Number> void print_numbers(const std::vector<Number>& numbers, char separator) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, numbers[i]).ptr;
    if (i > 0)
      std::putchar(separator);
    std::fwrite(digits, 1, static_cast<std::size_t>(end - digits), stdout);
  }
}

/// "101,2023,102 101,102": the ids of two texts
Texts read_texts(std::string_view line) {
  Texts texts(1);
  for (const char* at = line.data(); at != line.data() + line.size();) {
    std::int32_t id = 0;
    const auto [end, error] = std::from_chars(at, line.data() + line.size(), id);
    if (error != std::errc())
      throw std::runtime_error("an id expected");
    texts.back().push_back(id);
    at = end;
    if (at != line.data() + line.size() && *at++ == ' ')
      texts.emplace_back();
  }
  return texts;
}

/// What an engine does with the inputs that it was told
class Engine {
public:
  virtual ~Engine() = default;
  virtual void set_input(std::string_view) = 0;
  virtual void run() = 0;
  virtual void print_answer() const = 0;
};

class Classifier : public Engine {
public:
  Classifier(const std::string& model, const distilbert::LoadOptions& options)
      : classifier_(distilbert::TextClassifier::from_pretrained(model, options)) {}

  void set_input(std::string_view line) override { texts_ = read_texts(line); }
  void run() override { logits_ = classifier_.logits(texts_); }
  void print_answer() const override { print_numbers(logits_, ' '); }

protected:
  distilbert::TextClassifier classifier_;
  std::vector<float> logits_;

private:
  Texts texts_;
};

std::vector<std::string> lines_of(std::string_view file) {
  std::vector<std::string> lines;
  std::ifstream in{std::string(file)};
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

/// Its input is a file with a text on each line; each is a call of its own.
class OneByOne : public Classifier {
public:
  using Classifier::Classifier;

  void set_input(std::string_view file) override { texts_ = lines_of(file); }
  void run() override {
    logits_.clear();
    for (const std::string& text : texts_)
      for (const float logit : classifier_.logits(std::vector<std::string_view>{text}))
        logits_.push_back(logit);
  }

private:
  std::vector<std::string> texts_;
};

/// Its input is a file with a text on each line, its answer the ids of all texts one after the other.
class TextEncoder : public Engine {
public:
  explicit TextEncoder(const std::string& model) : tokenizer_(distilbert::Tokenizer::from_pretrained(model)) {}

  void set_input(std::string_view file) override { texts_ = lines_of(file); }
  void run() override {
    ids_.clear();
    for (const std::string& text : texts_)
      tokenizer_.append_ids(text, 0, ids_);
  }
  void print_answer() const override { print_numbers(ids_, ' '); }

private:
  distilbert::Tokenizer tokenizer_;
  std::vector<std::string> texts_;
  std::vector<std::int32_t> ids_;
};

void print_times(Engine& engine, double budget) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  double sum = 0;
  do {
    const auto start = Clock::now();
    engine.run();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    sum += times.back();
  } while (sum < budget);
  print_numbers(times, ' ');
}

void serve(Engine& engine) {
  for (std::string line; std::getline(std::cin, line);) {
    const std::size_t space = line.find(' ');
    const std::string_view command = std::string_view(line).substr(0, space);
    const std::string_view rest = space == std::string::npos ? "" : std::string_view(line).substr(space + 1);
    if (command == "input" || command == "sorted") {
      engine.set_input(rest);
    } else if (command == "answer") {
      engine.run();
      engine.print_answer();
    } else if (command == "time") {
      print_times(engine, std::strtod(rest.data(), nullptr));
    } else {
      throw std::runtime_error("unknown command: " + line);
    }
    std::putchar('\n');
    std::fflush(stdout);
  }
}

} // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (arguments.size() != 5) {
    std::fputs("usage: distilbert-bench-engine MODEL fp32|bf16|int8|int8-texts|tokenizer THREADS map|copy\n", stderr);
    return 2;
  }
  try {
    std::unique_ptr<Engine> engine;
    if (arguments[2] == "tokenizer") {
      engine = std::make_unique<TextEncoder>(arguments[1]);
    } else {
      distilbert::LoadOptions options;
      const std::string precision = arguments[2].substr(0, arguments[2].find('-'));
      options.precision = distilbert::precision_from_name(precision);
      options.threads = std::strtoul(arguments[3].c_str(), nullptr, 10);
      options.memory = arguments[4] == "copy" ? distilbert::Memory::copy : distilbert::Memory::map;
      if (arguments[2] == precision)
        engine = std::make_unique<Classifier>(arguments[1], options);
      else
        engine = std::make_unique<OneByOne>(arguments[1], options);
    }
    std::puts("ready");
    std::fflush(stdout);
    serve(*engine);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "distilbert-bench-engine: %s\n", e.what());
    return 1;
  }
}
