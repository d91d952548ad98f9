#!/bin/sh
# Makes Debian packages: libmailru0, the shared library, and libmailru-dev, what is needed to build programs with it.
#
#     sh debian.sh BUILT OUTPUT
#
# BUILT is a folder with libmailru.so and libmailru.a for this machine, OUTPUT where the packages go. Needs dpkg-dev.
# MAINTAINER is who packages it; SOURCE_DATE_EPOCH when, so that the same files make the same packages.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
built=$(cd "$1" && pwd)
mkdir -p "$2"
output=$(cd "$2" && pwd)
maintainer=${MAINTAINER:-libmailru <packages@libmailru.invalid>}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

number() {
    sed -n "s/$2/\\1/p" "$root/$1" | head -n 1
}
version=$(number Cargo.toml '^version = "\([^"]*\)"')
abi=$(number src/ffi/version.rs '.*MAILRU_ABI_VERSION: u32 = \([0-9]*\);.*')
package=libmailru$abi
machine=$(dpkg --print-architecture)
folders=$(dpkg-architecture -qDEB_HOST_MULTIARCH)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
umask 022
library=$work/$package
headers=$work/libmailru-dev

# Everything as `make install` has it; then each package's part of it.
target=$(uname -m)-unknown-linux-gnu
make -s -C "$root/examples-c" install TARGET="$target" BUILT="$built" BUILD="$work/build" PREFIX=/usr \
    LIBDIR="/usr/lib/$folders" DOCDIR=/usr/share/doc/libmailru-dev DESTDIR="$headers"
find "$headers/usr/share/man" -type f -exec gzip -9n {} +
mkdir -p "$library/usr/lib/$folders" "$library/DEBIAN" "$headers/DEBIAN"
mv "$headers/usr/lib/$folders/libmailru.so.$abi"* "$library/usr/lib/$folders"
chmod 644 "$library/usr/lib/$folders/libmailru.so.$abi."*
ln -sf "libmailru.so.$abi" "$headers/usr/lib/$folders/libmailru.so"
strip --strip-debug --enable-deterministic-archives "$headers/usr/lib/$folders/libmailru.a"

# What the library needs, by the symbols that it uses.
mkdir "$work/debian"
printf 'Source: libmailru\n\nPackage: %s\nArchitecture: any\n' "$package" >"$work/debian/control"
needs=$(cd "$work" && dpkg-shlibdeps -O --warnings=0 "$library/usr/lib/$folders/libmailru.so.$abi."*)
needs=${needs#shlibs:Depends=}

for name in "$package" libmailru-dev; do
    folder=$work/$name/usr/share/doc/$name
    mkdir -p "$folder"
    {
        echo "libmailru $version. Its licence, and after it those of what it contains:"
        echo
        cat "$root/LICENSE"
        echo
        (cd "$root" && python3 tests/targets/licences.py "$target" --debian)
    } >"$folder/copyright"
    gzip -9n <"$root/CHANGELOG.md" >"$folder/changelog.gz"
    printf 'libmailru (%s-1) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- %s  %s\n' "$version" \
        "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$folder/changelog.Debian.gz"
done

# A package's description: name, section, what it needs, one line, more lines.
control() {
    cat >"$work/$1/DEBIAN/control" <<END
Package: $1
Source: libmailru
Version: $version-1
Architecture: $machine
Maintainer: $maintainer
Section: $2
Priority: optional
Multi-Arch: same
Installed-Size: $(du -sk "$work/$1/usr" | cut -f1)
Depends: $3
Description: $4
$5
END
    (cd "$work/$1" && find usr -type f | LC_ALL=C sort | xargs -d '\n' md5sum >DEBIAN/md5sums)
    find "$work/$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group --build "$work/$1" "$output/$1_$version-1_$machine.deb" >/dev/null
}
printf 'libmailru %s %s (>= %s)\n' "$abi" "$package" "$version" >"$library/DEBIAN/shlibs"
echo 'activate-noawait ldconfig' >"$library/DEBIAN/triggers"
control "$package" libs "$needs" 'Mail.ru platform REST API - shared library' \
    " Signs calls in both circuits, gets and renews tokens by the OAuth grants, and
 hands over the platform's own JSON. A library with a C interface."
control libmailru-dev libdevel "$package (= $version-1), libc6-dev" 'Mail.ru platform REST API - development files' \
    " Headers for C and C++, the static library, and what pkg-config and CMake need."
