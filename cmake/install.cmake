# What `cmake --install` puts where: bin/glm, lib/libglm.{a,so}, include/glm, files for pkg-config and CMake, the bundled
# model, man pages, shell completions and a unit for systemd.
include(CMakePackageConfigHelpers)

install(TARGETS glm_static
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(TARGETS glm_shared EXPORT glm
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT lib NAMELINK_COMPONENT dev)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/glm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT dev FILES_MATCHING PATTERN "*.h")

# The pkg-config file finds its prefix from where it lies, so that `cmake --install --prefix` may move all.
set(GLM_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  file(RELATIVE_PATH up "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
  set(GLM_PC_PREFIX "\${pcfiledir}/${up}")
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/glm.pc.in ${PROJECT_BINARY_DIR}/glm.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/glm.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

# For CMake: find_package(glm 0.1), then glm::glm, the shared library. The static one is pkg-config's (--static).
write_basic_package_version_file(${PROJECT_BINARY_DIR}/glmConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT glm NAMESPACE glm:: FILE glmConfig.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/glm COMPONENT dev)
install(FILES ${PROJECT_BINARY_DIR}/glmConfigVersion.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/glm COMPONENT dev)

# The bundled model.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models/nano DESTINATION ${CMAKE_INSTALL_DATADIR}/glm/models)

# The command, and what it can print about itself: man pages and shell completions.
if(TARGET glm)
  install(TARGETS glm RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
# A unit for systemd; `systemctl link` or a copy in /etc/systemd/system where this folder is not searched.
set(GLM_BIN ${CMAKE_INSTALL_FULL_BINDIR}/glm)
configure_file(${PROJECT_SOURCE_DIR}/cmake/glm.service.in ${PROJECT_BINARY_DIR}/glm.service @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/glm.service DESTINATION lib/systemd/system)
if(TARGET glm AND NOT GLM_SANITIZE AND NOT GLM_FUZZ)
  set(glm_pages)
  macro(glm_page dir file)
    add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/share/${dir}/${file} DEPENDS glm VERBATIM
      COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/share/${dir}
      COMMAND glm help ${ARGN} > ${PROJECT_BINARY_DIR}/share/${dir}/${file})
    list(APPEND glm_pages ${PROJECT_BINARY_DIR}/share/${dir}/${file})
  endmacro()
  glm_page(man/man1 glm.1 --man)
  foreach(command run score tokenize detokenize render parse inspect bench quantize imatrix receipt serve config help version)
    glm_page(man/man1 glm-${command}.1 --man ${command})
  endforeach()
  glm_page(bash-completion/completions glm --completion bash)
  glm_page(zsh/site-functions _glm --completion zsh)
  glm_page(fish/vendor_completions.d glm.fish --completion fish)
  add_custom_target(glm_pages ALL DEPENDS ${glm_pages})
  install(DIRECTORY ${PROJECT_BINARY_DIR}/share/ DESTINATION ${CMAKE_INSTALL_DATADIR})
endif()
