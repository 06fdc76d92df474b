# The install tree: headers, libraries, leat.pc, the CMake package, documents. Programs install themselves in src/.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/leat)
install(DIRECTORY include/leat DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
set(also "")
if(TARGET leat_conformance)
  set(also leat_conformance)
endif()
install(TARGETS leat_shared leat_static ${also} EXPORT leat
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT leat NAMESPACE leat:: FILE leatTargets.cmake DESTINATION ${package})
configure_package_config_file(cmake/leatConfig.cmake.in leatConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(leatConfigVersion.cmake COMPATIBILITY SameMinorVersion) # 0.x: a minor may change things
install(FILES ${PROJECT_BINARY_DIR}/leatConfig.cmake ${PROJECT_BINARY_DIR}/leatConfigVersion.cmake
  DESTINATION ${package})

# leat.pc finds its prefix from its own place, so that the tree can be moved.
file(RELATIVE_PATH LEAT_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" LEAT_PC_PREFIX ${LEAT_PC_PREFIX})
set(LEAT_PC_BLIS "-lblis")
if(LEAT_BLIS_DIR)
  set(LEAT_PC_BLIS "-L${LEAT_BLIS_DIR} -Wl,-rpath,${LEAT_BLIS_DIR} -lblis")
endif()
configure_file(pkgconfig/leat.pc.in leat.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/leat.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(TARGET leat_conformance)
  configure_file(pkgconfig/leat-conformance.pc.in leat-conformance.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/leat-conformance.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN *.md)
# The declarations without comments and macros: cffi's cdef, LuaJIT's ffi.cdef.
install(FILES tests/abi/leat-0.cdef DESTINATION ${CMAKE_INSTALL_DATADIR}/leat OPTIONAL)
