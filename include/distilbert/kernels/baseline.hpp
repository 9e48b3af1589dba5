#pragma once
// DISTILBERT_BASELINE names the instruction set that this translation unit is compiled for. As an inline namespace it
// keeps apart the kernels that units with different -m flags make of the same source: no kernel is stitched together
// from parts of two. Which unit's set a program ends up with is the linker's choice, so a program with mixed flags runs
// on CPUs that have all of them.

#if defined(__AVX512F__)
#define DISTILBERT_BASELINE baseline_avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define DISTILBERT_BASELINE baseline_avx2
#elif defined(__AVX__)
#define DISTILBERT_BASELINE baseline_avx
#elif defined(__SSE4_1__)
#define DISTILBERT_BASELINE baseline_sse4
#elif defined(__ARM_FEATURE_DOTPROD)
#define DISTILBERT_BASELINE baseline_neon_dotprod
#else
#define DISTILBERT_BASELINE baseline_default
#endif
