#!/usr/bin/env bash
# Counts which lines and branches of src the tests reach, and prints a table by file:
#
#     tests/targets/coverage.sh [ARGUMENTS...]      the test programs to run, as of `cargo test`; all by default
#
# The library is instrumented wherever it is: in the unit tests, in the tests' own programs, and as the shared library that
# programs in C and other languages load; processes that are killed, or end by _exit, do not count. It takes an llvm-profdata
# and an llvm-cov of rustc's LLVM: the component llvm-tools of rustup, or Debian's packages llvm-N. Branches are counted by
# an unstable option of rustc.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-$PWD/target}/coverage
version=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
tool() {
    local of_rustc
    of_rustc=$(find "$(rustc --print sysroot)" -name "$1" -type f | head -n 1)
    [ -n "$of_rustc" ] && echo "$of_rustc" && return
    command -v "$1-$version" || { echo "missing: $1 of LLVM $version; apt-get install llvm-$version" >&2 && exit 1; }
}
profdata=$(tool llvm-profdata)
cov=$(tool llvm-cov)
mkdir -p "$target/profiles"
rm -f "$target"/profiles/*

# Only this project's crates are instrumented; others are those of an ordinary build.
cat >"$target/rustc" <<'WRAPPER'
#!/bin/sh
exec env RUSTC_BOOTSTRAP=1 "$@" -Cinstrument-coverage -Zcoverage-options=branch
WRAPPER
chmod +x "$target/rustc"
export RUSTC_WORKSPACE_WRAPPER=$target/rustc CARGO_TARGET_DIR=$target
# Programs add to one file for each of the libraries and programs.
export LLVM_PROFILE_FILE="$target/profiles/%4m.profraw"
[ $# -gt 0 ] || set -- --no-fail-fast
cargo build --examples
cargo test "$@" || echo "some tests failed; what they reached counts all the same"

"$profdata" merge -sparse "$target"/profiles/*.profraw -o "$target/all.profdata"
mapfile -t objects < <(find "$target/debug/deps" -maxdepth 1 -type f -executable \
    \( -name 'mailru-*' -o -name 'libmailru_for_tests.so' -o -name 'abi-*' -o -name 'network-*' -o -name 'hosts-*' -o -name 'answers-*' \))
report=()
for object in "${objects[@]}"; do report+=(-object "$object"); done
"$cov" export --format=lcov --instr-profile="$target/all.profdata" "${report[@]}" \
    --ignore-filename-regex='/tests/(abi|answers|bench|hosts|network|sandbox)/|/\.cargo/|/rustc/|/build/' >"$target/all.lcov"
python3 tests/targets/coverage.py "$target/all.lcov"
