// Any bytes as the body of a request: a Problem that names its place, or values of which every one can be asked for
// anything. What the finder of syntax errors calls broken is refused, and the errors of all protocols are JSON.

#include "../../examples/service/routes/json.cpp"
#include "../../examples/service/routes/json_syntax.cpp"
#include "../../examples/service/routes/problem.cpp"

#include <cmath>
#include <cstdlib>

namespace {

using service::Problem;
using service::json::Value;

void check(bool holds) {
  if (!holds)
    std::abort();
}

void check_error(const Problem& problem) {
  for (const auto style : {service::fastapi_error, service::tei_error, service::lambda_error}) {
    const service::Response response = style(problem);
    check(response.status >= 400);
    simdjson::dom::parser parser;
    check(parser.allocate(response.body.size(), 2048) == simdjson::SUCCESS); // what it shows of a body may lie deep
    check(parser.parse(response.body).error() == simdjson::SUCCESS);
  }
}

template <class Work> void try_to(const Work& work) {
  try {
    work();
  } catch (const Problem& problem) {
    check(problem.kind == Problem::Kind::invalid);
    check_error(problem);
  }
}

void visit(const Value& value, int depth) {
  check(!service::name_of(value.path()).empty());
  try_to([&] { check(distilbert::find_invalid_utf8(value.string()) == std::string_view::npos); });
  try_to([&] { value.boolean(); });
  try_to([&] { check(std::isfinite(value.number())); });
  try_to([&] {
    const auto number = value.integer(-5, 70'000);
    check(number >= -5 && number <= 70'000);
  });
  try_to([&] { value.strings(); });
  try_to([&] { value.integers(0, 30'000); });
  if (depth == 4) // errors show the value: more would cost the square of the length
    return;
  try_to([&] {
    for (const Value& item : value.array())
      visit(item, depth + 1);
  });
  try_to([&] {
    const auto object = value.object();
    object.only({"text"}, [&] { visit(object.at("text"), depth + 1); });
  });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const bool text = distilbert::find_invalid_utf8(body) == body.npos;
  const auto broken = text ? service::json::find_syntax_error(body) : std::nullopt;
  try {
    service::json::Document document(body);
    check(text && !broken);
    visit(document.root(), 0);
  } catch (const Problem& problem) {
    const auto expected = body.empty() ? Problem::Kind::invalid
                          : broken     ? Problem::Kind::not_json
                                       : Problem::Kind::unreadable;
    check(problem.kind == expected);
    check_error(problem);
  }
  return 0;
}
