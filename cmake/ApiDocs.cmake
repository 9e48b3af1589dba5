# Swagger UI and ReDoc, which draw the description of an HTTP interface, for programs that carry them inside.
#
# They are taken from DISTILBERT_DOCS_DIR, a folder as npm makes it (node_modules), or fetched into the build folder if
# DISTILBERT_FETCH_DOCS asks for it. Without them the programs draw it themselves, more plainly.

option(DISTILBERT_FETCH_DOCS "Fetch Swagger UI and ReDoc by npm, for /docs and /redoc of the services" OFF)
set(DISTILBERT_DOCS_DIR "${PROJECT_BINARY_DIR}/docs" CACHE PATH
  "Folder that holds swagger-ui-dist and redoc as npm unpacks them")

# distilbert_fetch_docs(<package> <version> <hash>): asks npm for the package, if it does not lie there already.
function(distilbert_fetch_docs package version hash)
  if(NOT DISTILBERT_FETCH_DOCS OR EXISTS "${DISTILBERT_DOCS_DIR}/${package}/LICENSE")
    return()
  endif()
  find_program(NPM_PROGRAM npm)
  if(NOT NPM_PROGRAM)
    message(STATUS "${package} is left out: no npm to fetch it")
    return()
  endif()
  set(folder "${PROJECT_BINARY_DIR}/docs_archive")
  set(archive "${folder}/${package}-${version}.tgz")
  file(MAKE_DIRECTORY "${folder}/${package}" "${DISTILBERT_DOCS_DIR}")
  execute_process(COMMAND ${NPM_PROGRAM} pack --silent --pack-destination ${folder} ${package}@${version}
    WORKING_DIRECTORY "${folder}" OUTPUT_QUIET ERROR_VARIABLE complaint TIMEOUT 120)
  set(found "")
  if(EXISTS "${archive}")
    file(SHA256 "${archive}" found)
  endif()
  if(NOT found STREQUAL hash)
    message(STATUS "${package} is left out: npm could not fetch version ${version}. ${complaint}")
    return()
  endif()
  file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${folder}/${package}")
  file(RENAME "${folder}/${package}/package" "${DISTILBERT_DOCS_DIR}/${package}")
endfunction()

distilbert_fetch_docs(swagger-ui-dist 5.35.0 1b8e891893404ea4c3558b6a87e2a3e494e7eedba41168c2ece5800a391a6ea6)
distilbert_fetch_docs(redoc 2.5.4 44922df4d0eb45c1b066c09ec251e6bd9bd7ded16bc69e87613337b9d911a56e)
