# DISTILBERT_STATIC: programs that need no other file, neither libraries nor a loader.
#
# Debian packages simdjson as a shared library only. Its sources come from its own repository, in the version of
# Debian 12; a copy that lies in simdjson/ of the build folder already is not fetched again.

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_link_options(-static-pie)

set(OPENSSL_USE_STATIC_LIBS ON)

if(NOT TARGET simdjson::simdjson)
  set(simdjson_dir "${PROJECT_BINARY_DIR}/simdjson")
  set(simdjson_url "https://raw.githubusercontent.com/simdjson/simdjson/v3.0.1/singleheader")
  file(DOWNLOAD "${simdjson_url}/simdjson.h" "${simdjson_dir}/simdjson.h"
    EXPECTED_HASH SHA256=5ce048173caafa1e4b71872cedf10c011698b336a34fab2905f94dc377918f19)
  file(DOWNLOAD "${simdjson_url}/simdjson.cpp" "${simdjson_dir}/simdjson.cpp"
    EXPECTED_HASH SHA256=3911df6dfec471668231fd47bc2f96378567a12fcd74669bc9dfad28fa182ea7)
  add_library(simdjson_static STATIC "${simdjson_dir}/simdjson.cpp")
  target_compile_features(simdjson_static PUBLIC cxx_std_17)
  target_include_directories(simdjson_static SYSTEM PUBLIC "${simdjson_dir}")
  # Imported, as from the package: the install rules export its name, not the library.
  add_library(simdjson::simdjson INTERFACE IMPORTED)
  target_link_libraries(simdjson::simdjson INTERFACE simdjson_static)
endif()
