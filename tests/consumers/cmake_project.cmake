# cmake -D project=... -D program=... -D work=... -D source=... -D prefix=... -D cache=... -P cmake_project.cmake
# Configures and builds a project outside this build tree, with the library installed in prefix, and runs its program.

include(${CMAKE_CURRENT_LIST_DIR}/check_answers.cmake)

file(REMOVE_RECURSE ${work})
execute_process(
  COMMAND ${CMAKE_COMMAND} -S ${project} -B ${work} -C ${cache} -D CMAKE_PREFIX_PATH=${prefix}
          -D DISTILBERT_SOURCE_DIR=${source}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${work} COMMAND_ERROR_IS_FATAL ANY)
check_answers(${work}/${program} ${source})
