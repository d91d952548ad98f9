#!/usr/bin/env bash
# Runs the host of tests/network/random, which uses every function of the library at random, under sanitizers and valgrind:
#
#     tests/targets/sanitizers.sh [address|thread|valgrind...]      those named, or all
#
# MAILRU_HOST_SECONDS says how long each runs (by default 60), MAILRU_HOST_SEED from which number on. Faults are planted
# first, to see that each tool is awake. The library is instrumented, for the thread sanitizer with its standard library;
# that takes Debian's rustc-web, cargo-web and rust-web-src. The programs are compiled by the clang of rustc's LLVM: with older
# runtimes a forked child may wait for ever for the lock of the sanitizer's own allocator.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

[ $# -gt 0 ] || set -- address thread valgrind
triple=$(rustc -vV | sed -n 's/^host: //p')
clang=clang-$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
export MAILRU_HOST_SECONDS=${MAILRU_HOST_SECONDS:-60} RUST_BACKTRACE=1
# The test of this name, and the one that plants the faults.
watch() {
    (cd "$root" && MAILRU_TEST_TOOL=$1 cargo test --test network random:: -- --nocapture --test-threads 1 |
        grep -E '^measured|^test |panicked|WARNING|ERROR|SUMMARY' && exit "${PIPESTATUS[0]}")
}

# Builds the library for a sanitizer, with these flags of rustc and this cargo, and lays it where a program looks for it.
instrumented() {
    local built=$cargo_folder/sanitizers/$1/$triple/debug
    (cd "$root" && RUSTC_BOOTSTRAP=1 RUSTFLAGS="$2" CARGO_TARGET_DIR=$cargo_folder/sanitizers/$1 \
        "$3" build --quiet --lib --target "$triple" --config profile.dev.opt-level=1 "${@:4}")
    ln -sf libmailru.so "$built/libmailru.so.0"
    export MAILRU_TEST_LIBRARY=$built
}

for tool; do
    echo "== $tool"
    case $tool in
    address)
        install_packages "$clang" "libclang-rt-${clang#clang-}-dev"
        need "$clang"
        (
            instrumented address -Zsanitizer=address cargo --features sanitizer
            export MAILRU_TEST_CC="$clang -fsanitize=address"
            ASAN_OPTIONS=detect_stack_use_after_return=0 watch address
        )
        ;;
    thread)
        toolchain
        install_packages "$clang" "libclang-rt-${clang#clang-}-dev"
        need "$clang" setarch
        (
            export RUSTC=/usr/bin/rustc
            instrumented thread "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
                /usr/bin/cargo -Zbuild-std=std,panic_unwind
            unset RUSTC
            export MAILRU_TEST_CC="$clang -fsanitize=thread" MAILRU_TEST_RUN="setarch -R"
            # A child of a process with many threads starts threads of its own.
            TSAN_OPTIONS="die_after_fork=0 halt_on_error=0 exitcode=66 second_deadlock_stack=1" watch thread
        )
        ;;
    valgrind)
        need valgrind
        (
            export MAILRU_TEST_RUN="valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --child-silent-after-fork=yes --fair-sched=yes"
            MAILRU_HOST_THREADS=${MAILRU_HOST_THREADS:-6} watch valgrind
        )
        ;;
    *)
        echo "$tool: it must be address, thread or valgrind" >&2
        exit 2
        ;;
    esac
done
