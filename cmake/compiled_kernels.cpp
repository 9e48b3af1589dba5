#include <distilbert/kernels/compiled_kernels.hpp>
