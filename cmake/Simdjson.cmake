# simdjson compiled into what is linked, for programs and Python modules that must not need its shared library: Debian
# packages no other.
#
# Its source comes from the Python source package pysimdjson, which carries it in one file. A copy that lies in
# DISTILBERT_SIMDJSON_SOURCE already is not fetched again.

if(TARGET simdjson::simdjson)
  return()
endif()

set(DISTILBERT_SIMDJSON_SOURCE "${PROJECT_BINARY_DIR}/simdjson" CACHE PATH
  "Folder of simdjson.h and simdjson.cpp; fetched if they are not there")

if(NOT EXISTS "${DISTILBERT_SIMDJSON_SOURCE}/simdjson.cpp")
  find_package(Python 3.9 REQUIRED COMPONENTS Interpreter)
  set(archive "${PROJECT_BINARY_DIR}/simdjson_archive/pysimdjson-7.0.2.tar.gz")
  cmake_path(GET archive PARENT_PATH archive_dir)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -m pip --disable-pip-version-check download --quiet --no-deps
            --no-binary pysimdjson --dest ${archive_dir} pysimdjson==7.0.2
    ERROR_VARIABLE complaint)
  set(hash "")
  if(EXISTS "${archive}")
    file(SHA256 "${archive}" hash)
  endif()
  if(NOT hash STREQUAL 44cf276e48912a3b9c7ca362c14da8420a7ac15a9f1a16ec95becff86db3904a)
    message(FATAL_ERROR "The source of simdjson is missing: pip could not fetch the source package pysimdjson 7.0.2. "
      "Put simdjson.h and simdjson.cpp (3.x, the single-header files of a release) into a folder and name it with "
      "-DDISTILBERT_SIMDJSON_SOURCE=FOLDER, or --config-settings=cmake.define.DISTILBERT_SIMDJSON_SOURCE=FOLDER for "
      "pip.\n${complaint}")
  endif()
  file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${archive_dir}" PATTERNS "*/simdjson/simdjson.*")
  file(COPY "${archive_dir}/pysimdjson-7.0.2/simdjson/" DESTINATION "${DISTILBERT_SIMDJSON_SOURCE}")
endif()

add_library(simdjson_static STATIC "${DISTILBERT_SIMDJSON_SOURCE}/simdjson.cpp")
target_compile_features(simdjson_static PUBLIC cxx_std_17)
target_include_directories(simdjson_static SYSTEM PUBLIC "${DISTILBERT_SIMDJSON_SOURCE}")
set_target_properties(simdjson_static PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden)
# Imported, as from the package: the install rules export its name, not the library.
add_library(simdjson::simdjson INTERFACE IMPORTED)
target_link_libraries(simdjson::simdjson INTERFACE simdjson_static)
