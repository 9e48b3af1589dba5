# What the page, the documents and the description of the interface are made of, compiled into distilbert_service.

include(${PROJECT_SOURCE_DIR}/cmake/Resources.cmake)
include(${PROJECT_SOURCE_DIR}/cmake/ApiDocs.cmake)

set(page "${CMAKE_CURRENT_LIST_DIR}")
set(resources "")
foreach(file IN ITEMS index.html operations.html)
  list(APPEND resources "${file}=${page}/${file}")
endforeach()
foreach(file IN ITEMS style.css app.js chart.js answers.js operations.js icon.svg)
  list(APPEND resources "assets/${file}=${page}/${file}")
endforeach()

set(documents "")
set(swagger "${DISTILBERT_DOCS_DIR}/swagger-ui-dist")
if(EXISTS "${swagger}/swagger-ui-bundle.js")
  list(APPEND resources "swagger.html=${page}/swagger.html" "assets/swagger.js=${page}/swagger.js")
  list(APPEND documents "assets/swagger-ui-bundle.js=${swagger}/swagger-ui-bundle.js"
    "assets/swagger-ui.css=${swagger}/swagger-ui.css"
    "assets/swagger-ui.LICENSE.txt=${swagger}/LICENSE" "assets/swagger-ui.NOTICE.txt=${swagger}/NOTICE"
    "assets/swagger-ui-bundle.js.LICENSE.txt=${swagger}/swagger-ui-bundle.js.LICENSE.txt")
endif()
set(redoc "${DISTILBERT_DOCS_DIR}/redoc")
if(EXISTS "${redoc}/bundles/redoc.standalone.js")
  list(APPEND resources "redoc.html=${page}/redoc.html" "assets/redoc.js=${page}/redoc.js")
  list(APPEND documents "assets/redoc.standalone.js=${redoc}/bundles/redoc.standalone.js"
    "assets/redoc.LICENSE.txt=${redoc}/LICENSE"
    "assets/redoc.standalone.js.LICENSE.txt=${redoc}/bundles/redoc.standalone.js.LICENSE.txt")
endif()

# Each family of routes is described by the file that bears its name.
file(GLOB families CONFIGURE_DEPENDS "${page}/../openapi/*.json")
foreach(file IN LISTS families)
  cmake_path(GET file FILENAME name)
  list(APPEND resources "openapi/${name}=${file}")
endforeach()

distilbert_resources(distilbert_service HEADER ${page}/resource.hpp FUNCTION resources
  RESOURCES ${resources} COMPRESSED ${documents})
