# Headers, the package that find_package(distilbert) finds, and the pkg-config file. Programs install themselves.

include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/distilbert)

install(DIRECTORY include/distilbert TYPE INCLUDE FILES_MATCHING PATTERN "*.hpp" PATTERN "*.inc")

install(TARGETS distilbert EXPORT distilbert-targets)
install(EXPORT distilbert-targets NAMESPACE distilbert:: DESTINATION ${package_dir})

configure_package_config_file(cmake/distilbert-config.cmake.in distilbert-config.cmake
  INSTALL_DESTINATION ${package_dir}
  NO_SET_AND_CHECK_MACRO)
# While the major version is 0, a new minor version may change the interface.
write_basic_package_version_file(distilbert-config-version.cmake
  COMPATIBILITY SameMinorVersion
  ARCH_INDEPENDENT)
install(FILES
  ${PROJECT_BINARY_DIR}/distilbert-config.cmake
  ${PROJECT_BINARY_DIR}/distilbert-config-version.cmake
  DESTINATION ${package_dir})

configure_file(cmake/distilbert.pc.in distilbert.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/distilbert.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
