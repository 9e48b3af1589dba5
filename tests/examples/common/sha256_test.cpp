#include "common/sha256.hpp"

#include <doctest/doctest.h>

#include <string>

TEST_CASE("the examples of FIPS 180-4") {
  const auto hash = [](std::string_view text) {
    cli::Sha256 sha;
    sha.update(text);
    return sha.finish();
  };
  CHECK(hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("parts make a whole") {
  cli::Sha256 whole, parts;
  const std::string text(1000, 'x');
  whole.update(text);
  for (std::size_t i = 0; i < text.size(); i += 7)
    parts.update(std::string_view(text).substr(i, 7));
  CHECK(whole.finish() == parts.finish());
}
