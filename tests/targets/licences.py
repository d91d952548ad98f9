#!/usr/bin/env python3
"""The licences of all that a library of a target holds besides this project's own code, for its archive.

    licences.py TARGET [--debian]

Reads the crates' own files, each text once. Debian has the Apache License in a file of its own.
"""

import json
import pathlib
import subprocess
import sys

target = sys.argv[1]
metadata = json.loads(
    subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--filter-platform", target, "--locked"],
        check=True, capture_output=True, text=True,
    ).stdout
)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}


def is_linked(dependency):
    return any(kind["kind"] is None for kind in dependency["dep_kinds"])


def is_macro(package):
    return any("proc-macro" in target["kind"] for target in package["targets"])


root = next(package["id"] for package in metadata["packages"] if package["name"] == "mailru")
linked, waiting = set(), [root]
while waiting:
    for dependency in nodes[waiting.pop()]["deps"]:
        package = dependency["pkg"]
        if is_linked(dependency) and package not in linked and not is_macro(packages[package]):
            linked.add(package)
            waiting.append(package)

texts = {}
print("libmailru contains the Rust standard library (MIT OR Apache-2.0, https://www.rust-lang.org) and these crates.\n")
for package in sorted((packages[id] for id in linked), key=lambda package: package["name"]):
    print(f"{package['name']} {package['version']}: {package['license'] or 'see below'}")
    folder = pathlib.Path(package["manifest_path"]).parent
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE")):
            text = file.read_text(errors="replace").strip()
            if "--debian" in sys.argv and "Apache License" in text[:300] and "END OF TERMS AND CONDITIONS" in text:
                text = "See /usr/share/common-licenses/Apache-2.0."
            texts.setdefault(text, []).append(f"{package['name']} ({file.name})")
for text, owners in texts.items():
    print(f"\n{'=' * 100}\n{', '.join(owners)}\n{'=' * 100}\n\n{text}")
