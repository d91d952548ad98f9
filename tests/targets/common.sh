# What the scripts of this folder share; each of them sources it. A script leaves a line `row<TAB>column<TAB>outcome` for
# each thing that it tried, from which run.sh makes the table.
#
# A toolchain that can build for other targets is needed: Debian's rustc-web, cargo-web and rust-web-src, the last of
# which holds the sources of the standard library.
# shellcheck shell=bash

set -euo pipefail
shopt -s inherit_errexit
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cargo_folder=$(cd "$root" && cargo metadata --format-version 1 --no-deps \
    | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
name=$(basename "$0" .sh)
# What is made here, and what lies in it besides.
folder=$cargo_folder/targets
work=$folder/$name
results=$work/results.tsv
mkdir -p "$work"
: >"$results"
sandbox=$cargo_folder/debug/examples/sandbox
version=$(sed -n 's/^version = "\([^"]*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
# The profile of cargo's: what is released, or what builds fast.
profile=${MAILRU_TARGETS_PROFILE:-targets}

# Ends the script where something is missing; run.sh tells the reason.
skip() {
    echo "$*" >"$work/skipped"
    exit 77
}
rm -f "$work/skipped"

# Installs Debian's packages, where that can be done.
install_packages() {
    local missing=()
    for package; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            "${missing[@]}" >/dev/null || echo "apt-get cannot install ${missing[*]}"
    fi
}

need() {
    for command; do
        command -v "$command" >/dev/null || skip "$command is not installed"
    done
}

# The toolchain for other targets.
toolchain() {
    install_packages rustc-web cargo-web rust-web-src
    [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] || skip "/usr/bin/cargo and /usr/bin/rustc (rustc-web) are not there"
    [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library" ] || skip "rust-web-src is not installed"
}

# Runs cargo for a target, with a standard library that is built for it.
cross() {
    local command=$1 target=$2
    shift 2
    (cd "$root" && RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$folder/cargo /usr/bin/cargo "$command" \
        --target "$target" -Zbuild-std=std,panic_unwind "$@")
}

# The folder with the libraries of a target, which are built first.
libraries() {
    cross build "$1" --lib --profile "$profile" >&2
    echo "$folder/cargo/$1/$profile"
}

# A line of the table. The row's first word is its kind: case, example, archive, or anything else.
result() {
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$results"
}

# Tries something: column, row, command. What it prints is shown only if it fails.
try() {
    local column=$1 row=$2
    shift 2
    if "$@" >"$work/output" 2>&1; then
        result "$row" "$column" ok
    else
        result "$row" "$column" FAIL
        echo "== $column: $row: $*"
        cat "$work/output"
    fi
}

# The sandbox, and the browser that tells it things, of this machine.
sandbox_ready() {
    [ -x "$sandbox" ] || (cd "$root" && cargo build --example sandbox)
    [ -x "$folder/browser" ] || cc -O1 -o "$folder/browser" "$root/examples-c/browser.c"
}

# Runs a command against a sandbox of its own, within a time that only a hanging program exceeds.
with_sandbox() {
    sh "$root/examples-c/with-sandbox.sh" "$sandbox" timeout --kill-after=5 300 "$@"
}

# The same with a sandbox that answers after 300 ms; the command finds the options as its last argument.
with_slow_sandbox() {
    with_sandbox sh -euc '
        "$0" "$MAILRU_SANDBOX_CONTROL/sandbox/faults" \
            "{\"on\":{\"method\":\"friends.get\"},\"times\":null,\"fault\":{\"kind\":\"delay\",\"ms\":300}}"
        "$0" "$MAILRU_SANDBOX_CONTROL/sandbox/faults" \
            "{\"on\":{\"path\":\"/oauth/token\"},\"times\":null,\"fault\":{\"kind\":\"delay\",\"ms\":300}}"
        "$@" "$MAILRU_OPTIONS"' "$folder/browser" "$@"
}

. "$root/tests/targets/archives.sh"

# The cases of tests/hosts by a program: column, command. A row for each case.
conformance() {
    local column=$1 verdict row rest
    shift
    # Nothing is expanded before the sandbox is there.
    # shellcheck disable=SC2016
    with_sandbox bash -euc '
        browser=$1 folder=$2 list=$3
        shift 3
        post() { "$browser" "$MAILRU_SANDBOX_CONTROL/sandbox/$1" "$2"; }
        fault() { post faults "{\"on\":{\"method\":\"sandbox.echo.$1\"},\"times\":$2,\"fault\":{\"kind\":$3}}"; }
        # As tests/hosts/journal.rs has it.
        fault together null "\"delay\",\"ms\":500"
        fault crowd null "\"delay\",\"ms\":3000"
        fault slow null "\"silent\""
        fault expired 1 "\"expire_token\""
        fault limited null "\"status\",\"status\":429,\"headers\":{\"Retry-After\":\"7\"}"
        post codes "{\"code\":\"case-code\",\"redirect_uri\":\"https://example.org/login\"}"
        members=${MAILRU_OPTIONS#\{}
        rm -f "$folder/tokens.json"
        cases=$folder/cases.tsv
        sed "s|TOKENS|$folder/tokens.json|; s|SANDBOX|${members%\}}|" "$list" >"$cases"
        export MAILRU_CASES=$cases
        "$@"' conformance "$folder/browser" "$work" "$root/tests/hosts/cases.tsv" "$@" \
        2>&1 | tr -d '\r' >"$work/said" || true
    while read -r row; do
        read -r verdict rest < <(grep -E "^[^ ]+ $row( |\$)" "$work/said" || echo "silent")
        # Some hosts cannot do everything, and say so.
        case "$verdict $rest" in
        ok* | n/a*) ;;
        *"unknown action"*) verdict=n/a ;;
        *) verdict=FAIL && echo "== $column: $row: $rest" ;;
        esac
        result "case $row" "$column" "$verdict"
    done < <(grep -v '^#' "$root/tests/hosts/cases.tsv" | cut -f1)
    grep -qE '^FAIL|^ok' "$work/said" || cat "$work/said"
}

# The examples in C, each by run-all.sh: column, folder with the programs.
examples() {
    local column=$1 build=$2 example
    for example in quickstart errors threads event_loop payment_callback login; do
        try "$column" "example $example" with_sandbox sh "$root/examples-c/run-all.sh" "$build" "$example"
    done
}

# A call by TLS, with the sandbox's authority in ca_file: column, command.
tls() {
    local column=$1
    shift
    SANDBOX_ARGUMENTS="--tls --write-ca $work/ca.pem" try "$column" "TLS by ca_file" with_sandbox "$@"
}

# The same where the authority is none of the system's: an error in plain words, without the shape of Rust's values.
tls_refused() {
    local column=$1
    shift
    SANDBOX_ARGUMENTS="--tls --write-ca $work/ca.pem" try "$column" "TLS, refused" with_sandbox bash -euc '
        MAILRU_OPTIONS=$(sed "s|\"ca_file\":\"[^\"]*\"|\"tls_roots\":\"system\"|" <<<"$MAILRU_OPTIONS")
        said=$("$@" 2>&1) && echo "$said was accepted" && exit 1
        echo "$said"
        grep -q "^MAILRU_TLS_ERROR: " <<<"$said" && ! grep -qE "[A-Za-z]\(|[A-Za-z] \{" <<<"$said"' refused "$@"
}

# Builds and runs everything with the shared library of a Linux target: column, C compiler, C++ compiler or "", folder
# of the library. RUN_WITH is the command that runs programs of the target, where this machine cannot; DYNAMIC the flag
# of a C compiler that makes static programs by default.
linux_programs() {
    local column=$1 cc=$2 cxx=$3 library=$4 programs=$work/programs situation
    local warnings=(-Wall -Wextra -Wpedantic -Werror) run=()
    local link=(-L"$library" -Wl,--disable-new-dtags,-rpath,"$library" -lmailru -pthread)
    [ -z "${RUN_WITH:-}" ] || read -ra run <<<"$RUN_WITH"
    mkdir -p "$programs"
    ln -sf libmailru.so "$library/libmailru.so.0"
    "$cc" -std=c99 "${warnings[@]}" -I"$root/include" "$root/tests/hosts/c/conformance.c" "${link[@]}" \
        -o "$programs/conformance"
    [ -z "$cxx" ] || "$cxx" -std=c++17 "${warnings[@]}" -Wshadow -Wconversion -I"$root/include" \
        "$root/tests/hosts/cpp/conformance.cpp" "${link[@]}" -o "$programs/conformance-cpp"
    "$cc" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$root/include" "$root/tests/network/citizen.c" \
        "${link[@]}" -o "$programs/citizen"
    # shellcheck disable=SC2086 # a flag or none
    "$cc" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror ${DYNAMIC:-} "$root/tests/network/unload.c" -pthread -ldl \
        -o "$programs/unload"
    make -s -C "$root/examples-c" all CC="$cc" CFLAGS="-std=c99 -O2 ${warnings[*]}" BUILD="$programs" \
        LIBRARY_FOLDER="$library" CARGO=true
    conformance "$column C" "${run[@]}" "$programs/conformance"
    [ -z "$cxx" ] || conformance "$column C++" "${run[@]}" "$programs/conformance-cpp"
    examples "$column C" "$programs"
    tls "$column C" "${run[@]}" "$programs/quickstart"
    tls_refused "$column C" "${run[@]}" "$programs/quickstart"
    try "$column C" "unloading" with_slow_sandbox "${run[@]}" "$programs/unload" "$library/libmailru.so"
    for situation in cancel nested environment; do
        try "$column C" "host: $situation" with_slow_sandbox "${run[@]}" "$programs/citizen" "$situation"
    done
}
