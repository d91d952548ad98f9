#!/usr/bin/env bash
# The library for this machine, as it is released.
. "$(dirname "$0")/common.sh"

install_packages build-essential cmake pkg-config python3
need cc c++ make pkg-config python3
[ "$(uname -m)" = x86_64 ] || skip "this machine's processor is $(uname -m)"
sandbox_ready

(cd "$root" && cargo build --release --lib)
library=$cargo_folder/release
linux_programs x86_64 cc c++ "$library"
archive x86_64-unknown-linux-gnu "$library"
archive_works "x86_64 C" x86_64-unknown-linux-gnu cc
