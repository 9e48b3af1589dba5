#pragma once
// The kernels of a program whose files are all compiled with DISTILBERT_COMPILED_KERNELS: exactly one of them includes
// this. Without that definition every file has kernels of its own, and there is nothing to do here.

#include "dispatch.hpp"
#include "levels.hpp"

#if defined(DISTILBERT_COMPILED_KERNELS)
distilbert::detail::Levels distilbert::detail::levels() { return all_levels; }
#endif
