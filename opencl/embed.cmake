# Writes OUT, a C file with the kernels in FOLDER as strings: cmake -DFOLDER=... -DOUT=... -P embed.cmake
set(names gemm matrix element rows loss norm step index sparse) # in the order of the numbers in ocl.h
set(text "/* Made by embed.cmake from the .cl files of opencl. */\n#include \"ocl.h\"\n")
foreach(name common ${names})
  file(READ ${FOLDER}/${name}.cl hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(APPEND text "static const char text_${name}[] = {\n${hex}0};\n")
endforeach()
string(APPEND text "const char *const ocl_common_source = text_common;\nconst ocl_source ocl_sources[OCL_N_SOURCES] = {\n")
foreach(name ${names})
  string(APPEND text "  {\"${name}\", text_${name}},\n")
endforeach()
file(WRITE ${OUT} "${text}};\n")
