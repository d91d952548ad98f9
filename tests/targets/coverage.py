"""Sums up what llvm-cov exports as lcov: the lines and branches of src that were reached, and the files that lack most.

The same source is compiled as two packages (tests/library), so a line counts as reached if it was in either.
"""

import collections
import os
import sys

lines, branches = collections.defaultdict(int), collections.defaultdict(int)
file = ""
with open(sys.argv[1], encoding="utf-8") as export:
    for line in export:
        kind, _, rest = line.strip().partition(":")
        if kind == "SF":
            file = "src/" + os.path.normpath(rest).split("/src/", 1)[-1]
        elif kind == "DA":
            number, count = rest.split(",")[:2]
            lines[file, number] = max(lines[file, number], int(count))
        elif kind == "BRDA":
            *place, count = rest.split(",")
            key = (file, *place)
            branches[key] = max(branches[key], 0 if count == "-" else int(count))


def share(counts):
    reached = sum(count > 0 for count in counts.values())
    return f"{reached} of {len(counts)}, {100 * reached / max(1, len(counts)):.1f} %"


files = collections.defaultdict(lambda: [0, 0])
for (file, _), count in lines.items():
    files[file][0] += count > 0
    files[file][1] += 1
for file, (reached, all_) in sorted(files.items(), key=lambda item: item[1][0] / item[1][1]):
    print(f"{100 * reached / all_:6.1f} %  {reached:5} of {all_:5}  {file}")
print(f"lines: {share(lines)}; branches: {share(branches)}")
