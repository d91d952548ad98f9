# Says to find_package whether this version will do: the same major version, and not older. A test compares
# the number with Cargo.toml's.
set(PACKAGE_VERSION 0.1.0)

string(REGEX MATCH "^[0-9]+" _mailru_major "${PACKAGE_VERSION}")
if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
endif()
if(PACKAGE_FIND_VERSION_MAJOR EQUAL _mailru_major AND NOT PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
    set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
