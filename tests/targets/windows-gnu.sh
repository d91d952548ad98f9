#!/usr/bin/env bash
# Windows by mingw-w64, run under wine. wine is not Windows: what it says of sockets and certificates is an indication.
. "$(dirname "$0")/common.sh"

install_packages build-essential cmake pkg-config python3 g++-mingw-w64-x86-64-posix wine64
gcc=x86_64-w64-mingw32-gcc-posix
gxx=x86_64-w64-mingw32-g++-posix
need cc make pkg-config python3 "$gcc" "$gxx"
wine=$(command -v wine64 || command -v wine || echo /usr/lib/wine/wine64)
[ -x "$wine" ] || skip "wine is not installed"
toolchain
sandbox_ready

# Known to work without optimization across crates.
export CARGO_PROFILE_RELEASE_LTO=false
library=$(libraries x86_64-pc-windows-gnu)
programs=$work/programs
mkdir -p "$programs"
cp "$library/mailru.dll" "$programs"
cp "$(dirname "$("$gcc" -print-file-name=libwinpthread-1.dll)")/libwinpthread-1.dll" "$programs" 2>/dev/null \
    || cp /usr/x86_64-w64-mingw32/lib/libwinpthread-1.dll "$programs"
# Rust's standard library wants a DLL that wine before 9 lacks; another function of Windows stands in.
printf 'LIBRARY bcryptprimitives\nEXPORTS\nProcessPrng=advapi32.SystemFunction036\n' >"$work/prng.def"
"$gcc" -shared -o "$programs/bcryptprimitives.dll" "$work/prng.def" -ladvapi32

flags=(-Wall -Wextra -Wpedantic -Werror -I"$root/include")
link=(-L"$library" -lmailru -pthread)
"$gcc" -std=c99 "${flags[@]}" "$root/tests/hosts/c/conformance.c" "${link[@]}" -o "$programs/conformance.exe"
"$gxx" -std=c++17 -Wshadow -Wconversion -static-libgcc -static-libstdc++ "${flags[@]}" \
    "$root/tests/hosts/cpp/conformance.cpp" "${link[@]}" -o "$programs/conformance-cpp.exe"
"$gcc" -std=c99 "${flags[@]}" "$root/tests/targets/unload_windows.c" -o "$programs/unload.exe"
make -s -C "$root/examples-c" all CC="$gcc" CFLAGS="-std=c99 -O2 -Wall -Wextra -Wpedantic -Werror" BUILD="$programs" \
    LIBRARY_FOLDER="$library" CARGO=true
"$gxx" -std=c++17 -static-libgcc -static-libstdc++ "${flags[@]}" "$root/examples-c/cpp.cpp" "${link[@]}" \
    -o "$programs/cpp.exe"

# Windows' programs in a system of their own, which ends with this script.
export WINEPREFIX=$work/wine WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=" EXE=.exe RUN_WITH=$wine
unset DISPLAY
server=$(command -v wineserver || echo /usr/lib/wine/wineserver64)
trap '"$server" -k 2>/dev/null || :' EXIT
"$wine" wineboot --init >/dev/null 2>&1 || :
# The programs look for files of this machine from the drive that is its root.
cd "$programs"

conformance "windows-gnu C" "$wine" "$programs/conformance.exe"
conformance "windows-gnu C++" "$wine" "$programs/conformance-cpp.exe"
examples "windows-gnu C" "$programs"
try "windows-gnu C++" "example cpp" with_sandbox "$wine" "$programs/cpp.exe"
tls "windows-gnu C" "$wine" "$programs/quickstart.exe"
tls_refused "windows-gnu C" "$wine" "$programs/quickstart.exe"
try "windows-gnu C" "unloading" with_slow_sandbox "$wine" "$programs/unload.exe" mailru.dll
archive x86_64-pc-windows-gnu "$library"
archive_works "windows-gnu C" x86_64-pc-windows-gnu "$gcc"
