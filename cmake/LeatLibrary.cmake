# libleat.so and libleat.a, both from the objects of leat_core.
add_library(leat_shared SHARED $<TARGET_OBJECTS:leat_core>)
add_library(leat::leat ALIAS leat_shared)
set_target_properties(leat_shared PROPERTIES OUTPUT_NAME leat EXPORT_NAME leat
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LINK_DEPENDS ${PROJECT_SOURCE_DIR}/lib/leat.map)
target_include_directories(leat_shared PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_options(leat_shared PRIVATE LINKER:--version-script=${PROJECT_SOURCE_DIR}/lib/leat.map
  LINKER:--no-undefined-version LINKER:--as-needed LINKER:--exclude-libs,ALL)
if(NOT LEAT_SANITIZE AND NOT LEAT_FUZZ) # the sanitizers' run time comes with the executable
  target_link_options(leat_shared PRIVATE LINKER:-z,defs)
endif()
target_link_libraries(leat_shared PRIVATE ${LEAT_DEPENDENCIES})
if(LEAT_BLIS_DIR)
  set_target_properties(leat_shared PROPERTIES BUILD_RPATH ${LEAT_BLIS_DIR} INSTALL_RPATH ${LEAT_BLIS_DIR})
endif()

# One relocatable object whose inner symbols are local: a host may have its own lt_anything.
set(object ${PROJECT_BINARY_DIR}/leat-static.o)
add_custom_command(OUTPUT ${object}
  COMMAND ${CMAKE_LINKER} -r -o ${object} $<TARGET_OBJECTS:leat_core>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${object}
  DEPENDS leat_core $<TARGET_OBJECTS:leat_core> COMMAND_EXPAND_LISTS VERBATIM
  COMMENT "Joining the objects of libleat.a and hiding their inner symbols")
add_library(leat_static STATIC ${object})
add_library(leat::static ALIAS leat_static)
set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
set_target_properties(leat_static PROPERTIES OUTPUT_NAME leat EXPORT_NAME static LINKER_LANGUAGE C)
target_include_directories(leat_static PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# The installed leatConfig.cmake finds these by itself and adds them.
target_link_libraries(leat_static INTERFACE $<BUILD_INTERFACE:${BLIS_LIBRARY}> $<BUILD_INTERFACE:PkgConfig::ZSTD>
  $<BUILD_INTERFACE:PkgConfig::XXHASH> $<BUILD_INTERFACE:Threads::Threads> m ${CMAKE_DL_LIBS})
