"""Builds the wheel, with the library in it: `pip wheel .`, `pip install .` or `python3 build_wheel.py FOLDER`.

Needs neither network nor another package. MAILRU_LIBRARY names the library's file; without it cargo builds it. For
another machine's, MAILRU_WHEEL_PLATFORM is its tag, such as win_amd64 or musllinux_1_2_x86_64.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
#: As the library's own documentation says.
OLDEST_GLIBC = "2_34"


def _version() -> str:
    found = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{ROOT / 'Cargo.toml'} names no version")
    return found.group(1)


def _platform() -> str:
    named = os.environ.get("MAILRU_WHEEL_PLATFORM")
    if named:
        return named
    tag = re.sub(r"[-.]", "_", sysconfig.get_platform())
    if tag.startswith("linux_") and platform.libc_ver()[0] == "glibc":
        return tag.replace("linux_", f"manylinux_{OLDEST_GLIBC}_", 1)
    return tag


#: What the library is called within the package, where its loader looks for it.
CALLED = {".dll": "mailru.dll", ".dylib": "libmailru.0.dylib", ".so": "libmailru.so.0"}


def _library() -> tuple[Path, str]:
    """The library's file, and what it is called within the package."""
    named = os.environ.get("MAILRU_LIBRARY")
    if named:
        suffix = re.search(r"\.(dll|dylib|so)\b", Path(named).name)
        return Path(named), CALLED[suffix.group() if suffix else ".so"]
    built = {"win32": "mailru.dll", "darwin": "libmailru.dylib"}.get(sys.platform, "libmailru.so")
    subprocess.run(["cargo", "build", "--release", "--lib"], cwd=ROOT, check=True, stdout=sys.stderr)
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    found = Path(json.loads(metadata.stdout)["target_directory"]) / "release" / built
    return found, CALLED[found.suffix]


def _metadata(version: str) -> str:
    project = (HERE / "pyproject.toml").read_text(encoding="utf-8")
    described = re.search(r'^description = "(.+)"$', project, re.MULTILINE)
    python = re.search(r'^requires-python = "(.+)"$', project, re.MULTILINE)
    if described is None or python is None:
        raise RuntimeError("pyproject.toml lacks a description or requires-python")
    head = [
        "Metadata-Version: 2.1",
        "Name: mailru",
        f"Version: {version}",
        f"Summary: {described.group(1)}",
        "License: MIT",
        "License-File: LICENSE",
        f"Requires-Python: {python.group(1)}",
        "Classifier: Typing :: Typed",
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(head) + "\n\n" + (HERE / "README.md").read_text(encoding="utf-8")


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Builds the wheel in the folder, and returns its file's name."""
    version, tag = _version(), f"py3-none-{_platform()}"
    library, called = _library()
    info = f"mailru-{version}.dist-info"
    package = [*sorted((HERE / "mailru").glob("*.py")), HERE / "mailru" / "py.typed"]
    files = {f"mailru/{path.name}": path.read_bytes() for path in package}
    files[f"mailru/{called}"] = library.read_bytes()
    files[f"{info}/METADATA"] = _metadata(version).encode()
    wheel = f"Wheel-Version: 1.0\nGenerator: build_wheel\nRoot-Is-Purelib: false\nTag: {tag}\n"
    files[f"{info}/WHEEL"] = wheel.encode()
    files[f"{info}/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.writerow([path, f"sha256={digest}", len(content)])
    rows.writerow([f"{info}/RECORD", "", ""])
    files[f"{info}/RECORD"] = record.getvalue().encode()
    name = f"mailru-{version}-{tag}.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            # The same files make the same wheel, whenever it is built.
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if path.endswith(called) else 0o100644) << 16
            archive.writestr(entry, content)
    return name


if __name__ == "__main__":
    print(Path(sys.argv[1]) / build_wheel(sys.argv[1]))
