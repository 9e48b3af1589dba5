#pragma once
// The kernels of a program whose files are compiled with DISTILBERT_COMPILED_KERNELS: exactly one of them includes
// this.

#include "dispatch.hpp"
#include "levels.hpp"

#if !defined(DISTILBERT_COMPILED_KERNELS)
#error "compiled_kernels.hpp is for programs that define DISTILBERT_COMPILED_KERNELS in every file"
#endif

distilbert::detail::Levels distilbert::detail::levels() { return all_levels; }
