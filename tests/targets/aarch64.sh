#!/usr/bin/env bash
# 64-bit Arm, run by qemu.
. "$(dirname "$0")/common.sh"

install_packages build-essential cmake pkg-config python3 gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
need cc make pkg-config python3 aarch64-linux-gnu-gcc aarch64-linux-gnu-g++ qemu-aarch64
toolchain
sandbox_ready

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
library=$(libraries aarch64-unknown-linux-gnu)
export RUN_WITH="qemu-aarch64 -L /usr/aarch64-linux-gnu"
linux_programs aarch64 aarch64-linux-gnu-gcc aarch64-linux-gnu-g++ "$library"
archive aarch64-unknown-linux-gnu "$library"
archive_works "aarch64 C" aarch64-unknown-linux-gnu aarch64-linux-gnu-gcc
