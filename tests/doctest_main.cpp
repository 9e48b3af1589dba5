// The main function of every doctest executable, compiled once.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#define DOCTEST_CONFIG_IMPLEMENT // said, too, because the header was precompiled without
#include <doctest/doctest.h>
