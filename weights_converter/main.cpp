// distilbert-convert: a Hugging Face model directory in, a converted one out.

#include "convert.hpp"
#include "interruption.hpp"
#include "options.hpp"
#include "report.hpp"
#include "terminal_environment.hpp"

#include <cstdio>
#include <exception>

#include <fmt/core.h>

namespace {

convert::Conversion run(const convert::Options& options) {
  convert::TerminalEnvironment terminal;
  return convert::convert(options, terminal);
}

} // namespace

int main(int argc, char** argv) {
  const convert::Options options = convert::read_options(argc, argv);
  convert::catch_interruptions();
  try {
    convert::print_report(run(options));
    return 0;
  } catch (const convert::Interrupted& interruption) {
    convert::die_of(interruption);
  } catch (const convert::ModelExists& e) {
    fmt::print(stderr, "distilbert-convert: {}; --force replaces it\n", e.what());
  } catch (const std::exception& e) {
    fmt::print(stderr, "distilbert-convert: {}\n", e.what());
  }
  return 1;
}
