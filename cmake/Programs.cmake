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

# distilbert_program(<name> [NO_INSTALL] SOURCES <file>... [LIBRARIES <target>...])
# makes and, unless told otherwise, installs bin/<name>, linked with the library.
function(distilbert_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_INSTALL" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${arg_SOURCES})
  distilbert_compile_options(${name})
  target_link_libraries(${name} PRIVATE distilbert::distilbert ${arg_LIBRARIES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${DISTILBERT_BIN_DIR}")
  if(DISTILBERT_INSTALL AND NOT arg_NO_INSTALL)
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()
