#include "json.hpp"

#include "json_syntax.hpp"

#include "../../common/json_text.hpp"

#include <distilbert/text/utf8.hpp>

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

namespace service::json {

namespace {

constexpr std::size_t most_details = 100;
constexpr std::size_t kept_bytes = 65'536;

/// A parser that the next document of this thread takes; a document within the life of another finds none.
thread_local std::unique_ptr<simdjson::dom::parser> spare;

[[noreturn]] void refuse(std::string_view body, simdjson::error_code error) {
  if (error == simdjson::MEMALLOC)
    throw std::bad_alloc();
  if (distilbert::find_invalid_utf8(body) != body.npos)
    throw Problem(Problem::Kind::unreadable, "the body is not valid UTF-8");
  if (const auto syntax = find_syntax_error(body)) {
    std::string context = "{\"error\":";
    cli::append_json_string(context, syntax->reason);
    Problem problem({{"json_invalid", {syntax->position}, "JSON decode error", "{}", context + '}'}});
    problem.kind = Problem::Kind::not_json;
    problem.message = "the body is not JSON: " + syntax->reason + " at character " + std::to_string(syntax->position);
    throw problem;
  }
  throw Problem(Problem::Kind::unreadable, error == simdjson::DEPTH_ERROR    ? "the body is nested too deeply"
                                           : error == simdjson::STRING_ERROR ? "the body holds a lone surrogate"
                                                                             : "the body holds a number out of range");
}

} // namespace

Document::Document(std::string_view body) : parser_(std::move(spare)), bytes_(body.size()) {
  if (body.empty())
    throw Problem({{"missing", {}, "Field required", "null", {}}});
  if (!parser_)
    parser_ = std::make_unique<simdjson::dom::parser>();
  simdjson::error_code error = parser_->parse(body.data(), body.size()).get(root_);
  if (body.substr(0, 3) == "\xEF\xBB\xBF") // which later versions of simdjson skip
    error = simdjson::TAPE_ERROR;
  if (error != simdjson::SUCCESS)
    refuse(body, error);
}

Document::~Document() {
  if (bytes_ <= kept_bytes)
    spare = std::move(parser_);
}

Value Document::root() { return {*this, root_, {}, true}; }

const Value::Place* Value::keep() const { return root_ ? nullptr : &document_->places_.emplace_back(place_); }

Path Value::path() const {
  Path path;
  for (const Place* place = root_ ? nullptr : &place_; place != nullptr; place = place->parent) {
    if (place->key.data() != nullptr)
      path.emplace_back(std::string(place->key));
    else
      path.emplace_back(place->index);
  }
  std::reverse(path.begin(), path.end());
  return path;
}

Detail Value::detail(std::string type, std::string message, std::string context) const {
  return {std::move(type), path(), std::move(message), simdjson::minify(element_), std::move(context)};
}

Problem Value::problem(std::string type, std::string message, std::string context) const {
  return Problem({detail(std::move(type), std::move(message), std::move(context))});
}

std::string_view Value::string() const {
  std::string_view text;
  if (element_.get(text) != simdjson::SUCCESS)
    throw problem("string_type", "Input should be a valid string");
  return text;
}

bool Value::boolean() const {
  bool value = false;
  if (element_.get(value) != simdjson::SUCCESS)
    throw problem("bool_type", "Input should be a valid boolean");
  return value;
}

std::int64_t Value::integer(std::int64_t least, std::int64_t most) const {
  const double approximate = is_number() ? number() : 0;
  if (!is_number())
    throw problem("int_type", "Input should be a valid integer");
  if (approximate != std::floor(approximate))
    throw problem("int_from_float", "Input should be a valid integer, got a number with a fractional part");
  std::int64_t value = 0;
  // What does not fit 64 bits lies beyond every limit: 2^53 and more as a double, 2^63 and more as an integer.
  if (element_.get(value) != simdjson::SUCCESS)
    value = std::abs(approximate) < 9e15 ? static_cast<std::int64_t>(approximate)
            : approximate < 0            ? std::numeric_limits<std::int64_t>::min()
                                         : std::numeric_limits<std::int64_t>::max();
  if (value < least)
    throw problem("greater_than_equal", "Input should be greater than or equal to " + std::to_string(least),
                  "{\"ge\":" + std::to_string(least) + '}');
  if (value > most)
    throw problem("less_than_equal", "Input should be less than or equal to " + std::to_string(most),
                  "{\"le\":" + std::to_string(most) + '}');
  return value;
}

double Value::number() const {
  double value = 0;
  if (element_.get(value) != simdjson::SUCCESS)
    throw problem("float_type", "Input should be a valid number");
  return value;
}

simdjson::dom::array Value::items() const {
  simdjson::dom::array items;
  if (element_.get(items) != simdjson::SUCCESS)
    throw problem("list_type", "Input should be a valid list");
  return items;
}

std::vector<Value> Value::array() const {
  std::vector<Value> values;
  const Place* parent = keep();
  for (const simdjson::dom::element element : items())
    values.push_back(item(parent, element, values.size()));
  return values;
}

std::vector<std::string_view> Value::strings() const {
  std::vector<std::string_view> texts;
  std::vector<Detail> wrong;
  const Place* parent = keep();
  for (const simdjson::dom::element element : items()) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS && wrong.size() < most_details)
      wrong.push_back(item(parent, element, texts.size()).detail("string_type", "Input should be a valid string"));
    texts.push_back(text);
  }
  if (!wrong.empty())
    throw Problem(std::move(wrong));
  return texts;
}

std::vector<std::int32_t> Value::integers(std::int32_t least, std::int32_t most) const {
  std::vector<std::int32_t> numbers;
  const Place* parent = keep();
  for (const simdjson::dom::element element : items())
    numbers.push_back(static_cast<std::int32_t>(item(parent, element, numbers.size()).integer(least, most)));
  return numbers;
}

Object Value::object() const {
  if (!is_object())
    throw problem("model_attributes_type", "Input should be a valid dictionary or object to extract fields from");
  return Object(*this);
}

Object::Object(const Value& value) : value_(value), place_(value.keep()) {
  for (const simdjson::dom::key_value_pair& field : simdjson::dom::object(value.element_))
    entries_.push_back({field.key, field.value});
  std::vector<std::string_view> keys;
  for (const Entry& entry : entries_)
    keys.push_back(entry.key);
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  if (twice != keys.end())
    throw at(*twice).problem("duplicate_key", "Keys should be unique");
}

std::optional<Value> Object::find(std::string_view key) const {
  for (const Entry& entry : entries_)
    if (entry.key == key)
      return Value(*value_.document_, entry.element, {place_, entry.key, 0});
  return std::nullopt;
}

std::optional<Value> Object::optional(std::string_view key) const {
  auto value = find(key);
  return value && value->is_null() ? std::nullopt : value;
}

Value Object::at(std::string_view key) const {
  if (auto value = find(key))
    return *value;
  Detail missing = value_.detail("missing", "Field required");
  missing.path.emplace_back(std::string(key));
  throw Problem({std::move(missing)});
}

void Object::only(std::initializer_list<std::string_view> keys, const std::function<void()>& read) const {
  std::vector<Detail> wrong;
  try {
    read();
  } catch (const Problem& problem) {
    if (problem.details.empty())
      throw;
    wrong = problem.details;
  }
  for (const Entry& entry : entries_)
    if (std::find(keys.begin(), keys.end(), entry.key) == keys.end() && wrong.size() < most_details)
      wrong.push_back(Value(*value_.document_, entry.element, {place_, entry.key, 0})
                          .detail("extra_forbidden", "Extra inputs are not permitted"));
  if (!wrong.empty())
    throw Problem(std::move(wrong));
}

void append_float(std::string& out, float x, Floats floats) {
  const std::size_t start = out.size();
  if (floats == Floats::shortest)
    cli::append_number(out, x);
  else
    cli::append_number(out, double{x});
  if (out.find_first_of(".e", start) == out.npos)
    out += ".0";
}

} // namespace service::json
