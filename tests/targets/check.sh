#!/usr/bin/env bash
# Targets for which nothing here can link: whether the library compiles for them. C code, ring's, is left out.
. "$(dirname "$0")/common.sh"

toolchain
# A compiler and an archiver that write empty files.
cat >"$work/nothing" <<'END'
#!/bin/sh
for word; do
    case $word in
    -out:* | -Fo*) word=${word#-out:} && : >"${word#-Fo}" ;;
    *.a) : >"$word" ;;
    *) [ "${previous:-}" != -o ] || : >"$word" ;;
    esac
    previous=$word
done
END
chmod +x "$work/nothing"
export CARGO_PROFILE_DEV_DEBUG=0
for target in x86_64-pc-windows-msvc aarch64-apple-darwin x86_64-unknown-freebsd aarch64-linux-android; do
    suffix=${target//-/_}
    export "CC_$suffix=$work/nothing" "AR_$suffix=$work/nothing" "CXX_$suffix=$work/nothing"
    RUSTFLAGS="-D warnings" try "cargo check" "$target" cross check "$target" --lib
done
