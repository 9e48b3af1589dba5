#pragma once
// The command line of distilbert-classify.

#include <distilbert/load_options.hpp>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// What to write for each text.
enum class Form { table, json, logits, ids };

struct Options {
  std::filesystem::path model; // empty: the default one
  std::string isa;             // empty: the library's choice
  distilbert::LoadOptions load;
  Form form = Form::table;
  bool logits = false;   // with Form::json: add them
  std::size_t top_k = 0; // 0: the best label only
  std::vector<std::string> texts;
  std::string file; // lines come from it; "-" is standard input; empty: the texts are there, or nothing is to be read
};

/// Exit statuses, as --help lists them.
enum ExitStatus { every_text_answered = 0, some_texts_failed = 1, nothing_done = 2, interrupted_by_user = 130 };

/// Reads the arguments and the environment. Gives the exit status instead if there is nothing more to do: --help and
/// --version have been answered, or the arguments are wrong and that has been said on standard error.
struct ParsedOptions {
  std::optional<Options> options;
  int exit_status = 0;
};
ParsedOptions parse_options(int argc, char** argv);
