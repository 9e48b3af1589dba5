# Conveniences of a build of this project alone; a project that contains it decides these things for itself.

get_property(is_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT is_multi_config AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# clang's and ninja's output is captured by the other's pipe; without this the colours are lost.
if(CMAKE_GENERATOR MATCHES "Ninja")
  add_compile_options(-fdiagnostics-color=always)
endif()
