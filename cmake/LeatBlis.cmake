# Finds BLIS: the pthread or the serial build. Debian keeps each build in a folder of its own beside an alternative that
# may point at the OpenMP one, which leat refuses at run time. Sources say #include <blis.h>.
#   BLIS_INCLUDE, BLIS_LIBRARY   as found (cache)
#   LEAT_BLIS_DIR                the library's folder when the loader would not look there, else empty
set(folder ${CMAKE_LIBRARY_ARCHITECTURE})
find_library(BLIS_LIBRARY blis
  PATHS /usr/lib/${folder}/blis-pthread /usr/lib/${folder}/blis-serial NO_DEFAULT_PATH)
find_library(BLIS_LIBRARY blis REQUIRED)
find_path(BLIS_INCLUDE blis.h
  PATHS /usr/include/${folder}/blis-pthread /usr/include/${folder}/blis-serial NO_DEFAULT_PATH)
find_path(BLIS_INCLUDE blis.h PATH_SUFFIXES blis REQUIRED)
get_filename_component(LEAT_BLIS_DIR ${BLIS_LIBRARY} DIRECTORY)
if(LEAT_BLIS_DIR IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
  set(LEAT_BLIS_DIR "")
endif()
