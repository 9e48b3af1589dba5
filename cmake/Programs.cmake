# How the project's own programs and tests are compiled: C++20, many warnings, programs in bin/ of the build folder.

set(DISTILBERT_BIN_DIR "${PROJECT_BINARY_DIR}/bin")

# distilbert_warnings(<target>)
function(distilbert_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
    # g++ 12 sees overlaps in "literal" + std::string that are not there (GCC bug 105651)
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
    $<$<BOOL:${DISTILBERT_WERROR}>:-Werror>)
endfunction()

# distilbert_compile_options(<target>): C++20 and the warnings.
function(distilbert_compile_options target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  distilbert_warnings(${target})
endfunction()

# The kernels, compiled once for all programs, tests and the Python module.
add_library(distilbert_kernels STATIC EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/cmake/compiled_kernels.cpp)
target_compile_definitions(distilbert_kernels PUBLIC DISTILBERT_COMPILED_KERNELS)
target_link_libraries(distilbert_kernels PUBLIC distilbert::distilbert)
set_target_properties(distilbert_kernels PROPERTIES POSITION_INDEPENDENT_CODE ON)
distilbert_compile_options(distilbert_kernels)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize") # else nine tenths of the sanitizers' time go by in here
  target_compile_options(distilbert_kernels PRIVATE -O1)
endif()

# distilbert_precompile(<target> <header>...): headers of other projects that take longer to read than the target's own
# sources to compile. None of ours: one change of theirs would compile everything anew.
function(distilbert_precompile target)
  target_precompile_headers(${target} PRIVATE ${ARGN} <algorithm> <atomic> <chrono> <cmath> <condition_variable>
    <filesystem> <fstream> <functional> <map> <memory> <mutex> <optional> <sstream> <string> <string_view> <thread>
    <tuple> <unordered_map> <utility> <variant> <vector>)
  distilbert_precompiled_warnings(${target})
endfunction()

# distilbert_reuse_precompiled(<target> <other>): the headers that were precompiled for another target.
function(distilbert_reuse_precompiled target other)
  target_precompile_headers(${target} REUSE_FROM ${other})
  distilbert_precompiled_warnings(${target})
endfunction()

# g++ 12 sees overruns within std::string once its header is precompiled, as it does not without.
function(distilbert_precompiled_warnings target)
  target_compile_options(${target} PRIVATE
    "$<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-stringop-overflow>")
endfunction()

# distilbert_program(<name> [NO_INSTALL] SOURCES <file>... [LIBRARIES <target>...])
# makes and, unless told otherwise, installs bin/<name>, linked with the library.
function(distilbert_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_INSTALL" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${arg_SOURCES})
  distilbert_compile_options(${name})
  target_link_libraries(${name} PRIVATE distilbert_kernels ${arg_LIBRARIES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${DISTILBERT_BIN_DIR}")
  if(DISTILBERT_INSTALL AND NOT arg_NO_INSTALL)
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()
