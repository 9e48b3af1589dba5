# DISTILBERT_STATIC: programs that need no other file, neither libraries nor a loader.

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_link_options(-static-pie)

set(OPENSSL_USE_STATIC_LIBS ON)

include(cmake/Simdjson.cmake)
