#!/bin/sh
# Runs a command against a sandbox platform of its own, and stops the sandbox whatever happens.
#
#     sh with-sandbox.sh SANDBOX COMMAND [ARGUMENT...]
#
# SANDBOX is the program that `cargo build --example sandbox` makes. The command finds in its environment:
#     MAILRU_OPTIONS          the options that lead a session to the sandbox
#     MAILRU_SANDBOX          the sandbox's address
#     MAILRU_SANDBOX_CONTROL  the address of its control API
# SANDBOX_ARGUMENTS are further arguments of the sandbox's.
set -eu

sandbox=$1
shift
[ -x "$sandbox" ] || { echo "$sandbox: not there; cargo build --example sandbox makes it" >&2; exit 1; }

folder=$(mktemp -d)
process=
stop() {
    [ -z "$process" ] || kill "$process" 2>/dev/null || :
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The sandbox ends with its input, so that not even a killed shell leaves it behind.
mkfifo "$folder/input" "$folder/output"
# shellcheck disable=SC2086 # arguments
"$sandbox" --exit-with-stdin ${SANDBOX_ARGUMENTS:-} <"$folder/input" >"$folder/output" &
process=$!
exec 3>"$folder/input" 4<"$folder/output"

read -r MAILRU_SANDBOX <&4 || exit 1
read -r _ MAILRU_SANDBOX_CONTROL <&4 || exit 1
read -r _ MAILRU_OPTIONS <&4 || exit 1
export MAILRU_SANDBOX MAILRU_SANDBOX_CONTROL MAILRU_OPTIONS
"$@" 3>&- 4<&-
