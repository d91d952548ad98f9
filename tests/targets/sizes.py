#!/usr/bin/env python3
"""How many bytes of the library belong to each crate, by the names of its symbols.

    CARGO_PROFILE_RELEASE_STRIP=none cargo build --release && tests/targets/sizes.py target/release/libmailru.so

A function that was inlined counts for the crate into which it was inlined, and generic code for the crate that wrote it.
"""

import collections
import re
import subprocess
import sys

tree = subprocess.run(
    ["cargo", "tree", "--locked", "--offline", "-p", "mailru", "-e", "normal", "--target", "x86_64-unknown-linux-gnu",
     "--prefix", "none", "--format", "{p}"], check=True, capture_output=True, text=True).stdout
crates = {line.split(" ")[0].replace("-", "_"): line.split(" ")[0] for line in tree.splitlines() if line}
crates["webpki"] = "rustls-webpki"
symbols = subprocess.run(["nm", "-S", "-C", sys.argv[1]], check=True, capture_output=True, text=True).stdout
sizes = collections.Counter()
for _, size, name in re.findall(r"^([0-9a-f]+) ([0-9a-f]+) \w (.*)$", symbols, re.MULTILINE):
    size = int(size, 16)
    if "ring_core" in name or name.startswith("ecp_nistz256"):
        owner = "ring"
    elif name.startswith("mailru_"):
        owner = "mailru"
    else:
        owner = next((crates[word] for word in re.findall(r"\w+(?=::)", name) if word in crates), "std")
    sizes[owner] += size
for crate, size in sizes.most_common():
    print(f"{crate}\t{(size + 512) // 1024}")
