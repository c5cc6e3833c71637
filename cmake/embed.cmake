# Writes the files of a folder as a C table: cmake -DDIR=app/web -DOUT=web_files.c -P embed.cmake
# The types are those a browser insists on; a file of another kind is a mistake.
set(type_html "text/html;charset=UTF-8")
set(type_css "text/css;charset=UTF-8")
set(type_js "text/javascript;charset=UTF-8")
set(type_svg "image/svg+xml;charset=UTF-8")

file(GLOB paths ${DIR}/*.html ${DIR}/*.css ${DIR}/*.js ${DIR}/*.svg)
list(SORT paths)
set(arrays "")
set(rows "")
set(index 0)
foreach(path IN LISTS paths)
  get_filename_component(name ${path} NAME)
  get_filename_component(ending ${path} LAST_EXT)
  string(SUBSTRING ${ending} 1 -1 ending)
  file(SHA256 ${path} digest)
  string(SUBSTRING ${digest} 0 32 tag)
  file(READ ${path} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const unsigned char file_${index}[] = {${bytes}};\n")
  string(APPEND rows "    { \"${name}\", \"${type_${ending}}\", \"\\\"${tag}\\\"\", file_${index}, "
                     "sizeof(file_${index}) },\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUT} "/* Made by cmake/embed.cmake from app/web/. */\n#include \"web/files.h\"\n\n"
                  "${arrays}\nconst struct zt_web_file zt_web_files[] = {\n${rows}};\n"
                  "const int zt_web_files_count = ${index};\n")
