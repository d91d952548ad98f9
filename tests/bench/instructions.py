"""Instructions per call, by function: the difference between two callgrind runs of N and 2N calls."""

import re
import sys
from collections import Counter
from pathlib import Path

COMPRESSED = re.compile(r"^\((\d+)\)(?: (.*))?$")
HASH = re.compile(r"::h[0-9a-f]{16}|'\d+$")
ALLOCATION = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc")


class Profile:
    """One run: self cost and inclusive cost of each function, calls and cost from caller to callee."""

    def __init__(self, path):
        self.own, self.edges, self.calls, self.lines = Counter(), Counter(), Counter(), Counter()
        names, files = {}, {}
        function = callee = file = None
        callee_next = False
        for line in path.read_text().splitlines():
            key, _, value = line.partition("=")
            if key == "fn":
                function = self.name(names, value)
            elif key == "cfn":
                callee = self.name(names, value)
            elif key in ("fl", "fi", "fe"):
                file = self.name(files, value)
            elif key in ("cfi", "cfl"):
                self.name(files, value)
            elif key == "calls":
                self.calls[function, callee] += int(value.split()[0])
                callee_next = True
            elif line and (line[0].isdigit() or line[0] in "+-*"):
                place, cost = line.split()[:2]
                self.here = self.line(place)
                if callee_next:
                    self.edges[function, callee] += int(cost)
                    callee_next = False
                else:
                    self.own[function] += int(cost)
                    self.lines[file, self.here] += int(cost)

    here = 0

    def line(self, place):
        """A line number, which may be relative to the one before."""
        if place == "*":
            return self.here
        return self.here + int(place) if place[0] in "+-" else int(place)

    @staticmethod
    def name(known, text):
        """A name, which is written out only once."""
        number, name = COMPRESSED.match(text).groups()
        if name is not None:
            known[number] = HASH.sub("", name)
        return known[number]


def per_call(once, twice, calls):
    """The cost of one call, of whatever was counted."""
    return {key: (twice[key] - once[key]) / calls for key in twice}


def table(title, costs, whole, lines, text=str):
    """The costliest of one kind."""
    print(f"\n{title}")
    for key, cost in sorted(costs.items(), key=lambda row: -row[1])[:lines]:
        if cost >= 1:
            print(f"{cost:10.0f} {cost / whole:6.1%}  {text(key)[:170]}")


def main():
    """The tables, and the sum."""
    folder, calls, lines = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    once, twice = Profile(folder / f"{calls}.out"), Profile(folder / f"{2 * calls}.out")
    own, edges = per_call(once.own, twice.own, calls), per_call(once.edges, twice.edges, calls)
    made = per_call(once.calls, twice.calls, calls)
    whole = sum(own.values())
    inclusive = Counter(own)
    for (caller, callee), cost in edges.items():
        if caller != callee:
            inclusive[caller] += cost
    table("inclusive, per call", inclusive, whole, lines)
    table("self, per call", own, whole, lines)
    table("self by source line, per call", per_call(once.lines, twice.lines, calls), whole, lines,
          lambda key: f"{key[0]}:{key[1]}")
    allocations = {pair: count for pair, count in made.items() if pair[1] in ALLOCATION and pair[0] not in ALLOCATION}
    print("\nallocations, per call")
    for (caller, callee), count in sorted(allocations.items(), key=lambda row: -row[1]):
        if count >= 0.5:
            print(f"{count:10.1f}  {callee} by {caller[:140]}")
    print(f"\nallocations per mailru_call: {sum(allocations.values()):.1f}")
    print(f"instructions per mailru_call: {whole:.0f}")


if __name__ == "__main__":
    main()
