#!/usr/bin/env bash
# musl, as in Alpine's containers: programs that hold the whole library, and the shared library. Zig, from PyPI, is the C
# compiler and the linker, and brings musl along.
. "$(dirname "$0")/common.sh"

zig_version=0.17.1
install_packages build-essential python3 python3-pip
need cc make python3
if ! PYTHONPATH=$folder/zig python3 -c 'import ziglang' 2>/dev/null; then
    python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --target "$folder/zig" \
        "ziglang==$zig_version" || skip "ziglang $zig_version cannot be installed from PyPI"
fi
toolchain
sandbox_ready

# Tools under names of their own, as cargo, make and ring's build want them.
tool() {
    printf '#!/bin/sh\nPYTHONPATH=%s exec python3 -m ziglang %s "$@"\n' "$folder/zig" "$2" >"$work/$1"
    chmod +x "$work/$1"
}
tool cc "cc -target x86_64-linux-musl"
tool c++ "c++ -target x86_64-linux-musl"
tool ar ar
export ZIG_GLOBAL_CACHE_DIR=$work/cache ZIG_LOCAL_CACHE_DIR=$work/cache
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=$work/cc CC_x86_64_unknown_linux_musl=$work/cc \
    AR_x86_64_unknown_linux_musl=$work/ar
# Without this rustc makes no shared library for musl. Zig brings the start-up code and the unwinder.
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS="-C target-feature=-crt-static -C link-self-contained=no"
library=$(libraries x86_64-unknown-linux-musl)
