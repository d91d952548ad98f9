#!/usr/bin/env bash
# Fuzzes the library with coverage: tests/fuzz/run.sh [seconds] [target...]
#
# Each target runs for that many seconds (10), or until it has run RUNS inputs, from the kept corpus and from what former
# runs found (tests/fuzz/target/corpus). Needs cargo and a C++ compiler. SEED repeats a run; SANITIZER=address builds with
# the address sanitizer. Prints a line for each target; an input that fails is left in tests/fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-10}
shift || true
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    mapfile -t targets < <(sed -n 's/^name = "\(.*\)"/\1/p' Cargo.toml | tail -n +2)
fi
triple=$(rustc -vV | sed -n 's/^host: //p')
# What libFuzzer needs to see: edges, and the operands of comparisons.
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
flags+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
features=()
folder=target
if [ "${SANITIZER:-}" = address ]; then
    export RUSTC_BOOTSTRAP=1
    flags+=" -Zsanitizer=address"
    features=(--features sanitizer)
    folder=target/address
fi
# The versions that are tested elsewhere.
[ -f Cargo.lock ] || cp ../../Cargo.lock .
RUSTFLAGS=$flags cargo build --quiet --release --target "$triple" --target-dir "$folder" "${features[@]}"
mkdir -p artifacts
for target in "${targets[@]}"; do
    found=target/corpus/$target
    mkdir -p "$found" "corpus/$target"
    log=$(mktemp)
    if ! "$folder/$triple/release/$target" -max_total_time="$seconds" -runs="${RUNS:--1}" -seed="${SEED:-0}" \
        -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="artifacts/$target-" \
        "$found" "corpus/$target" >"$log" 2>&1; then
        grep -vE '^(#|INFO|WARNING|0x|  *[0-9]+: |  *at )' "$log" | cut -c1-2000 | grep -v NEW_FUNC | head -30
        echo "$target failed: its input is in tests/fuzz/artifacts"
        exit 1
    fi
    awk -v target="$target" '/^INFO: Seed/ { seed = $3 } /^#.*cov:/ { for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1) }
        /number_of_executed_units/ { runs = $2 } /average_exec_per_sec/ { rate = $2 }
        END { printf "%s: %d inputs, %d a second, %d edges, seed %s\n", target, runs, rate, edges, seed }' "$log"
    rm "$log"
done
