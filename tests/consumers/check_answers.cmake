# check_answers(<program> <source>): runs a program on the default model and looks at what it says.
function(check_answers program source)
  execute_process(
    COMMAND ${program} ${source}/models/sst2 "a joy from first to last" "two hours I will not get back"
    OUTPUT_VARIABLE answers COMMAND_ERROR_IS_FATAL ANY)
  if(NOT answers MATCHES "^POSITIVE [01]\\.[0-9]+\nNEGATIVE [01]\\.[0-9]+\n$")
    message(FATAL_ERROR "unexpected answers:\n${answers}")
  endif()
endfunction()
