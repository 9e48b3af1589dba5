#include <distilbert/tasks/entities.hpp>
#include <doctest/doctest.h>

using namespace distilbert;

namespace {

const std::vector<std::string> bio = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC", "LABEL-X"};

const Tokenizer& tokenizer() {
  static const Tokenizer made = Tokenizer::from_vocabulary(
      "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nmicro\n##soft\ncompany\nnew\nyork\ncafe\n##s\n.\n'\ns\n");
  return made;
}

/// Scores of one token: most to the label, and 0.01 to each other one.
struct Likely {
  std::size_t label;
  float score;
};

std::vector<Entity> find(std::string_view text, const std::vector<Likely>& tokens, Aggregation aggregation,
                         const std::vector<std::string>& ignored = {}) {
  const Encoding window = tokenizer().encode(text);
  REQUIRE(window.size() == tokens.size() + 2);
  std::vector<float> scores(window.size() * bio.size(), 0.01f);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    scores[(i + 1) * bio.size() + tokens[i].label] = tokens[i].score;
  return detail::EntityFinder(tokenizer(), bio, aggregation, ignored).find(text, window, scores.data());
}

/// "label word", and so on
std::string spelled(const std::vector<Entity>& entities) {
  std::string text;
  for (const Entity& entity : entities)
    text += (text.empty() ? "" : ", ") + entity.label + " " + entity.word;
  return text;
}

constexpr std::size_t O = 0, b_per = 1, i_per = 2, b_loc = 3, i_loc = 4, other = 5;

} // namespace

TEST_CASE("neighbours of one label are one entity; B- begins another") {
  const auto labelled = [](std::vector<std::size_t> labels) {
    std::vector<Likely> tokens;
    for (const std::size_t label : labels)
      tokens.push_back({label, 0.9f});
    return spelled(find("new york new york new", tokens, Aggregation::simple, {"O"}));
  };
  CHECK(labelled({b_per, i_per, i_per, b_loc, b_loc}) == "PER new york new, LOC york, LOC new");
  CHECK(labelled({i_per, i_per, b_per, i_loc, i_per}) == "PER new york, PER new, LOC york, PER new");
  CHECK(labelled({O, i_loc, O, b_loc, i_loc}) == "LOC york, LOC york new");
  CHECK(labelled({other, other, O, other, b_per}) == "X new york, X york, PER new"); // what follows the first "-"
  CHECK(labelled({O, O, O, O, O}).empty());
}

TEST_CASE("a word has one label: its first token's, its surest token's, or the best on average") {
  const std::vector<Likely> tokens = {{b_loc, 0.5f}, {i_per, 0.8f}, {i_loc, 0.6f}};
  const auto found = [&](Aggregation aggregation) { return find("microsoft company", tokens, aggregation); };
  CHECK(spelled(found(Aggregation::none)) == "B-LOC micro, I-PER ##soft, I-LOC company");
  CHECK(spelled(found(Aggregation::simple)) == "LOC micro, PER ##soft, LOC company");
  CHECK(spelled(found(Aggregation::first)) == "LOC microsoft company");
  CHECK(spelled(found(Aggregation::max)) == "PER microsoft, LOC company");
  CHECK(spelled(found(Aggregation::average)) == "PER microsoft, LOC company");
  CHECK(found(Aggregation::first)[0].score == doctest::Approx(0.55));
  CHECK(found(Aggregation::max)[0].score == doctest::Approx(0.8));
  CHECK(found(Aggregation::average)[0].score == doctest::Approx(0.405));
  CHECK(found(Aggregation::none)[1].index == 2);
  CHECK(found(Aggregation::none)[1].begin == 5);
  CHECK(found(Aggregation::none)[1].end == 9);
  CHECK(found(Aggregation::first)[0].begin == 0);
  CHECK(found(Aggregation::first)[0].end == 17);
}

TEST_CASE("of equal scores the label of the lowest id, and the first token, counts") {
  const auto even = find("microsoft", {{O, 0.01f}, {O, 0.01f}}, Aggregation::max);
  CHECK(spelled(even) == "O microsoft");
  CHECK(spelled(find("microsoft", {{b_loc, 0.7f}, {b_per, 0.7f}}, Aggregation::max)) == "LOC microsoft");
}

TEST_CASE("ignored labels are those that entities have") {
  const std::vector<Likely> tokens = {{b_loc, 0.9f}, {b_per, 0.9f}};
  CHECK(spelled(find("new york", tokens, Aggregation::none, {"B-LOC", "PER"})) == "B-PER york");
  CHECK(spelled(find("new york", tokens, Aggregation::simple, {"B-LOC", "PER"})) == "LOC new");
  CHECK(find("new york", tokens, Aggregation::first, {"LOC", "PER"}).empty());
}

TEST_CASE("an unknown token is a word of its own, spelled as in the text") {
  const std::vector<Likely> tokens = {{b_loc, 0.9f}, {i_loc, 0.9f}, {i_loc, 0.9f}};
  const auto words =
      find("new Zo\u00eb's", {{b_loc, 0.9f}, {i_loc, 0.9f}, {i_loc, 0.9f}, {i_per, 0.9f}}, Aggregation::first);
  CHECK(spelled(words) == "LOC new Zo\u00eb ', PER s");
  CHECK(spelled(find("Oxford . York", tokens, Aggregation::average)) == "LOC Oxford. york");
}

TEST_CASE("a token goes on with the word before it if it has another length than its place, as in the reference") {
  const auto found = [](const char* text, std::size_t n) {
    std::vector<Likely> tokens;
    for (std::size_t i = 0; i < n; ++i)
      tokens.push_back({i == 0 ? b_loc : b_per, 0.9f});
    return spelled(find(text, tokens, Aggregation::first));
  };
  CHECK(found("new caf\u00e9", 2) == "LOC new, PER cafe");  // one character for one
  CHECK(found("new cafe\u0301", 2) == "LOC new, PER cafe"); // the accent is no part of the token's place
  CHECK(found("new c\u0301afe", 2) == "LOC new cafe");      // but here it is
  CHECK(found("new cafes", 3) == "LOC new, PER cafes");
}

TEST_CASE("of overlapping entities the longest stays, then the surest") {
  const auto kept = [](std::vector<Entity> entities) {
    return spelled(detail::without_overlaps("\u00e9\u00e9\u00e9\u00e9 abcdefgh", std::move(entities)));
  };
  CHECK(kept({}).empty());
  CHECK(kept({{"A", 0.5f, "", 0, 2}, {"B", 0.9f, "", 2, 4}}) == "A , B ");
  CHECK(kept({{"A", 0.5f, "", 0, 8}, {"B", 0.9f, "", 4, 8}}) == "A ");
  CHECK(kept({{"A", 0.5f, "", 9, 11}, {"B", 0.4f, "", 10, 13}}) == "B ");
  CHECK(kept({{"A", 0.5f, "", 9, 12}, {"B", 0.6f, "", 10, 13}}) == "B ");
  CHECK(kept({{"A", 0.6f, "", 9, 12}, {"B", 0.6f, "", 10, 13}}) == "A ");
  CHECK(kept({{"B", 0.6f, "", 12, 14}, {"A", 0.6f, "", 9, 11}}) == "A , B "); // in the order of the text
  CHECK(kept({{"A", 0.6f, "", 4, 8}, {"B", 0.6f, "", 6, 12}}) == "B ");       // two characters, then five
  CHECK(kept({{"A", 0.9f, "", 0, 8}, {"B", 0.6f, "", 6, 12}}) == "B ");       // four characters, then five
  CHECK(kept({{"A", 0.9f, "", 0, 8}, {"B", 0.6f, "", 6, 10}}) == "A ");       // four characters, then three
}

TEST_CASE("without a prefix for pieces, white space alone tells words apart") {
  TokenizerConfig config;
  config.word_piece.continuing_subword_prefix = "";
  const Tokenizer bare =
      Tokenizer::from_vocabulary("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nmicro\nsoft\nnew\n.\n", config);
  const std::string text = "microsoft new.";
  const Encoding window = bare.encode(text);
  const std::vector<float> scores(window.size() * bio.size(), 0.1f);
  const auto words = detail::EntityFinder(bare, {"B-A"}, Aggregation::first, {}).find(text, window, scores.data());
  REQUIRE(words.size() == 2);
  CHECK(words[0].end == 9);
  CHECK(words[1].begin == 10);
  CHECK(words[1].end == 14);
}
