#pragma once
// JSON of requests: a body read whole, and values that know their place in it, so that an error can name it.

#include "problem.hpp"

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace service::json {

class Document;
class Object;

/// A value of a Document, valid as long as that. What it cannot give is a Problem of kind invalid, which names the
/// place, in pydantic's words.
class Value {
public:
  bool is_null() const { return element_.is_null(); }
  bool is_string() const { return element_.is_string(); }
  bool is_number() const { return element_.is_number(); }
  bool is_array() const { return element_.is_array(); }
  bool is_object() const { return element_.is_object(); }

  /// Valid UTF-8, into the document's memory; may hold U+0000.
  std::string_view string() const;
  bool boolean() const;
  /// A number without fraction ("2.0" is one) in [least, most].
  std::int64_t integer(std::int64_t least, std::int64_t most) const;
  /// Any number; finite.
  double number() const;
  /// The items of an array.
  std::vector<Value> array() const;
  /// The items of an array that are all strings; the Problem names each one that is not, a hundred at most.
  std::vector<std::string_view> strings() const;
  /// The items of an array that are all integers in [least, most]; the Problem names the first that is not.
  std::vector<std::int32_t> integers(std::int32_t least, std::int32_t most) const;
  /// Problem also for a key that is there twice, "duplicate_key", whichever way the two are escaped.
  Object object() const;

  /// A Problem with this value, to throw. `context`: a JSON object, or empty.
  Problem problem(std::string type, std::string message, std::string context = {}) const;
  Detail detail(std::string type, std::string message, std::string context = {}) const;
  Path path() const;
  /// For what is not here.
  simdjson::dom::element element() const { return element_; }

private:
  friend class Document;
  friend class Object;

  /// One step of the way, chained to the step before it.
  struct Place {
    const Place* parent = nullptr;
    std::string_view key; // null data: an index
    std::size_t index = 0;
  };

  Value(Document& document, simdjson::dom::element element, Place place, bool root = false)
      : document_(&document), element_(element), place_(place), root_(root) {}

  /// This value's place where its parts can point to it.
  const Place* keep() const;
  Value item(const Place* parent, simdjson::dom::element element, std::size_t index) const {
    return {*document_, element, {parent, {}, index}};
  }
  simdjson::dom::array items() const;

  Document* document_;
  simdjson::dom::element element_;
  Place place_;
  bool root_;
};

/// The fields of an object, each key once.
class Object {
public:
  /// The value of a key; none if it is not there.
  std::optional<Value> find(std::string_view key) const;
  /// The same, null being as good as absent: for what is optional.
  std::optional<Value> optional(std::string_view key) const;
  /// The value of a key that must be there: "missing".
  Value at(std::string_view key) const;
  /// Runs `read`; then a Problem of what it found wrong, and of each key that is none of these: "extra_forbidden".
  void only(std::initializer_list<std::string_view> keys, const std::function<void()>& read) const;

  const Value& value() const { return value_; }

private:
  friend class Value;
  struct Entry {
    std::string_view key;
    simdjson::dom::element element;
  };

  explicit Object(const Value& value);

  Value value_;
  const Value::Place* place_;
  std::vector<Entry> entries_;
};

/// A body, parsed: one JSON text (RFC 8259) in UTF-8, with nothing behind it, at most 1,024 levels deep, whose integers
/// fit 64 bits and whose other numbers are finite. Lone surrogates ("\ud800") are refused: they are no text.
///
/// The parser's memory is kept for the thread's next document, up to what a body of 64 kB takes. Belongs to one thread.
class Document {
public:
  /// Reads a body, of which nothing is kept. Throws Problem: invalid ("missing") if it is empty, else not_json with the
  /// position, counted in code points, and the reason that Python's json module gives, or unreadable.
  explicit Document(std::string_view body);
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;
  ~Document();

  Value root();

private:
  friend class Value;

  std::unique_ptr<simdjson::dom::parser> parser_;
  simdjson::dom::element root_;
  std::deque<Value::Place> places_;
  std::size_t bytes_;
};

/// How a float32 is written: as the shortest text that reads back as the same float32 (TEI: 0.9998536), or as that of
/// the double it converts to (FastAPI and Hugging Face's Python: 0.9998536109924316).
enum class Floats { shortest, as_double };

/// Appends a number that must be finite; it has a point or an exponent, as in Python and Rust: "1.0".
void append_float(std::string& out, float x, Floats floats);

} // namespace service::json
