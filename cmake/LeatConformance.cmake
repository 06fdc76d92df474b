# libleat-conformance.a: the tests of device plug-ins, for their authors. It takes what it needs of lib/ into itself and
# shows the leat_conformance_ functions alone, so that it can be linked beside libleat or without it.
file(GLOB sources CONFIGURE_DEPENDS tests/conformance/*.c)
list(FILTER sources EXCLUDE REGEX "/main\\.c$")
add_library(leat_conformance_core OBJECT ${sources})
set_target_properties(leat_conformance_core PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_include_directories(leat_conformance_core PRIVATE include lib)
target_link_libraries(leat_conformance_core PRIVATE leat_warnings)
set(object ${PROJECT_BINARY_DIR}/leat-conformance.o)
add_custom_command(OUTPUT ${object}
  COMMAND ${CMAKE_LINKER} -r -o ${object} $<TARGET_OBJECTS:leat_conformance_core> $<TARGET_FILE:leat_inner>
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=leat_conformance_* ${object}
  DEPENDS leat_conformance_core $<TARGET_OBJECTS:leat_conformance_core> leat_inner COMMAND_EXPAND_LISTS VERBATIM
  COMMENT "Joining the objects of libleat-conformance.a and hiding their inner symbols")
add_library(leat_conformance STATIC ${object})
add_library(leat::conformance ALIAS leat_conformance)
set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
set_target_properties(leat_conformance PROPERTIES OUTPUT_NAME leat-conformance EXPORT_NAME conformance LINKER_LANGUAGE C)
target_include_directories(leat_conformance PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(leat_conformance INTERFACE $<BUILD_INTERFACE:Threads::Threads> m ${CMAKE_DL_LIBS})
# The program knows the built-in devices too, so it is of the tree and is not installed.
add_executable(leat-conformance tests/conformance/main.c)
target_link_libraries(leat-conformance PRIVATE leat_conformance leat_inner leat_warnings)
set_target_properties(leat-conformance PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
# The example of a plug-in, as a stranger would build it: the public headers, no libleat.
add_library(tiny_device MODULE examples/plugin/tiny_device.c)
target_include_directories(tiny_device PRIVATE include)
target_link_libraries(tiny_device PRIVATE leat_warnings m)
set_target_properties(tiny_device PROPERTIES OUTPUT_NAME leat-tiny LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
