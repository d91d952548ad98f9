# Installs the library, its headers, what pkg-config and CMake need to find them, the command mailru, the sandbox
# mailru-sandbox, and the manual:
#
#     make -C examples-c install PREFIX=/usr/local     builds what has changed, and installs it
#     make -C examples-c build                         builds, and installs nothing
#     make -C examples-c install-built                 installs what was built, as any user
#     make -C examples-c uninstall                     removes what is installed there
#
#     PREFIX      where the library is used from; /usr/local
#     DESTDIR     a folder to install into instead, such as the root of a package
#     LIBDIR      where the libraries are; PREFIX/lib
#     INCLUDEDIR  where the headers are; PREFIX/include
#     BINDIR      where the programs are, and a DLL; PREFIX/bin
#     MANDIR, DOCDIR  where the manual is; PREFIX/share/man, PREFIX/share/doc/mailru
#     BUILT       a folder with the built libraries to install; without it they are built
#     SANDBOX_BUILT  a sandbox to install, likewise; empty: none
#     TARGET      the machine that they are for, as rustc names it: x86_64-pc-windows-gnu, say; this one.
#                 For another machine neither the command nor the sandbox is installed.
#     RELOCATABLE not empty: mailru.pc finds its folders from where it lies, so that all may be moved
#
# For Windows the libraries are bin/mailru.dll, its import library lib/libmailru.dll.a, and libmailru.a.
# `cargo cinstall` of cargo-c installs the same libraries and headers.
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
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/mailru
INSTALL = install
CARGO ?= cargo
RUSTC ?= rustc

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
RUN_PATH =
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
# The command finds the library beside itself, wherever PREFIX is moved to, or else in LIBDIR.
RUN_PATH = '-Wl,-rpath,$$ORIGIN/../lib:$(LIBDIR)'
endif
endif

# What is neither cargo's nor a file of the project: the command, and the manual, which is made of the header.
STAGED = $(BUILD)/install

# What `cargo build --release` makes; cargo passes further flags to the linker for `cargo rustc` only. Another user, who
# may have no cargo, finds in a file what was built.
ifndef BUILT
ifeq ($(MAKECMDGOALS),install-built)
include $(STAGED)/built.mk
else
BUILT = $(CARGO_FOLDER)/$(if $(TARGET),$(TARGET)/)release
SANDBOX_BUILT = $(if $(TARGET),,$(CARGO_FOLDER)/sandbox/mailru-sandbox)
build-staged: build-with-cargo
endif
endif
COMMAND_BUILT = $(if $(TARGET),,$(STAGED)/mailru)
ifdef RELOCATABLE
RECORDED_PREFIX = $${pcfiledir}/../..
else
RECORDED_PREFIX = $(PREFIX)
endif

build-with-cargo:
	cd "$(ROOT)" && $(CARGO) rustc --release --lib $(if $(TARGET),--target $(TARGET)) -- $(SHARED_FLAGS)
	$(if $(TARGET),,cd "$(ROOT)" && $(CARGO) build --profile sandbox --package mailru-sandbox)

build-staged:
	@mkdir -p $(STAGED)
	$(if $(COMMAND_BUILT),$(CC) $(CFLAGS) -I"$(ROOT)/include" -o $(COMMAND_BUILT) "$(ROOT)"/examples-c/mailru.c \
		"$(ROOT)"/examples-c/command/*.c -L"$(BUILT)" $(RUN_PATH) -lmailru -pthread)
	$(RUSTC) --edition 2024 -o $(STAGED)/manual "$(ROOT)/examples-c/install/manual/main.rs"
	$(STAGED)/manual "$(ROOT)" $(STAGED)/pages
	printf 'BUILT = %s\nSANDBOX_BUILT = %s\n' "$(BUILT)" "$(SANDBOX_BUILT)" >$(STAGED)/built.mk

build: build-staged

install: build
	@$(MAKE) install-built

install-built: install-shared
	$(INSTALL) -d "$(DESTDIR)$(INCLUDEDIR)/mailru" "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(LIBDIR)/cmake/mailru" \
		"$(DESTDIR)$(MANDIR)/man3" "$(DESTDIR)$(MANDIR)/man7" \
		"$(DESTDIR)$(DOCDIR)"
	$(INSTALL) -m 644 "$(ROOT)/include/mailru.h" "$(ROOT)/include/mailru.hpp" "$(DESTDIR)$(INCLUDEDIR)"
	$(INSTALL) -m 644 "$(ROOT)"/include/mailru/*.hpp "$(DESTDIR)$(INCLUDEDIR)/mailru"
	$(INSTALL) -m 644 "$(BUILT)/libmailru.a" "$(DESTDIR)$(LIBDIR)"
	sed -e 's|@PREFIX@|$(RECORDED_PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%)|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@PRIVATE_LIBRARIES@|$(PRIVATE_LIBRARIES)|' "$(ROOT)/examples-c/install/mailru.pc.in" \
		> "$(DESTDIR)$(LIBDIR)/pkgconfig/mailru.pc"
	$(INSTALL) -m 644 "$(ROOT)/examples-c/install/mailru-config.cmake" \
		"$(ROOT)/examples-c/install/mailru-config-version.cmake" "$(DESTDIR)$(LIBDIR)/cmake/mailru"
	$(if $(COMMAND_BUILT)$(SANDBOX_BUILT),$(INSTALL) -d "$(DESTDIR)$(BINDIR)")
	$(if $(COMMAND_BUILT),$(INSTALL) -m 755 $(COMMAND_BUILT) "$(DESTDIR)$(BINDIR)")
	$(if $(SANDBOX_BUILT),$(INSTALL) -m 755 "$(SANDBOX_BUILT)" "$(DESTDIR)$(BINDIR)/mailru-sandbox")
	$(if $(COMMAND_BUILT),$(INSTALL) -d "$(DESTDIR)$(MANDIR)/man1")
	$(if $(COMMAND_BUILT),$(INSTALL) -m 644 $(STAGED)/pages/man1/* "$(DESTDIR)$(MANDIR)/man1")
	$(INSTALL) -m 644 $(STAGED)/pages/man3/* "$(DESTDIR)$(MANDIR)/man3"
	$(INSTALL) -m 644 $(STAGED)/pages/man7/* "$(DESTDIR)$(MANDIR)/man7"
	$(INSTALL) -m 644 $(STAGED)/pages/html/mailru.html "$(DESTDIR)$(DOCDIR)"

install-shared:
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

# What this version of the library installs; folders that are empty then go, too.
uninstall:
	rm -f "$(DESTDIR)$(INCLUDEDIR)/mailru.h" "$(DESTDIR)$(INCLUDEDIR)/mailru.hpp" \
		"$(DESTDIR)$(INCLUDEDIR)"/mailru/*.hpp
	rm -f "$(DESTDIR)$(LIBDIR)/libmailru.a" $(if $(SHARED_NAME),"$(DESTDIR)$(LIBDIR)/libmailru.$(EXTENSION)" \
		"$(DESTDIR)$(LIBDIR)/$(SHARED_NAME)" "$(DESTDIR)$(LIBDIR)/$(SHARED_FILE)", \
		"$(DESTDIR)$(LIBDIR)/libmailru.dll.a" "$(DESTDIR)$(BINDIR)/mailru.dll")
	rm -f "$(DESTDIR)$(LIBDIR)/pkgconfig/mailru.pc"
	rm -f "$(DESTDIR)$(LIBDIR)"/cmake/mailru/mailru-config*.cmake
	rm -f "$(DESTDIR)$(BINDIR)/mailru" "$(DESTDIR)$(BINDIR)/mailru-sandbox"
	rm -f "$(DESTDIR)$(MANDIR)/man1/mailru.1" "$(DESTDIR)$(MANDIR)/man3/libmailru.3" \
		"$(DESTDIR)$(MANDIR)"/man3/mailru_*.3 "$(DESTDIR)$(MANDIR)/man7/libmailru-methods.7"
	rm -f "$(DESTDIR)$(DOCDIR)/mailru.html"
	-rmdir "$(DESTDIR)$(INCLUDEDIR)/mailru" "$(DESTDIR)$(LIBDIR)/cmake/mailru" "$(DESTDIR)$(DOCDIR)" 2>/dev/null

.PHONY: build build-with-cargo build-staged install install-built install-shared uninstall dist
