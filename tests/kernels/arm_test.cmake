# cmake -D work=... -D source=... -D doctest=... -D eigen=... [-D launcher=...] -P arm_test.cmake
# Compiles the kernel tests for 64-bit Arm, and runs them under qemu on a CPU with the dot product and on one without.

find_program(compiler aarch64-linux-gnu-g++ REQUIRED)
find_program(emulator qemu-aarch64 REQUIRED)

# The folder that doctest lies in holds this machine's system headers too.
file(MAKE_DIRECTORY ${work}/include)
file(CREATE_LINK ${doctest}/doctest ${work}/include/doctest SYMBOLIC)
set(compile ${launcher} ${compiler} -std=c++20 -O2 -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
  -Wno-restrict -Werror -I${source}/include -isystem ${work}/include -isystem ${eigen})

foreach(unit IN ITEMS doctest_main kernels/lane_math_test kernels/dispatch_test kernels/levels_test
    kernels/same_bits_test kernels/sweep_test)
  get_filename_component(name ${unit} NAME)
  execute_process(COMMAND ${compile} -c ${source}/tests/${unit}.cpp -o ${work}/${name}.o COMMAND_ERROR_IS_FATAL ANY)
  list(APPEND objects ${work}/${name}.o)
endforeach()
execute_process(COMMAND ${compiler} -static ${objects} -o ${work}/kernels_test COMMAND_ERROR_IS_FATAL ANY)

# check(<CPU> <levels>): the levels are those that same_bits_test.cpp says it compared.
function(check cpu levels)
  execute_process(COMMAND ${emulator} -cpu ${cpu} ${work}/kernels_test
    OUTPUT_VARIABLE output ECHO_OUTPUT_VARIABLE COMMAND_ERROR_IS_FATAL ANY)
  if(NOT output MATCHES "levels compared: ${levels}\n")
    message(FATAL_ERROR "On ${cpu}, the levels should be: ${levels}")
  endif()
endfunction()
check(max "neon_dotprod neon")
check(cortex-a72 "neon")
