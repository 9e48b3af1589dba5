#pragma once
// The version of the library: the one place where it is written. CMake reads these lines.

#define DISTILBERT_VERSION_MAJOR 0
#define DISTILBERT_VERSION_MINOR 1
#define DISTILBERT_VERSION_PATCH 0

#define DISTILBERT_DETAIL_STRING(x) #x
#define DISTILBERT_DETAIL_DOTTED(major, minor, patch)                                                                  \
  DISTILBERT_DETAIL_STRING(major) "." DISTILBERT_DETAIL_STRING(minor) "." DISTILBERT_DETAIL_STRING(patch)

namespace distilbert {

/// "major.minor.patch" of the headers that the calling code was compiled with. Versions follow semver.org: while the
/// major number is 0, a new minor number may change the interface.
constexpr const char* version() noexcept {
  return DISTILBERT_DETAIL_DOTTED(DISTILBERT_VERSION_MAJOR, DISTILBERT_VERSION_MINOR, DISTILBERT_VERSION_PATCH);
}

} // namespace distilbert

#undef DISTILBERT_DETAIL_DOTTED
#undef DISTILBERT_DETAIL_STRING
