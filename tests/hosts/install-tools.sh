#!/bin/sh
# Installs what the hosts need besides Rust, Go, Python, Node.js, a JDK with Maven, gcc and CMake: with apt-get
# where there is one, else the packages named here have to come by other means. Packages of the languages go
# below cargo's target folder, not into the tree. Running it again is cheap.
set -eu
cd "$(dirname "$0")"

target=$(cargo metadata --manifest-path ../../Cargo.toml --format-version 1 --no-deps \
    | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
tools=$target/hosts-tools
mkdir -p "$tools"

if command -v apt-get >/dev/null; then
    missing=
    for package in pkg-config ruby ruby-ffi php-cli luajit mono-mcs mono-runtime python3-venv; do
        dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        apt-get update -qq
        # shellcheck disable=SC2086 # a list
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
    fi
fi

# Python: cffi, in an environment of its own.
if [ ! -x "$tools/venv/bin/python" ]; then
    python3 -m venv "$tools/venv"
fi
"$tools/venv/bin/python" -c 'import cffi' 2>/dev/null || "$tools/venv/bin/pip" install -q 'cffi>=2,<3'

# Node.js: koffi.
[ -d "$tools/node_modules/koffi" ] || npm install --silent --no-audit --no-fund --prefix "$tools" koffi@3

# Java: JNA.
[ -f "$tools/jna.jar" ] || {
    mvn -q dependency:copy -Dartifact=net.java.dev.jna:jna:5.19.1 -DoutputDirectory="$tools" \
        -Dmdep.stripVersion=true
}
