# Installs the library, its headers, and what pkg-config and CMake need to find them:
#
#     make -C examples-c install PREFIX=/usr/local
#
#     PREFIX      where the library is used from; /usr/local
#     DESTDIR     a folder to install into instead, such as the root of a package
#     LIBDIR      where the libraries are; PREFIX/lib
#     INCLUDEDIR  where the headers are; PREFIX/include
#     BUILT       a folder with a libmailru.so and a libmailru.a to install; without it both are built
#
# `cargo cinstall` of cargo-c installs the same files.

PREFIX = /usr/local
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
INSTALL = install
CARGO ?= cargo

ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))..
VERSION := $(shell sed -n 's/^version = "\([^"]*\)"/\1/p' "$(ROOT)/Cargo.toml" | head -n 1)
ABI := $(shell sed -n 's/.*MAILRU_ABI_VERSION: u32 = \([0-9]*\);.*/\1/p' "$(ROOT)/src/ffi/version.rs")
SYSTEM := $(shell uname -s)

# What Rust's standard library and the system's trust store need; rustc --print native-static-libs tells it.
ifeq ($(SYSTEM),Darwin)
EXTENSION = dylib
SHARED_NAME = libmailru.$(ABI).dylib
SHARED_FILE = libmailru.$(ABI)$(suffix $(basename $(VERSION)))$(suffix $(VERSION)).dylib
# Programs record this path, as they record the soname elsewhere.
SHARED_FLAGS = -- -C link-arg=-Wl,-install_name,$(LIBDIR)/$(SHARED_NAME)
PRIVATE_LIBRARIES = -framework Security -framework CoreFoundation -liconv -lSystem -lc -lm
else
EXTENSION = so
SHARED_NAME = libmailru.so.$(ABI)
SHARED_FILE = $(SHARED_NAME).$(subst $(firstword $(subst ., ,$(VERSION))).,,$(VERSION))
PRIVATE_LIBRARIES = -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
endif

# What `cargo build --release` makes; cargo passes further flags to the linker for `cargo rustc` only.
ifndef BUILT
BUILT = $(shell cd "$(ROOT)" && $(CARGO) metadata --format-version 1 --no-deps \
	| sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release
install: install-build
endif

install-build:
	cd "$(ROOT)" && $(CARGO) rustc --release --lib $(SHARED_FLAGS)

install:
	$(INSTALL) -d "$(DESTDIR)$(INCLUDEDIR)/mailru" "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(LIBDIR)/cmake/mailru"
	$(INSTALL) -m 644 "$(ROOT)/include/mailru.h" "$(ROOT)/include/mailru.hpp" "$(DESTDIR)$(INCLUDEDIR)"
	$(INSTALL) -m 644 "$(ROOT)"/include/mailru/*.hpp "$(DESTDIR)$(INCLUDEDIR)/mailru"
	$(INSTALL) -m 644 "$(BUILT)/libmailru.a" "$(DESTDIR)$(LIBDIR)"
	$(INSTALL) -m 755 "$(BUILT)/libmailru.$(EXTENSION)" "$(DESTDIR)$(LIBDIR)/$(SHARED_FILE)"
	ln -sf $(SHARED_FILE) "$(DESTDIR)$(LIBDIR)/$(SHARED_NAME)"
	ln -sf $(SHARED_NAME) "$(DESTDIR)$(LIBDIR)/libmailru.$(EXTENSION)"
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%)|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@PRIVATE_LIBRARIES@|$(PRIVATE_LIBRARIES)|' "$(ROOT)/examples-c/install/mailru.pc.in" \
		> "$(DESTDIR)$(LIBDIR)/pkgconfig/mailru.pc"
	$(INSTALL) -m 644 "$(ROOT)/examples-c/install/mailru-config.cmake" \
		"$(ROOT)/examples-c/install/mailru-config-version.cmake" "$(DESTDIR)$(LIBDIR)/cmake/mailru"

.PHONY: install install-build
