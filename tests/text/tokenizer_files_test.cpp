#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <distilbert/text/tokenizer.hpp>

#include "support.hpp"

using namespace distilbert;
using support::Ids;
using support::TemporaryDirectory;
using support::thrown_by;

namespace {

const std::string vocabulary = support::small_vocabulary({"film", "##s", "Film"});

/// A tokenizer.json of BERT's kind, with parts replaced.
std::string tokenizer_json(std::initializer_list<std::pair<const char*, const char*>> replacements = {}) {
  std::string json = R"({
    "version": "1.0",
    "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
    "padding": {"strategy": {"Fixed": 128}, "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
    "added_tokens": [
      {"id": 3, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
      {"id": 8, "content": "<new>", "single_word": false, "lstrip": true, "rstrip": false, "normalized": false, "special": false}],
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
      "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
               {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
      "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                         "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
      "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "film": 5, "##s": 6, "Film": 7}}})";
  for (const auto& [from, to] : replacements) {
    const std::size_t at = json.find(from);
    REQUIRE(at != std::string::npos);
    json.replace(at, std::string_view(from).size(), to);
  }
  return json;
}

using Files = std::vector<std::pair<std::string, std::string>>;

Tokenizer load(const Files& files) {
  const TemporaryDirectory directory;
  for (const auto& [name, content] : files)
    directory.write(name, content);
  return Tokenizer::from_pretrained(directory.path());
}

support::Thrown refused(const Files& files) {
  return thrown_by([&] { load(files); });
}

support::Thrown refused_json(std::initializer_list<std::pair<const char*, const char*>> replacements) {
  return refused({{"tokenizer.json", tokenizer_json(replacements)}});
}

} // namespace

TEST_CASE("vocab.txt alone is an uncased BERT") {
  const Tokenizer tokenizer = load({{"vocab.txt", vocabulary}});
  CHECK(tokenizer.encode("Films[SEP]").ids == Ids{2, 5, 6, 3, 3});
  CHECK(tokenizer.config().model_max_length == 0);
}

TEST_CASE("tokenizer_config.json sets the options, and transformers' way of saying \"no limit\" is understood") {
  const Tokenizer cased = load(
      {{"vocab.txt", vocabulary}, {"tokenizer_config.json", R"({"do_lower_case": false, "tokenize_chinese_chars": false,
      "strip_accents": true, "model_max_length": 1000000000000000019884624838656, "tokenizer_class": "DistilBertTokenizer",
      "note": "a \"quoted\" 12345678901234567890123 \\"})"}});
  CHECK(cased.encode("Film films").ids == Ids{2, 7, 5, 6, 3});
  CHECK_FALSE(cased.config().normalizer.lowercase);
  CHECK_FALSE(cased.config().normalizer.handle_chinese_chars);
  CHECK(cased.config().normalizer.strip_accents == true);
  CHECK(cased.config().model_max_length == 0);
  CHECK(load({{"vocab.txt", vocabulary}, {"tokenizer_config.json", R"({"model_max_length": 512})"}})
            .config()
            .model_max_length == 512);
}

TEST_CASE("the side at which texts are cut, and that of padding") {
  const auto sides = [](const std::string& file, const std::string& content, const std::string& config) {
    const Tokenizer tokenizer = load({{file, content}, {"tokenizer_config.json", config}});
    return std::pair(tokenizer.config().truncation_side, tokenizer.config().padding_side);
  };
  const std::string left = R"({"truncation_side": "left"})", right = R"({"truncation_side": "right"})",
                    padding = R"({"padding_side": "left", "truncation_side": null})";
  for (const auto& [file, content] :
       {std::pair("vocab.txt", vocabulary), std::pair("tokenizer.json", tokenizer_json())}) {
    CHECK(sides(file, content, "{}") == std::pair(Side::right, Side::right));
    CHECK(sides(file, content, left) == std::pair(Side::left, Side::right));
    CHECK(sides(file, content, right) == std::pair(Side::right, Side::right));
    CHECK(sides(file, content, padding) == std::pair(Side::right, Side::left));
    for (const char* broken :
         {R"({"truncation_side": "Left"})", R"({"padding_side": ""})", R"({"truncation_side": 1})"})
      CHECK(refused({{file, content}, {"tokenizer_config.json", broken}}).code == ErrorCode::invalid_tokenizer_file);
  }
  CHECK(refused({{"vocab.txt", vocabulary}, {"tokenizer_config.json", R"({"truncation_side": "middle"})"}})
            .mentions(R"(truncation_side must be "left" or "right", it is "middle")"));

  // tokenizer.json's own direction counts where tokenizer_config.json does not say.
  const std::string left_json =
      tokenizer_json({{R"("truncation": {"direction": "Right")", R"("truncation": {"direction": "Left")"}});
  CHECK(load({{"tokenizer.json", left_json}}).config().truncation_side == Side::left);
  CHECK(sides("tokenizer.json", left_json, "{}") == std::pair(Side::left, Side::right));
  CHECK(sides("tokenizer.json", left_json, right) == std::pair(Side::right, Side::right));
  CHECK(refused_json({{R"("truncation": {"direction": "Right")", R"("truncation": {"direction": "left")"}})
            .mentions("truncation.direction"));
  CHECK(load({{"tokenizer.json",
               tokenizer_json({{R"("Fixed": 128}, "direction": "Right")", R"("Fixed": 128}, "direction": "Left")"}})}})
            .config()
            .padding_side == Side::left);
}

TEST_CASE("special tokens by other names") {
  const Tokenizer tokenizer =
      load({{"vocab.txt", "<pad>\n<unk>\n<s>\n</s>\n<mask>\na\n"},
            {"tokenizer_config.json",
             R"({"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>",
      "mask_token": {"__type": "AddedToken", "content": "<mask>", "lstrip": true, "special": true}})"}});
  CHECK(tokenizer.encode("a  <mask>x").ids == Ids{2, 5, 4, 1, 3});
  CHECK(tokenizer.encode("a  <mask>x").offsets[2] == Span{1, 9});
  CHECK(tokenizer.mask_id() == 4);
  CHECK(tokenizer.pad_id() == 0);
}

TEST_CASE("added tokens of tokenizer_config.json") {
  const char* config = R"({"added_tokens_decoder": {
    "9": {"content": "<b>", "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": false},
    "8": {"content": "<a>", "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true},
    "3": {"content": "[SEP]", "special": true}}, "additional_special_tokens": ["<a>", "film"]})";
  const Tokenizer tokenizer = load({{"vocab.txt", vocabulary}, {"tokenizer_config.json", config}});
  CHECK(tokenizer.encode("<a><b>xfilm").ids == Ids{2, 8, 9, 1, 5, 3});
  CHECK(tokenizer.vocabulary_size() == 10);
  CHECK(tokenizer.decode({8, 9, 5}) == "<b>");
  const auto thrown = refused({{"vocab.txt", vocabulary},
                               {"tokenizer_config.json", R"({"added_tokens_decoder": {"12": {"content": "<a>"}}})"}});
  CHECK(thrown.code == ErrorCode::invalid_tokenizer_file);
  CHECK(thrown.mentions("expected 8"));
}

TEST_CASE("the older files") {
  const Tokenizer tokenizer =
      load({{"vocab.txt", vocabulary},
            {"special_tokens_map.json", R"({"additional_special_tokens": ["<a>"], "sep_token": "film"})"},
            {"added_tokens.json", R"({"<A>": 9, "<a>": 8})"}});
  CHECK(tokenizer.sep_id() == 5);
  CHECK(tokenizer.encode("<a>").ids == Ids{2, 8, 5});
  CHECK(tokenizer.config().added_tokens.front().special);
  CHECK(tokenizer.config().added_tokens.at(1).normalized); // not special, so looked for in lower case: never before <a>
}

TEST_CASE("tokenizer.json needs no other file, and its truncation and padding are the caller's business") {
  const Tokenizer tokenizer = load({{"tokenizer.json", tokenizer_json()}});
  CHECK(tokenizer.encode("Films  <new>[SEP][MASK]").ids == Ids{2, 5, 6, 8, 3, 1, 1, 1, 3});
  CHECK(tokenizer.encode("film", "film").type_ids == Ids{0, 0, 0, 1, 1});
  CHECK(tokenizer.mask_id() == 4);
  CHECK(tokenizer.vocabulary_size() == 9);
}

TEST_CASE("whether decoded text is cleaned up once more: as transformers takes it from the files") {
  const std::string none = "{}", yes = R"({"clean_up_tokenization_spaces": true})",
                    no = R"({"clean_up_tokenization_spaces": false})";
  const auto cleans_up = [](const std::string& file, const std::string& content, const std::string& config) {
    return load({{file, content}, {"tokenizer_config.json", config}}).config().clean_up_tokenization_spaces;
  };
  CHECK(load({{"vocab.txt", vocabulary}}).config().clean_up_tokenization_spaces);
  CHECK(cleans_up("vocab.txt", vocabulary, none));
  CHECK_FALSE(cleans_up("vocab.txt", vocabulary, no));
  CHECK_FALSE(load({{"tokenizer.json", tokenizer_json()}}).config().clean_up_tokenization_spaces);
  CHECK_FALSE(cleans_up("tokenizer.json", tokenizer_json(), none));
  CHECK(cleans_up("tokenizer.json", tokenizer_json(), yes));
}

TEST_CASE("tokenizer.json: every option is read") {
  const Tokenizer tokenizer =
      load({{"tokenizer.json", tokenizer_json({{"\"clean_text\": true", "\"clean_text\": false"},
                                               {"\"strip_accents\": null", "\"strip_accents\": false"},
                                               {"\"lowercase\": true", "\"lowercase\": false"},
                                               {"_subword_prefix\": \"##\"", "_subword_prefix\": \"@\""},
                                               {"\"##s\"", "\"@s\""},
                                               {"_word\": 100", "_word\": 5"},
                                               {"\"prefix\": \"##\"", "\"prefix\": \"@\""}})}});
  CHECK(tokenizer.encode("Film films filmss").ids == Ids{2, 7, 5, 6, 1, 3});
  CHECK_FALSE(tokenizer.config().normalizer.clean_text);
  CHECK(tokenizer.config().normalizer.strip_accents == false);
  CHECK(tokenizer.decode({5, 6}) == "films");
}

TEST_CASE("tokenizer.json: BertProcessing, no normalizer, no decoder, no type of the model") {
  std::string json = tokenizer_json({{"\"type\": \"WordPiece\", \"unk_token\"", "\"unk_token\""},
                                     {R"({"type": "WordPiece", "prefix": "##", "cleanup": true})", "null"}});
  const std::size_t normalizer = json.find("{\"type\": \"BertNormalizer\"");
  json.replace(normalizer, json.find('}', normalizer) + 1 - normalizer, "null");
  const std::size_t processor = json.find("{\"type\": \"TemplateProcessing\"");
  json.replace(processor, json.find("\"decoder\"") - processor,
               R"({"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},)");
  const Tokenizer tokenizer = load({{"tokenizer.json", json}});
  CHECK(tokenizer.encode("Film\tfilm").ids == Ids{2, 7, 5, 3});
  CHECK(tokenizer.decode({5, 6}) == "film ##s");
}

TEST_CASE("tokenizer.json counts, and what contradicts it is named") {
  CHECK(load({{"tokenizer.json", tokenizer_json()}, {"vocab.txt", vocabulary}, {"tokenizer_config.json", "{}"}})
            .vocabulary_size() == 9);
  // Of equal lines only the last one counts; the added token then has an id twice, as with the reference.
  const std::string film_at_7 =
      tokenizer_json({{", \"Film\": 7", ""}, {"\"film\": 5", "\"film\": 7"}, {"\"id\": 8", "\"id\": 7"}});
  const std::string film_twice = support::small_vocabulary({"film", "##s", "film"});
  CHECK(load({{"tokenizer.json", film_at_7}, {"vocab.txt", film_twice}}).encode("film").ids == Ids{2, 7, 3});
  const auto other_line = refused(
      {{"tokenizer.json", tokenizer_json()}, {"vocab.txt", support::small_vocabulary({"film", "##x", "Film"})}});
  CHECK(other_line.code == ErrorCode::invalid_tokenizer_file);
  CHECK(other_line.mentions("\"##x\""));
  CHECK(other_line.mentions("\"##s\""));
  CHECK(refused({{"tokenizer.json", tokenizer_json()}, {"vocab.txt", vocabulary + "more\n"}}).mentions("\"more\""));
  for (const char* field :
       {R"({"do_lower_case": false})", R"({"strip_accents": false})", R"({"tokenize_chinese_chars": false})"})
    CHECK(refused({{"tokenizer.json", tokenizer_json()}, {"tokenizer_config.json", field}}).mentions("contradicts"));
}

TEST_CASE("tokenizer.json of another kind of tokenizer is refused with the name of the part") {
  for (const auto& refusal :
       {std::pair{"normalizer", refused_json({{"\"BertNormalizer\"", "\"NFC\""}})},
        {"pre_tokenizer", refused_json({{"\"BertPreTokenizer\"", "\"Whitespace\""}})},
        {"model", refused_json({{"\"type\": \"WordPiece\", \"unk", "\"type\": \"BPE\", \"unk"}})},
        {"post_processor", refused_json({{"\"TemplateProcessing\"", "\"RobertaProcessing\""}})},
        {"post_processor", refused_json({{"{\"id\": \"B\", \"type_id\": 1}", "{\"id\": \"B\", \"type_id\": 0}"}})},
        {"post_processor.single",
         refused_json({{"\"single\": [{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}},", "\"single\": ["}})},
        {"post_processor", refused_json({{"\"ids\": [2]", "\"ids\": [3]"}})},
        {"special_tokens.\"[CLS]\".ids", refused_json({{"\"ids\": [2]", "\"ids\": [2, 2]"}})},
        {"decoder", refused_json({{"\"type\": \"WordPiece\", \"prefix\"", "\"type\": \"BPEDecoder\", \"prefix\""}})}}) {
    const char* part = refusal.first;
    const support::Thrown& thrown = refusal.second;
    CAPTURE(part);
    CAPTURE(thrown.message);
    CHECK(thrown.code == ErrorCode::invalid_tokenizer_file);
    CHECK(thrown.mentions(part));
    CHECK(thrown.mentions("tokenizer.json"));
  }
}

TEST_CASE("broken JSON and wrong types") {
  for (const char* json : {"", "{", "[]", "null", "{} {}", "{\"model\": 1}", "{\"model\": {}}", "\xFF{}"})
    CHECK(refused({{"tokenizer.json", json}}).code == ErrorCode::invalid_tokenizer_file);
  CHECK(refused({{"tokenizer.json", std::string(100000, '[')}}).code == ErrorCode::invalid_tokenizer_file);
  CHECK(refused_json({{"\"film\": 5", "\"film\": -5"}}).mentions("\"film\""));
  CHECK(refused_json({{"\"film\": 5", "\"film\": 6"}}).code == ErrorCode::invalid_vocabulary);
  CHECK(refused_json({{"\"film\": 5", "\"film\": 4000000000"}}).code == ErrorCode::invalid_vocabulary);
  CHECK(refused_json({{"\"lowercase\": true", "\"lowercase\": 1"}})
            .mentions("normalizer.lowercase must be true or false"));
  CHECK(refused_json({{"_word\": 100", "_word\": 10001"}}).mentions("at most 10000"));
  const std::string long_prefix = "_prefix\": \"" + std::string(101, '#');
  CHECK(refused_json({{"_prefix\": \"##", long_prefix.c_str()}}).mentions("at most 100 expected"));
  CHECK(refused_json({{"\"id\": 8", "\"id\": 9"}}).mentions("\"<new>\""));
  CHECK(refused({{"vocab.txt", vocabulary}, {"tokenizer_config.json", "{\"do_lower_case\": \"yes\"}"}})
            .mentions("do_lower_case must be true or false"));
  CHECK(refused({{"vocab.txt", vocabulary}, {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": \"y\"}}"}})
            .mentions("is not an id"));
}

TEST_CASE("a vocab.txt that belongs to another kind of tokenizer") {
  const auto thrown = refused(
      {{"vocab.txt", vocabulary}, {"tokenizer_config.json", R"({"tokenizer_class": "BertJapaneseTokenizer"})"}});
  CHECK(thrown.code == ErrorCode::invalid_tokenizer_file);
  CHECK(thrown.mentions("BertJapaneseTokenizer"));
}

TEST_CASE("a directory without a tokenizer, and a vocab.txt that is no file") {
  CHECK(refused({}).code == ErrorCode::file_not_found);
  CHECK(refused({}).mentions("vocab.txt"));
  const TemporaryDirectory directory;
  REQUIRE(mkfifo((directory.path() / "vocab.txt").c_str(), 0600) == 0);
  CHECK(thrown_by([&] { Tokenizer::from_pretrained(directory.path()); }).code == ErrorCode::file_not_regular);
}

TEST_CASE("errors in vocab.txt name the file") {
  const auto thrown = refused({{"vocab.txt", "[PAD]\n\xC3(\n"}});
  CHECK(thrown.code == ErrorCode::invalid_vocabulary);
  CHECK(thrown.mentions("vocab.txt"));
  CHECK(thrown.mentions("line 2"));
  CHECK(refused({{"vocab.txt", ""}}).code == ErrorCode::invalid_vocabulary);
}

TEST_CASE("a packed vocabulary stands for the vocab.txt that it was made from, and for none") {
  const auto bytes = support::placed(Vocabulary::from_lines(vocabulary).packed());
  const auto packed = Vocabulary::from_packed(bytes);
  const auto is_used = [&](const TokenizerFiles& files) {
    return files.vocabulary.text().data() == packed.text().data();
  };
  const TemporaryDirectory directory;
  for (const Memory memory : {Memory::map, Memory::copy}) {
    CHECK(is_used(read_tokenizer_files(directory.path(), memory, packed)));
    directory.write("tokenizer_config.json", R"({"do_lower_case": false})");
    const TokenizerFiles without = read_tokenizer_files(directory.path(), memory, packed);
    CHECK(is_used(without));
    CHECK_FALSE(without.config.normalizer.lowercase);

    directory.write("vocab.txt", vocabulary);
    CHECK(is_used(read_tokenizer_files(directory.path(), memory, packed)));
    CHECK_FALSE(is_used(read_tokenizer_files(directory.path(), memory)));

    std::string other = vocabulary;
    other[other.find("film")] = 'F'; // one byte
    for (const std::string& content : {other, vocabulary + "\n", vocabulary.substr(1)}) {
      directory.write("vocab.txt", content);
      const TokenizerFiles files = read_tokenizer_files(directory.path(), memory, packed);
      CHECK_FALSE(is_used(files));
      CHECK(files.vocabulary.text() == content);
    }
    for (const char* broken : {"", "\xFF"}) {
      directory.write("vocab.txt", broken);
      TokenizerOptions options;
      options.memory = memory;
      CHECK(thrown_by([&] { Tokenizer::from_pretrained(directory.path(), options, packed); }).code ==
            ErrorCode::invalid_vocabulary);
    }
    std::filesystem::remove(directory.path() / "tokenizer_config.json");
    std::filesystem::remove(directory.path() / "vocab.txt");
  }
  REQUIRE(symlink("vocab.txt", (directory.path() / "vocab.txt").c_str()) == 0); // whether it is there cannot be told
  CHECK(thrown_by([&] { read_tokenizer_files(directory.path(), Memory::copy, packed); }).code ==
        ErrorCode::file_not_readable);
}

TEST_CASE("tokenizer.json counts, whatever vocabulary is packed") {
  const auto packed = Vocabulary::from_packed(support::placed(Vocabulary::from_lines(vocabulary + "more\n").packed()));
  const TemporaryDirectory directory;
  directory.write("tokenizer.json", tokenizer_json());
  CHECK(read_tokenizer_files(directory.path(), Memory::map, packed).vocabulary.size() == 8);
  directory.write("vocab.txt", vocabulary + "more\n");
  CHECK(thrown_by([&] { read_tokenizer_files(directory.path(), Memory::map, packed); }).mentions("disagrees"));
}

TEST_CASE("a tokenizer with a packed vocabulary does what one with a built vocabulary does") {
  const auto directory = support::model_directory();
  const std::string lines = support::read_file(directory / "vocab.txt");
  const auto packed = Vocabulary::from_packed(support::placed(Vocabulary::from_lines(lines).packed()));
  TokenizerOptions options;
  options.invalid_utf8 = InvalidUtf8::replace;
  const auto built = Tokenizer::from_memory(lines, "", options),
             ready = Tokenizer::from_memory("", "", options, packed);
  CHECK(ready.vocabulary_size() == built.vocabulary_size());
  std::string text = support::read_file(support::model_directory() / "README.md");
  for (std::size_t at = 0; at < lines.size(); at += 997) // words, scripts, invented words, cut characters
    text += " " + lines.substr(lines.find('\n', at) + 1, 40) + "xq" + lines.substr(lines.find('\n', at) + 1, 5);
  const auto expected = built.encode(text), found = ready.encode(text);
  CHECK(found.ids == expected.ids);
  CHECK(found.offsets == expected.offsets);
  std::vector<std::int32_t> ids;
  ready.append_ids(text, 0, ids);
  CHECK(ids == expected.ids);
  CHECK(ready.decode(ids) == built.decode(ids));
}
