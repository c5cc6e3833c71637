# ggml, for models with weights: an installed one of the pinned version, or built once from its own
# source into ${ZT_DEPS}, which all presets share. Its GPU backends are options passed through:
#   cmake -DZT_GGML_OPTIONS="-DGGML_VULKAN=ON"
set(ZT_DEPS "${CMAKE_SOURCE_DIR}/build/deps" CACHE PATH "where fetched dependencies are built")
set(ZT_GGML_SOURCE "" CACHE PATH "source of ggml; empty: fetched by tools/fetch-ggml")
set(ZT_GGML_OPTIONS "" CACHE STRING "options for ggml's build, e.g. -DGGML_CUDA=ON")
if(DEFINED ENV{ZT_DEPS})
  set(ZT_DEPS $ENV{ZT_DEPS})
endif()

execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/fetch-ggml --version OUTPUT_VARIABLE ggml_version
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
add_library(zt_ggml INTERFACE)
find_package(ggml ${ggml_version} EXACT QUIET CONFIG)
if(ggml_FOUND)
  message(STATUS "ggml ${ggml_version}: installed")
  target_link_libraries(zt_ggml INTERFACE ggml::ggml)
  # What backends are written against is in ggml's source only.
  find_path(ZT_GGML_INSIDE ggml-backend-impl.h HINTS ${ZT_GGML_SOURCE}/src)
  return()
endif()

if(ZT_GGML_SOURCE)
  set(ggml_source ${ZT_GGML_SOURCE})
else()
  set(ggml_source ${ZT_DEPS}/ggml-${ggml_version})
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/fetch-ggml ${ggml_source}
                  COMMAND_ERROR_IS_FATAL ANY)
endif()
# One build a set of options, named by them.
string(SHA256 ggml_key "${ggml_source} ${ZT_GGML_OPTIONS} ${CMAKE_SYSTEM_PROCESSOR}")
file(SHA256 ${CMAKE_SOURCE_DIR}/cmake/ggml/CMakeLists.txt ggml_recipe)
string(SUBSTRING "${ggml_key}" 0 8 ggml_key)
string(SUBSTRING "${ggml_recipe}" 0 8 ggml_recipe)
set(ggml_build ${ZT_DEPS}/ggml-${ggml_version}-${ggml_key}-${ggml_recipe})
if(NOT EXISTS ${ggml_build}/libs.txt)
  message(STATUS "ggml ${ggml_version}: building, once, in ${ggml_build}")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${CMAKE_SOURCE_DIR}/cmake/ggml -B ${ggml_build} -G ${CMAKE_GENERATOR}
            -DCMAKE_BUILD_TYPE=Release -DZT_GGML_SOURCE=${ggml_source} ${ZT_GGML_OPTIONS}
    OUTPUT_FILE ${ggml_build}.log ERROR_FILE ${ggml_build}.log RESULT_VARIABLE failed)
  if(NOT failed)
    execute_process(COMMAND ${CMAKE_COMMAND} --build ${ggml_build} OUTPUT_FILE ${ggml_build}.log
                    ERROR_FILE ${ggml_build}.log RESULT_VARIABLE failed)
  endif()
  if(failed)
    file(READ ${ggml_build}.log ggml_log)
    message(FATAL_ERROR "ggml did not build:\n${ggml_log}")
  endif()
  file(RENAME ${ggml_build}/libs.made ${ggml_build}/libs.txt)
endif()
file(READ ${ggml_build}/libs.txt ggml_libs)
target_include_directories(zt_ggml SYSTEM INTERFACE ${ggml_source}/include)
set(ZT_GGML_INSIDE ${ggml_source}/src)
# ggml's own code is C++, which a C link line must be told.
target_link_libraries(zt_ggml INTERFACE ${ggml_libs} stdc++ Threads::Threads ${CMAKE_DL_LIBS} m)
