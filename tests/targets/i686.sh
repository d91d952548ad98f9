#!/usr/bin/env bash
# 32 bits, run by this machine's own processor.
. "$(dirname "$0")/common.sh"

install_packages build-essential cmake pkg-config python3 gcc-i686-linux-gnu g++-i686-linux-gnu libc6-dev-i386-cross
need cc make pkg-config python3 i686-linux-gnu-gcc i686-linux-gnu-g++
[ "$(uname -m)" = x86_64 ] || skip "this machine's processor is $(uname -m)"
toolchain
sandbox_ready

export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER=i686-linux-gnu-gcc CC_i686_unknown_linux_gnu=i686-linux-gnu-gcc
library=$(libraries i686-unknown-linux-gnu)
# Programs of 32 bits start with their own loader, which looks for libraries beside it.
export RUN_WITH="/usr/i686-linux-gnu/lib/ld-linux.so.2 --library-path /usr/i686-linux-gnu/lib"
linux_programs i686 i686-linux-gnu-gcc i686-linux-gnu-g++ "$library"
try "i686 C" "host: memory" with_sandbox /usr/i686-linux-gnu/lib/ld-linux.so.2 --library-path /usr/i686-linux-gnu/lib \
    "$work/programs/citizen" memory '{"api_url":"http://127.0.0.1:1","public_url":"http://127.0.0.1:1","retries":0}'
archive i686-unknown-linux-gnu "$library"
archive_works "i686 C" i686-unknown-linux-gnu i686-linux-gnu-gcc
