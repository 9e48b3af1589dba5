// distilbert-classify: texts in, labels out. --help describes its options, formats and exit statuses.

#include "../common/format.hpp"
#include "../common/interrupt.hpp"
#include "../common/model_directory.hpp"
#include "../common/output.hpp"
#include "../common/progress_bar.hpp"
#include "../common/terminal.hpp"
#include "answers.hpp"
#include "input.hpp"
#include "options.hpp"
#include "writers.hpp"

#include <distilbert/distilbert.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

namespace {

using Lines = std::vector<Line>;
using Answers = std::vector<Answer>;

/// What to say of the work itself: progress on a terminal that does not show the output, and a last line below the
/// table or the progress.
struct Feedback {
  bool progress, summary;
};

Feedback feedback_for(Form form) {
  const bool to_terminal = cli::terminal_at(STDERR_FILENO).interactive;
  const bool progress = to_terminal && !cli::same_terminal(STDOUT_FILENO, STDERR_FILENO);
  return {progress, progress || (to_terminal && form == Form::table)};
}

struct Tally {
  std::uint64_t texts = 0, failed = 0, truncated = 0;
};

/// "8 texts in 0.05 s (160/s), 1 truncated"
std::string summary(const Tally& tally, double seconds) {
  std::string text = cli::grouped(tally.texts) + (tally.texts == 1 ? " text in " : " texts in ");
  text += cli::fixed(seconds, seconds < 10 ? 2 : 0) + " s";
  if (tally.texts > 1)
    text += " (" + cli::rate(tally.texts, seconds) + ")";
  if (tally.truncated > 0)
    text += ", " + cli::grouped(tally.truncated) + " truncated";
  if (tally.failed > 0)
    text += ", " + cli::grouped(tally.failed) + " could not be read";
  return text;
}

void report_failures(const Lines& lines, const Answers& answers, const std::string& noun) {
  std::string messages;
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (!answers[i].error.empty())
      messages += noun + ' ' + std::to_string(lines[i].number) + ": " + answers[i].error + '\n';
  std::fputs(messages.c_str(), stderr);
}

/// Takes every text from its source through the model to standard output, until the source ends, the user interrupts or
/// the reader goes away. Returns the exit status.
int answer_all(TextSource& source, const std::function<Answers(const Lines&)>& ask, const Writer& write,
               const std::string& about, Feedback feedback) {
  const auto start = std::chrono::steady_clock::now();
  cli::ProgressBar progress(feedback.progress, source.noun() + std::string("s"), source.bytes());
  Tally tally;
  while (!cli::interrupted()) {
    const Lines lines = source.next();
    if (lines.empty())
      break;
    const Answers answers = ask(lines);
    std::string out;
    write(out, lines, answers);
    if (!cli::write_all(STDOUT_FILENO, out))
      break;

    const std::uint64_t failed_before = tally.failed;
    for (const Answer& answer : answers) {
      tally.failed += answer.error.empty() ? 0u : 1u;
      tally.truncated += answer.truncated ? 1u : 0u;
    }
    tally.texts += lines.size();
    if (tally.failed > failed_before) {
      progress.clear();
      report_failures(lines, answers, source.noun());
    }
    progress.update(tally.texts, source.bytes_taken());
  }
  progress.clear();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (feedback.summary)
    std::fprintf(stderr, "\n  %s%s\n", summary(tally, seconds).c_str(), about.c_str());
  return cli::interrupted() ? interrupted_by_user : tally.failed > 0 ? some_texts_failed : every_text_answered;
}

int run(const Options& options) {
  std::unique_ptr<TextSource> source;
  if (!options.file.empty())
    source = std::make_unique<LineReader>(options.file);
  else
    source = std::make_unique<TextList>(options.texts);
  const std::filesystem::path model = options.model.empty() ? cli::default_model_directory() : options.model;
  const Feedback feedback = feedback_for(options.form);

  if (options.form == Form::ids) {
    const auto tokenizer =
        distilbert::Tokenizer::from_pretrained(model, {options.load.encode_special_tokens, options.load.invalid_utf8});
    const auto ask = [&](const Lines& lines) { return tokenize(tokenizer, options.load.max_length, lines); };
    return answer_all(*source, ask, make_writer(options, {}), "", feedback);
  }

  if (!options.isa.empty())
    distilbert::set_isa(options.isa);
  const auto classifier = distilbert::TextClassifier::from_pretrained(model, options.load);
  const std::string about = " | " + model.lexically_normal().string() + ", " +
                            std::string(distilbert::precision_name(classifier.precision())) + ", " +
                            std::string(distilbert::isa());
  if (options.file.empty() && options.texts.empty()) {
    cli::write_all(STDOUT_FILENO, "the model reproduces the answer stored with it" + about + '\n');
    return every_text_answered;
  }
  const auto ask = [&](const Lines& lines) { return classify(classifier, lines); };
  return answer_all(*source, ask, make_writer(options, classifier.config().id2label), about, feedback);
}

} // namespace

int main(int argc, char** argv) {
  try {
    const ParsedOptions parsed = parse_options(argc, argv);
    if (!parsed.options)
      return parsed.exit_status;
    cli::handle_signals();
    return run(*parsed.options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "distilbert-classify: %s\n", e.what());
    return nothing_done;
  }
}
