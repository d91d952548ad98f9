# What find_package(mailru) reads: the targets mailru::mailru, the shared library, and mailru::mailru_static.
# A target is there if its library is.

if(CMAKE_VERSION VERSION_LESS 3.21)
    set(mailru_FOUND FALSE)
    set(mailru_NOT_FOUND_MESSAGE "CMake 3.21 or later is needed")
    return()
endif()

# This file may stand in lib/cmake/mailru, in lib/<machine>/cmake/mailru or in share/mailru/cmake.
set(_mailru_prefix "${CMAKE_CURRENT_LIST_DIR}")
foreach(_mailru_level RANGE 4)
    if(EXISTS "${_mailru_prefix}/include/mailru.h")
        break()
    endif()
    get_filename_component(_mailru_prefix "${_mailru_prefix}" DIRECTORY)
endforeach()
if(NOT EXISTS "${_mailru_prefix}/include/mailru.h")
    set(mailru_FOUND FALSE)
    set(mailru_NOT_FOUND_MESSAGE "mailru.h is not in an include folder above ${CMAKE_CURRENT_LIST_DIR}")
    return()
endif()

# The first of these files below the prefix; links are followed, so that the file that is recorded is the one that
# carries the version.
function(_mailru_find result)
    find_file(file NAMES ${ARGN} PATHS "${_mailru_prefix}" NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH NO_CACHE
        PATH_SUFFIXES lib "lib/${CMAKE_LIBRARY_ARCHITECTURE}" lib64 bin)
    if(file)
        get_filename_component(file "${file}" REALPATH)
    endif()
    set(${result} "${file}" PARENT_SCOPE)
endfunction()

_mailru_find(_mailru_shared libmailru.so libmailru.dylib mailru.dll)
if(_mailru_shared AND NOT TARGET mailru::mailru)
    add_library(mailru::mailru SHARED IMPORTED)
    set_target_properties(mailru::mailru PROPERTIES
        IMPORTED_LOCATION "${_mailru_shared}"
        INTERFACE_INCLUDE_DIRECTORIES "${_mailru_prefix}/include")
    if(WIN32)
        _mailru_find(_mailru_import libmailru.dll.a mailru.dll.a mailru.dll.lib)
        set_target_properties(mailru::mailru PROPERTIES IMPORTED_IMPLIB "${_mailru_import}")
    endif()
endif()

_mailru_find(_mailru_static libmailru.a)
if(_mailru_static AND NOT TARGET mailru::mailru_static)
    add_library(mailru::mailru_static STATIC IMPORTED)
    set_target_properties(mailru::mailru_static PROPERTIES
        IMPORTED_LOCATION "${_mailru_static}"
        INTERFACE_INCLUDE_DIRECTORIES "${_mailru_prefix}/include")
    # mailru.pc knows what the static library needs from the system.
    get_filename_component(_mailru_folder "${_mailru_static}" DIRECTORY)
    file(STRINGS "${_mailru_folder}/pkgconfig/mailru.pc" _mailru_needs REGEX "^Libs.private:")
    string(REGEX MATCHALL "-framework [^ ]+|-l[^ ]+" _mailru_needs "${_mailru_needs}")
    set_target_properties(mailru::mailru_static PROPERTIES INTERFACE_LINK_LIBRARIES "${_mailru_needs}")
endif()
