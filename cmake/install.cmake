# What `make install` puts where: the program, libzoetrope for other programs, and what is made from
# the program's own tables. The target `installed` builds all of it.
if(ZT_SANITIZE OR ZT_FUZZ)
  return() # built to be tested, not to be kept
endif()

# Where the unit of the system service goes, and where the service finds its settings. Both follow
# the prefix unless they are given.
if(NOT ZT_SYSTEMD_DIR)
  set(ZT_SYSTEMD_DIR ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
endif()
set(config_dir ${CMAKE_INSTALL_FULL_SYSCONFDIR}/zoetrope)

# The library of the build is one archive a module; whoever installs it wants one in all. The shared
# one shows what zoetrope.h marks with ZT_API and nothing else.
set(parts)
foreach(module base media prompt engine motion tensor models lib)
  list(APPEND parts $<TARGET_OBJECTS:zt_${module}>)
endforeach()
set(needs PkgConfig::JANSSON ${ZT_DNNL} gomp PkgConfig::CRYPTO PkgConfig::AV PkgConfig::WEBP PkgConfig::LCMS
    PkgConfig::UTF8PROC zt_ggml Threads::Threads m)
add_library(zoetrope_static STATIC ${parts})
add_library(zoetrope_shared SHARED ${parts})
target_link_libraries(zoetrope_shared PRIVATE ${needs})
# What is linked in statically shows nothing of itself.
target_link_options(zoetrope_shared PRIVATE -Wl,--as-needed -Wl,--exclude-libs,ALL)
if(ggml_libs)
  # ggml was built here and is installed nowhere: its archives become part of ours.
  add_custom_command(TARGET zoetrope_static POST_BUILD
    COMMAND ${CMAKE_SOURCE_DIR}/packaging/join $<TARGET_FILE:zoetrope_static> ${ggml_libs}
    COMMAND_EXPAND_LISTS VERBATIM)
endif()
set_target_properties(zoetrope_static zoetrope_shared PROPERTIES
  OUTPUT_NAME zoetrope LINKER_LANGUAGE C VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR})

# Manual pages and completions, printed by the program.
set(pages ${CMAKE_BINARY_DIR}/pages)
add_custom_command(OUTPUT ${pages}/done
  COMMAND ${CMAKE_SOURCE_DIR}/packaging/pages $<TARGET_FILE:zoetrope> ${pages}
  DEPENDS zoetrope ${CMAKE_SOURCE_DIR}/packaging/pages
  COMMENT "Printing manual pages and completions" VERBATIM)
add_custom_target(installed ALL DEPENDS ${pages}/done zoetrope zoetrope_static zoetrope_shared)

set(prefix ${CMAKE_INSTALL_PREFIX})
set(bindir ${CMAKE_INSTALL_FULL_BINDIR})
set(libdir ${CMAKE_INSTALL_FULL_LIBDIR})
set(includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(packaging/zoetrope.pc.in packaging/zoetrope.pc @ONLY)
configure_file(packaging/zoetrope.service.in packaging/zoetrope.service @ONLY)

install(TARGETS zoetrope zoetrope_static zoetrope_shared)
install(FILES include/zoetrope.h TYPE INCLUDE)
install(FILES ${CMAKE_BINARY_DIR}/packaging/zoetrope.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY ${pages}/man1 ${pages}/man5 TYPE MAN)
install(FILES ${pages}/bash/zoetrope
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${pages}/zsh/_zoetrope DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${pages}/fish/zoetrope.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES ${CMAKE_BINARY_DIR}/packaging/zoetrope.service DESTINATION ${ZT_SYSTEMD_DIR})
install(FILES packaging/zoetrope.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES README.md CHANGELOG.md LICENSE TYPE DOC)
install(DIRECTORY docs/ TYPE DOC FILES_MATCHING PATTERN "*.md")
# The settings of the service are the operator's once they are there.
install(CODE "
  if(NOT EXISTS \"\$ENV{DESTDIR}${config_dir}/zoetrope.conf\")
    file(INSTALL \"${CMAKE_SOURCE_DIR}/packaging/zoetrope.conf\" DESTINATION \"${config_dir}\")
  endif()")
