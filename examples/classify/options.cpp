#include "options.hpp"

#include "../common/command_line.hpp"

#include <distilbert/version.hpp>
#include <distilbert/weights/pack.hpp>

#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace {

constexpr const char* description =
    R"(Says which label a text has, for each text: with the default model, whether an English sentence is POSITIVE or
NEGATIVE.
)";

constexpr const char* footer = R"(Where the texts come from:
  Arguments are texts. A single argument that names an existing file is read line by line instead, as is --file;
  "-" is standard input, which is also read if there is no argument and it is not a terminal. A text that begins
  with a dash goes after "--". Lines end in LF or CR LF; an empty line is an empty text.

What --json writes, one object a line, in the order of the texts:
  {"text":"...","label":"POSITIVE","score":0.998,"tokens":9,"truncated":false}
  --top-k adds "scores":[{"label":"...","score":...},...], best first; --logits adds "logits":[...] in the order
  of the model's labels. "tokens" counts those that were read, [CLS] and [SEP] included; "truncated" says that the
  text had more. Numbers are the shortest that read back as the same float32.

What becomes of a text that cannot be read, usually because it is not valid UTF-8:
  Standard error tells why, with the number of its line; the rest goes on. In the output it keeps its place:
  {"line":17,"error":"..."} with --json, null with --tokenize, an empty line with --logits, a dash in the table.

Exit status:
  0 all texts answered, 1 some could not be read, 2 wrong usage or no model, 130 interrupted.

Examples:
  distilbert-classify "What a film!" "Two hours I will not get back."
  distilbert-classify reviews.txt
  distilbert-classify --json --top-k 2 < reviews.txt > answers.jsonl
  printf 'good\nbad\n' | distilbert-classify --logits
  distilbert-classify --tokenize --model my-model "unaffable"
)";

bool names_a_file(const std::string& text) {
  std::error_code error;
  const auto status = std::filesystem::status(text, error);
  return !error && std::filesystem::exists(status) && !std::filesystem::is_directory(status);
}

/// Decides between texts, file and standard input; false if there is nothing to read at all.
bool choose_input(Options& options) {
  if (!options.file.empty()) {
    if (!options.texts.empty())
      throw cli::UsageError("--file and texts as arguments exclude each other");
  } else if (options.texts.size() == 1 && (options.texts[0] == "-" || names_a_file(options.texts[0]))) {
    options.file = std::move(options.texts[0]);
    options.texts.clear();
  } else if (options.texts.empty() && !options.load.selfcheck) {
    options.file = "-";
    return !isatty(STDIN_FILENO);
  }
  return true;
}

} // namespace

ParsedOptions parse_options(int argc, char** argv) {
  Options options;
  std::string model, precision;
  bool json = false, logits = false, tokenize = false, replace_invalid_utf8 = false;

  CLI::App app(description, "distilbert-classify");
  app.formatter(std::make_shared<cli::HelpFormatter>());
  app.set_version_flag("--version", std::string("distilbert-classify ") + distilbert::version(), "Print the version");
  app.set_help_flag("-h,--help", "Print this");
  app.footer(footer);

  app.add_option("TEXT", options.texts, "The texts, or one file with a text on each line")->type_name("");
  app.add_option("--file", options.file, "Read the lines of this file; \"-\" is standard input")->type_name("FILE");

  app.add_option("--model", model, "Model directory; by default the model that comes with the program")
      ->type_name("DIR")
      ->envname("DISTILBERT_MODEL")
      ->group("Model");
  app.add_option("--precision", precision, "fp32, bf16 or int8; by default the one that the model is stored in")
      ->type_name("P")
      ->group("Model");
  app.add_option("--threads", options.load.threads, "Threads to use; 0: as many as there are CPUs for this process")
      ->type_name("N")
      ->check(cli::whole_number(0, 1024))
      ->envname("DISTILBERT_THREADS")
      ->group("Model");
  app.add_option("--isa", options.isa, "Instruction set to use, instead of the best one that the CPU has")
      ->type_name("LEVEL")
      ->envname("DISTILBERT_ISA")
      ->group("Model");
  app.add_flag("--selfcheck", options.load.selfcheck,
               "First let the model reproduce the answer stored with it;\nwithout a text, do only that")
      ->group("Model");

  app.add_option("--max-length", options.load.max_length,
                 "Read at most N tokens of a text, [CLS] and [SEP] included;\nby default as many as the model can take")
      ->type_name("N")
      ->check(cli::whole_number(2, 1'000'000))
      ->group("Texts");
  app.add_flag("--special-tokens-as-text", options.load.encode_special_tokens,
               "Read \"[SEP]\" and its like in a text as ordinary characters")
      ->group("Texts");
  app.add_flag("--replace-invalid-utf8", replace_invalid_utf8,
               "Read bytes that are not UTF-8 as U+FFFD instead of refusing the text")
      ->group("Texts");

  app.add_option("--top-k", options.top_k, "Give the N best labels with their scores")
      ->type_name("N")
      ->check(cli::whole_number(1, 1'000'000))
      ->group("Output");
  app.add_flag("--json", json, "Write a JSON object a line")->group("Output");
  app.add_flag("--logits", logits, "Write the raw logits, separated by tabs; with --json, add them")->group("Output");
  auto* ids = app.add_flag("--tokenize", tokenize,
                           "Write the token ids as a JSON array a line;\nneeds only the tokenizer's files")
                  ->group("Output");
  for (const char* other : {"--json", "--logits", "--top-k", "--selfcheck", "--precision"})
    ids->excludes(other);

  try {
    app.parse(cli::IntactArguments::reversed(argc, argv));
    for (std::string& text : options.texts)
      cli::IntactArguments::restore(text);
    cli::IntactArguments::restore(options.file);
    cli::IntactArguments::restore(model);
    options.load.precision = distilbert::precision_from_name(precision);
    if (!precision.empty() && !options.load.precision)
      throw cli::UsageError("--precision: \"" + precision + "\" is not fp32, bf16 or int8");
    if (logits && !json && options.top_k > 0)
      throw cli::UsageError("--top-k needs the table or --json, not --logits alone");
    if (!choose_input(options)) {
      std::fputs(app.help().c_str(), stderr);
      return {std::nullopt, nothing_done};
    }
  } catch (const CLI::Success& asked) {
    return {std::nullopt, app.exit(asked)};
  } catch (const CLI::Error& wrong) {
    std::fprintf(stderr, "distilbert-classify: %s\nTry --help.\n", wrong.what());
    return {std::nullopt, nothing_done};
  }

  options.model = model;
  options.logits = logits;
  options.form = tokenize ? Form::ids : json ? Form::json : logits ? Form::logits : Form::table;
  if (replace_invalid_utf8)
    options.load.invalid_utf8 = distilbert::InvalidUtf8::replace;
  return {std::move(options), 0};
}
