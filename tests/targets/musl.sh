#!/usr/bin/env bash
# musl, as in Alpine's containers: programs that hold the whole library, and the shared library. Zig, from PyPI, is the C
# compiler and the linker, and brings musl along; Debian's musl has the loader that starts programs with shared libraries.
. "$(dirname "$0")/common.sh"

zig_version=0.17.1
install_packages build-essential cmake musl pkg-config python3 python3-pip
need cc make pkg-config python3
if ! PYTHONPATH=$folder/zig python3 -c 'import ziglang' 2>/dev/null; then
    python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --target "$folder/zig" \
        "ziglang==$zig_version" || skip "ziglang $zig_version cannot be installed from PyPI"
fi
toolchain
sandbox_ready

# Tools under names of their own, as cargo, make and ring's build want them. Zig does not read other compilers' names of
# the target.
tool() {
    cat >"$work/$1" <<END
#!/bin/sh
for word; do
    shift
    case \$word in --target=*) ;; *) set -- "\$@" "\$word" ;; esac
done
PYTHONPATH=$folder/zig exec python3 -m ziglang $2 "\$@"
END
    chmod +x "$work/$1"
}
# One level of optimization everywhere, so that Zig builds the C library once.
tool cc "cc -target x86_64-linux-musl -O2"
tool ar ar
export ZIG_GLOBAL_CACHE_DIR=$work/cache ZIG_LOCAL_CACHE_DIR=$work/cache
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=$work/cc CC_x86_64_unknown_linux_musl=$work/cc \
    AR_x86_64_unknown_linux_musl=$work/ar
# Without the first flag rustc makes no shared library for musl. Zig brings the start-up code and the unwinder.
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS="-C target-feature=-crt-static -C link-self-contained=no"
library=$(libraries x86_64-unknown-linux-musl)

# Programs that hold everything: they run where there is no other file, too.
programs=$work/static
mkdir -p "$programs"
"$work/cc" -std=c99 -static -Wall -Wextra -Werror -I"$root/include" "$root/tests/hosts/c/conformance.c" \
    "$library/libmailru.a" -lunwind -o "$programs/conformance"
conformance "musl static C" "$programs/conformance"
make -s -C "$root/examples-c" all CC="$work/cc -static" CFLAGS="-std=c99 -O2 -Wall -Wextra -Werror" BUILD="$programs" \
    LIBRARIES="$library/libmailru.a -lunwind" CARGO=true
examples "musl static C" "$programs"
tls "musl static C" "$programs/quickstart"
tls_refused "musl static C" "$programs/quickstart"
if [ "$(id -u)" = 0 ]; then
    rm -rf "$work/empty" && mkdir "$work/empty" && cp "$programs/quickstart" "$work/empty"
    try "musl static C" "an empty chroot" with_sandbox chroot "$work/empty" /quickstart
fi

export DYNAMIC=-dynamic
# No C++: Zig would build its whole library first.
linux_programs musl "$work/cc" "" "$library"
archive x86_64-unknown-linux-musl "$library"
archive_works "musl C" x86_64-unknown-linux-musl "$work/cc" -static
