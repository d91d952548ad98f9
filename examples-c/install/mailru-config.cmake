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

function(_mailru_target name kind)
    if(TARGET mailru::${name})
        return()
    endif()
    find_library(library NAMES ${ARGN} PATHS "${_mailru_prefix}" NO_DEFAULT_PATH NO_CACHE
        PATH_SUFFIXES lib "lib/${CMAKE_LIBRARY_ARCHITECTURE}" lib64)
    if(library)
        # Links are followed, so that the file that is recorded is the one that carries the version.
        get_filename_component(library "${library}" REALPATH)
        add_library(mailru::${name} ${kind} IMPORTED)
        set_target_properties(mailru::${name} PROPERTIES
            IMPORTED_LOCATION "${library}"
            INTERFACE_INCLUDE_DIRECTORIES "${_mailru_prefix}/include")
    endif()
endfunction()

_mailru_target(mailru SHARED libmailru.so libmailru.dylib)
_mailru_target(mailru_static STATIC libmailru.a)

# What the static library needs from the system.
if(TARGET mailru::mailru_static)
    if(APPLE)
        set(_mailru_needs "-framework Security" "-framework CoreFoundation" iconv)
    else()
        set(_mailru_needs gcc_s util rt pthread m dl c)
    endif()
    set_target_properties(mailru::mailru_static PROPERTIES INTERFACE_LINK_LIBRARIES "${_mailru_needs}")
endif()
