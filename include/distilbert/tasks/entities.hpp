#pragma once
// From the scores of tokens to entities: the rules of transformers' token-classification pipeline.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../text/tokenizer.hpp"

namespace distilbert {

/// What becomes one entity.
///   none     a token
///   simple   neighbouring tokens that got the same label, but for "B-" or "I-" before it; "B-" begins another one
///   first    neighbouring words, by the same rule; a word gets the label and the score of its first token,
///   average  the best of the mean of its tokens' scores,
///   max      or that of the token with the highest score
/// As in the pipeline, a token goes on with the word before it if it has not as many characters as its place in the
/// text: "##" is two more, and so may be what the normalizer changed. An unknown token is a word.
enum class Aggregation { none, simple, first, average, max };

/// A part of a text and its label.
struct Entity {
  std::string label; // id2label of the best score; unless aggregation is none, only what follows its first "-" if any
  float score = 0;   // of that label; the mean of the tokens' or words' that the entity is made of
  std::string word;  // its tokens put together by Tokenizer::convert_tokens_to_string; without aggregation, the token
                     // itself; the text itself where the token is unknown
  std::uint32_t begin = 0, end = 0; // where it stands in the text
  std::size_t index = 0;            // without aggregation: the number of the token, [CLS] being 0
};

namespace detail {

inline std::uint32_t count_code_points(std::string_view text) {
  return PositionConverter(text, OffsetUnit::code_points)(static_cast<std::uint32_t>(text.size()));
}

/// Finds entities in the windows of texts.
class EntityFinder {
public:
  /// All three must outlive it.
  EntityFinder(const Tokenizer& tokenizer, const std::vector<std::string>& id2label, Aggregation aggregation,
               const std::vector<std::string>& ignored_labels)
      : tokenizer_(tokenizer), id2label_(id2label), aggregation_(aggregation), ignored_labels_(ignored_labels) {}

  /// window, with offsets in bytes, and scores [tokens, labels] -> its entities in the order of the text, placed by
  /// bytes.
  std::vector<Entity> find(std::string_view text, const Encoding& window, const float* scores) const {
    const bool by_word = aggregation_ != Aggregation::none && aggregation_ != Aggregation::simple;
    std::vector<Entity> entities;
    std::vector<Token> word;
    for (std::size_t i = 0; i < window.size(); ++i) {
      if (window.special_tokens_mask[i])
        continue;
      Token token = read(text, window, i, scores + i * id2label_.size());
      if (!word.empty() && !(by_word && token.continues_word)) {
        entities.push_back(label(word));
        word.clear();
      }
      word.push_back(std::move(token));
    }
    if (!word.empty())
      entities.push_back(label(word));
    if (aggregation_ != Aggregation::none)
      entities = group(entities);
    entities.erase(std::remove_if(entities.begin(), entities.end(),
                                  [&](const Entity& entity) {
                                    return std::find(ignored_labels_.begin(), ignored_labels_.end(), entity.label) !=
                                           ignored_labels_.end();
                                  }),
                   entities.end());
    return entities;
  }

private:
  struct Token {
    std::string text;
    Span place;
    std::size_t index;
    const float* scores; // [labels]
    bool continues_word;
  };

  Token read(std::string_view text, const Encoding& window, std::size_t i, const float* scores) const {
    const Span place = window.offsets[i];
    const std::string_view source = text.substr(place.begin, place.end - place.begin);
    if (window.ids[i] == tokenizer_.unk_id())
      return {std::string(source), place, i, scores, false};
    const std::string_view token = tokenizer_.token(window.ids[i]);
    const bool continues = tokenizer_.config().word_piece.continuing_subword_prefix.empty()
                               ? place.begin > 0 && text.substr(place.begin - 1, 2).find(' ') == std::string_view::npos
                               : count_code_points(token) != count_code_points(source);
    return {std::string(token), place, i, scores, continues};
  }

  /// A token, or the tokens of a word, with its label.
  Entity label(const std::vector<Token>& tokens) const {
    const std::size_t labels = id2label_.size();
    const auto best_of = [&](const float* scores) { return std::max_element(scores, scores + labels); };
    const float* scores = tokens[0].scores;
    std::vector<float> mean;
    if (aggregation_ == Aggregation::max) {
      const auto surest = std::max_element(tokens.begin(), tokens.end(), [&](const Token& a, const Token& b) {
        return *best_of(a.scores) < *best_of(b.scores);
      });
      scores = surest->scores;
    } else if (aggregation_ == Aggregation::average) {
      mean.resize(labels);
      for (const Token& token : tokens)
        std::transform(mean.begin(), mean.end(), token.scores, mean.begin(), std::plus<>());
      for (float& score : mean)
        score /= static_cast<float>(tokens.size());
      scores = mean.data();
    }
    const float* best = best_of(scores);
    std::vector<std::string> texts;
    for (const Token& token : tokens)
      texts.push_back(token.text);
    return {id2label_[static_cast<std::size_t>(best - scores)],
            *best,
            tokens.size() == 1 ? texts[0] : tokenizer_.convert_tokens_to_string(texts),
            tokens.front().place.begin,
            tokens.back().place.end,
            aggregation_ == Aggregation::none ? tokens[0].index : 0};
  }

  static bool goes_on(std::string_view last, std::string_view label) {
    const auto begins = [](std::string_view text, std::string_view prefix) { return text.substr(0, 2) == prefix; };
    const auto tag = [&](std::string_view text) {
      return text.substr(begins(text, "B-") || begins(text, "I-") ? 2 : 0);
    };
    return !begins(label, "B-") && tag(label) == tag(last);
  }

  std::vector<Entity> group(const std::vector<Entity>& parts) const {
    std::vector<Entity> groups;
    for (std::size_t first = 0, last = 0; first < parts.size(); first = last) {
      Entity entity = parts[first];
      entity.label.erase(0, entity.label.find('-') + 1); // npos + 1 is 0
      std::vector<std::string> words;
      double sum = 0;
      do {
        words.push_back(parts[last].word);
        sum += double{parts[last].score};
        ++last;
      } while (last < parts.size() && goes_on(parts[last - 1].label, parts[last].label));
      entity.score = static_cast<float>(sum / static_cast<double>(words.size()));
      entity.word = tokenizer_.convert_tokens_to_string(words);
      entity.end = parts[last - 1].end;
      groups.push_back(std::move(entity));
    }
    return groups;
  }

  const Tokenizer& tokenizer_;
  const std::vector<std::string>& id2label_;
  Aggregation aggregation_;
  const std::vector<std::string>& ignored_labels_;
};

/// The entities of a text without those that overlap, as entities of windows that overlap do: from its beginning on,
/// the one with more characters stays, among equals the one with the higher score.
inline std::vector<Entity> without_overlaps(std::string_view text, std::vector<Entity> entities) {
  const auto length = [&](const Entity& entity) {
    return count_code_points(text.substr(entity.begin, entity.end - entity.begin));
  };
  std::stable_sort(entities.begin(), entities.end(),
                   [](const Entity& a, const Entity& b) { return a.begin < b.begin; });
  std::vector<Entity> kept;
  for (Entity& entity : entities) {
    if (kept.empty() || entity.begin >= kept.back().end) {
      kept.push_back(std::move(entity));
      continue;
    }
    const std::uint32_t ours = length(entity), theirs = length(kept.back());
    if (ours > theirs || (ours == theirs && entity.score > kept.back().score))
      kept.back() = std::move(entity);
  }
  return kept;
}

} // namespace detail
} // namespace distilbert
