# The functions that the folders of tests/ use. A test is named <folder>.<name>, and the folder is its ctest label, so
# that `ctest -L text` runs that part alone. HEAVY adds the label "heavy": takes minutes, left out by the quick and the
# sanitizer runs, which do not even build it (DISTILBERT_HEAVY_TESTS).

# distilbert_test(<folder>.<name> SOURCES <file>... [LIBRARIES <target>...] [LABELS <label>...]
#   [HEAVY] [HEADER_ONLY] [OWN_NEW])
# One doctest executable, compiled with DISTILBERT_TEST_FLAGS but where optimisation counts: HEAVY ones compute for
# minutes, and HEADER_ONLY ones compile the kernels themselves, as users' programs do. OWN_NEW: it replaces operator
# new, which clang's ThreadSanitizer keeps for itself: not built there.
function(distilbert_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "HEAVY;HEADER_ONLY;OWN_NEW" "" "SOURCES;LIBRARIES;LABELS")
  if((arg_HEAVY AND NOT DISTILBERT_HEAVY_TESTS) OR
     (arg_OWN_NEW AND CMAKE_CXX_FLAGS MATCHES "-fsanitize=thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang"))
    return()
  endif()
  string(REPLACE "." "_" target "${name}_test")
  add_executable(${target} ${arg_SOURCES})
  distilbert_compile_options(${target})
  target_compile_definitions(${target} PRIVATE DISTILBERT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  set(library distilbert_kernels)
  if(arg_HEADER_ONLY)
    set(library distilbert::distilbert)
  elseif(NOT arg_HEAVY)
    target_compile_options(${target} PRIVATE ${DISTILBERT_TEST_FLAGS})
  endif()
  if(NOT arg_HEADER_ONLY AND (NOT arg_HEAVY OR DISTILBERT_TEST_FLAGS STREQUAL ""))
    distilbert_reuse_precompiled(${target} distilbert_doctest_main)
  endif()
  target_link_libraries(${target} PRIVATE ${library} distilbert_doctest_main ${arg_LIBRARIES})
  add_test(NAME ${name} COMMAND ${target})
  distilbert_test_properties(${name} "${arg_LABELS}" ${arg_HEAVY})
endfunction()

# distilbert_python_test(<folder>.<name> SCRIPT <file.py> [ARGS <arg>...] [LABELS <label>...] [HEAVY])
# One script, run with the packages of tests/requirements.txt.
function(distilbert_python_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "HEAVY" "SCRIPT" "ARGS;LABELS")
  cmake_path(ABSOLUTE_PATH arg_SCRIPT BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND "${DISTILBERT_PYTHON_ENVIRONMENT}/bin/python" "${arg_SCRIPT}" ${arg_ARGS})
  distilbert_test_properties(${name} "python;${arg_LABELS}" ${arg_HEAVY})
  set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED python)
endfunction()

# distilbert_test_program(<name> SOURCES <file>... [LIBRARIES <target>...])
# A helper that tests start: $DISTILBERT_BIN/tests/<name>.
function(distilbert_test_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${arg_SOURCES})
  distilbert_compile_options(${name})
  target_compile_definitions(${name} PRIVATE DISTILBERT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE distilbert_kernels ${arg_LIBRARIES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${DISTILBERT_BIN_DIR}/tests")
endfunction()

# distilbert_test_properties(<test> <labels> <heavy>): what every test gets.
function(distilbert_test_properties name labels heavy)
  string(REGEX REPLACE "\\..*" "" folder "${name}")
  list(PREPEND labels ${folder})
  set(timeout 600)
  if(heavy)
    list(APPEND labels heavy)
    set(timeout 1800)
  endif()
  set(environment DISTILBERT_BIN=${DISTILBERT_BIN_DIR} DISTILBERT_SOURCE_DIR=${PROJECT_SOURCE_DIR}
    PYTHONDONTWRITEBYTECODE=1)
  set_tests_properties(${name} PROPERTIES
    LABELS "${labels}"
    TIMEOUT ${timeout}
    ENVIRONMENT "${environment}")
endfunction()
