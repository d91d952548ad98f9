#!/usr/bin/env bash
# The library with the oldest Rust and the oldest direct dependencies that the manifest allows, and with the oldest Rust
# and today's dependencies, in a copy of the sources. Uses rustup's toolchain of that version; without it, the Rust that is
# here builds them, and clippy looks for what the oldest lacks.
. "$(dirname "$0")/common.sh"

rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
copy=$work/copy
rm -rf "$copy"
mkdir -p "$copy/tests/abi"
cd "$root"
cp -r src build.rs include cbindgen.toml clippy.toml Cargo.lock README.md CHANGELOG.md "$copy" 2>/dev/null || true
cp -r tests/abi/record "$copy/tests/abi"
# Without what only the tests need: sections up to the next one.
awk '/^\[/ { skip = /^\[dev-dependencies\]/ || /^\[\[(example|test|bench)\]\]/ || /^\[profile/ }
    /^members = / { $0 = "members = []" }
    !skip' Cargo.toml >"$copy/Cargo.toml"
cd "$copy"
export CARGO_TARGET_DIR=$work/target CARGO_PROFILE_DEV_DEBUG=0
toolchain=()
for known in "$rust.0" "$rust"; do
    ! rustup run "$known" rustc --version >/dev/null 2>&1 || toolchain=("+$known")
done
[ ${#toolchain[@]} -gt 0 ] || echo "no toolchain of Rust $rust: building with $(rustc --version)"

try "today's dependencies" "Rust $rust" cargo "${toolchain[@]}" check --lib
# Which versions are the oldest is known only to an unstable option.
RUSTC_BOOTSTRAP=1 cargo update --quiet -Zdirect-minimal-versions
try "oldest dependencies" "Rust $rust" cargo "${toolchain[@]}" check --lib
if [ ${#toolchain[@]} = 0 ]; then
    try "nothing newer" "Rust $rust" cargo clippy --lib -- -D clippy::incompatible_msrv
fi
