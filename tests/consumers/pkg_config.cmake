# cmake -D compiler=... -D flags=... -D work=... -D source=... -D prefix=... -P pkg_config.cmake
# Compiles examples/consumer with what pkg-config says of the library installed in prefix, and runs it.

include(${CMAKE_CURRENT_LIST_DIR}/check_answers.cmake)

set(ENV{PKG_CONFIG_PATH} ${prefix}/share/pkgconfig)
execute_process(COMMAND pkg-config --cflags --libs distilbert OUTPUT_VARIABLE package_flags COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(arguments UNIX_COMMAND "${flags} ${package_flags}")
file(MAKE_DIRECTORY ${work})
execute_process(
  COMMAND ${compiler} -std=c++17 ${source}/examples/consumer/main.cpp ${arguments} -o ${work}/consumer
  COMMAND_ERROR_IS_FATAL ANY)
check_answers(${work}/consumer ${source})
