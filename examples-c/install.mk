# Installs the library, its headers, and what pkg-config and CMake need to find them:
#
#     make -C examples-c install PREFIX=/usr/local
#
#     PREFIX      where the library is used from; /usr/local
#     DESTDIR     a folder to install into instead, such as the root of a package
#     LIBDIR      where the libraries are; PREFIX/lib
#     INCLUDEDIR  where the headers are; PREFIX/include
#     BINDIR      where a DLL goes; PREFIX/bin
#     BUILT       a folder with the built libraries to install; without it they are built
#     TARGET      the machine that they are for, as rustc names it: x86_64-pc-windows-gnu, say; this one
#     RELOCATABLE not empty: mailru.pc finds its folders from where it lies, so that all may be moved
#
# For Windows these are bin/mailru.dll, its import library lib/libmailru.dll.a, and libmailru.a.
# `cargo cinstall` of cargo-c installs the same files.
#
#     make -C examples-c dist
#
# makes release archives for every target that can be linked here, and Debian packages, in target/dist. Each is built,
# tested and used from an empty folder by a script of tests/targets.
#
#     DIST        the targets: the names of those scripts

PREFIX = /usr/local
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
BINDIR = $(PREFIX)/bin
INSTALL = install
CARGO ?= cargo

ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))..
VERSION := $(shell sed -n 's/^version = "\([^"]*\)"/\1/p' "$(ROOT)/Cargo.toml" | head -n 1)
ABI := $(shell sed -n 's/.*MAILRU_ABI_VERSION: u32 = \([0-9]*\);.*/\1/p' "$(ROOT)/src/ffi/version.rs")
SYSTEM := $(or $(TARGET),$(shell $(CC) -dumpmachine))

# What Rust's standard library and the system's trust store need; rustc --print native-static-libs tells it.
ifneq ($(findstring windows-msvc,$(SYSTEM)),)
$(error for windows-msvc, use cargo cinstall of cargo-c)
else ifneq ($(or $(findstring windows,$(SYSTEM)),$(findstring mingw,$(SYSTEM))),)
EXTENSION = dll
PRIVATE_LIBRARIES = -lkernel32 -lntdll -luserenv -lws2_32 -ldbghelp -lcrypt32 -lbcrypt -ladvapi32 -lpthread
else ifneq ($(findstring apple,$(SYSTEM)),)
EXTENSION = dylib
SHARED_NAME = libmailru.$(ABI).dylib
SHARED_FILE = libmailru.$(ABI)$(suffix $(basename $(VERSION)))$(suffix $(VERSION)).dylib
# Programs record this path, as they record the soname elsewhere.
SHARED_FLAGS = -C link-arg=-Wl,-install_name,$(LIBDIR)/$(SHARED_NAME)
PRIVATE_LIBRARIES = -framework Security -framework CoreFoundation -liconv -lSystem -lc -lm
else
EXTENSION = so
SHARED_NAME = libmailru.so.$(ABI)
SHARED_FILE = $(SHARED_NAME).$(subst $(firstword $(subst ., ,$(VERSION))).,,$(VERSION))
ifneq ($(findstring musl,$(SYSTEM)),)
# Without this rustc makes no shared library for musl.
export RUSTFLAGS += -C target-feature=-crt-static
PRIVATE_LIBRARIES = -lgcc_eh -lgcc -lc
else
PRIVATE_LIBRARIES = -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
endif
endif

# What `cargo build --release` makes; cargo passes further flags to the linker for `cargo rustc` only.
ifndef BUILT
BUILT = $(CARGO_FOLDER)/$(if $(TARGET),$(TARGET)/)release
BUILT_HERE = yes
endif
ifdef RELOCATABLE
RECORDED_PREFIX = $${pcfiledir}/../..
else
RECORDED_PREFIX = $(PREFIX)
endif

install-build:
	cd "$(ROOT)" && $(CARGO) rustc --release --lib $(if $(TARGET),--target $(TARGET)) -- $(SHARED_FLAGS)

install: install-shared
	$(INSTALL) -d "$(DESTDIR)$(INCLUDEDIR)" "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(LIBDIR)/cmake/mailru"
	$(INSTALL) -m 644 "$(ROOT)/include/mailru.h" "$(ROOT)/include/mailru.hpp" "$(DESTDIR)$(INCLUDEDIR)"
	$(INSTALL) -m 644 "$(BUILT)/libmailru.a" "$(DESTDIR)$(LIBDIR)"
	sed -e 's|@PREFIX@|$(RECORDED_PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%)|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@PRIVATE_LIBRARIES@|$(PRIVATE_LIBRARIES)|' "$(ROOT)/examples-c/install/mailru.pc.in" \
		> "$(DESTDIR)$(LIBDIR)/pkgconfig/mailru.pc"
	$(INSTALL) -m 644 "$(ROOT)/examples-c/install/mailru-config.cmake" \
		"$(ROOT)/examples-c/install/mailru-config-version.cmake" "$(DESTDIR)$(LIBDIR)/cmake/mailru"

install-shared: $(if $(BUILT_HERE),install-build)
	$(INSTALL) -d "$(DESTDIR)$(LIBDIR)"
ifeq ($(EXTENSION),dll)
	$(INSTALL) -d "$(DESTDIR)$(BINDIR)"
	$(INSTALL) -m 755 "$(BUILT)/mailru.dll" "$(DESTDIR)$(BINDIR)"
	$(INSTALL) -m 644 "$(BUILT)/libmailru.dll.a" "$(DESTDIR)$(LIBDIR)"
else
	$(INSTALL) -m 755 "$(BUILT)/libmailru.$(EXTENSION)" "$(DESTDIR)$(LIBDIR)/$(SHARED_FILE)"
	ln -sf $(SHARED_FILE) "$(DESTDIR)$(LIBDIR)/$(SHARED_NAME)"
	ln -sf $(SHARED_NAME) "$(DESTDIR)$(LIBDIR)/libmailru.$(EXTENSION)"
endif

DIST = x86_64 debian i686 aarch64 musl windows-gnu
DIST_FOLDER = $(CARGO_FOLDER)/dist

dist:
	rm -rf "$(DIST_FOLDER)" && mkdir -p "$(DIST_FOLDER)"
	MAILRU_TARGETS_PROFILE=release "$(ROOT)/tests/targets/run.sh" $(DIST)
	cd "$(DIST_FOLDER)" && sha256sum * > SHA256SUMS && cat SHA256SUMS

.PHONY: install install-build install-shared dist
