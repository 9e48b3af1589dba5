#pragma once
// What the files of one level need from the compiler: functions built for an instruction set that the translation unit
// was not told of, loops that are unrolled at -O2 too, and helpers that are inlined at any level.
//
// Rules inside a region: no lambdas (clang's attribute does not reach them) and nothing from std or Eigen but types,
// because a template defined outside keeps the unit's own instruction set.

#define DISTILBERT_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define DISTILBERT_REGION_BEGIN(features)                                                                              \
  DISTILBERT_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define DISTILBERT_REGION_END DISTILBERT_PRAGMA(clang attribute pop)
#define DISTILBERT_UNROLL DISTILBERT_PRAGMA(unroll)
#else
// g++ 12 takes the don't-care operands of its own AVX-512 intrinsics for mistakes (GCC bug 105593), and at -O0, where
// some are macros, the conversions inside them; clang, which has neither trait, watches over our own.
#define DISTILBERT_REGION_BEGIN(features)                                                                              \
  DISTILBERT_PRAGMA(GCC push_options)                                                                                  \
  DISTILBERT_PRAGMA(GCC target(features))                                                                              \
  DISTILBERT_PRAGMA(GCC diagnostic push)                                                                               \
  DISTILBERT_PRAGMA(GCC diagnostic ignored "-Wmaybe-uninitialized")                                                    \
  DISTILBERT_PRAGMA(GCC diagnostic ignored "-Wuninitialized")                                                          \
  DISTILBERT_PRAGMA(GCC diagnostic ignored "-Wsign-conversion")
#define DISTILBERT_REGION_END DISTILBERT_PRAGMA(GCC diagnostic pop) DISTILBERT_PRAGMA(GCC pop_options)
#define DISTILBERT_UNROLL DISTILBERT_PRAGMA(GCC unroll 16)
#endif

#define DISTILBERT_INLINE inline __attribute__((always_inline))
