#!/usr/bin/env python3
"""Make the comment of a pull request out of the log of its bench.

usage: comment.py LOG      the comment goes to stdout

The log was written by the code of the pull request, so that nothing in it is believed. Of its last line with `bench-results: `
and JSON, numbers are taken, for the cases, peers and metrics that docs/performance.json of this checkout knows; no text. Whoever
changes what is measured may thus get wrong numbers shown, and nothing else.

Exit: 0 made, 1 there is no such line, or none of its numbers is known.
"""
import json
import math
import re
import sys
from pathlib import Path

import report
import results
from services import ROOT

LINE = re.compile(r"bench-results: (\{.*\})\s*$")
MOST_BYTES = 1 << 20


def found(log):
    """The results in a log, as whatever JSON they are."""
    for line in reversed(log.splitlines()):
        said = LINE.search(line)
        if said and len(said[1]) < MOST_BYTES:
            try:
                return json.loads(said[1])
            except ValueError:
                return None
    return None


def number(value):
    """A ratio that can be shown, or none."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) and 1e-6 < value < 1e6 else None


def inner(value, *keys):
    """What JSON holds below these keys, or none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def rows(said, known):
    """Case, peer, metric, the spread that was measured, and the median that the page has."""
    for name, result in known.items():
        for peer, ratios in result["ratios"].items():
            for metric, before in ratios.items():
                spread = inner(said, name, "ratios", peer, metric)
                values = [number(value) for value in spread] if isinstance(spread, list) and len(spread) == 3 else [None]
                if None not in values and metric in ("wall", "cpu", "memory"):
                    yield name, peer, metric, values, before[1]


def comment(log, known):
    lines = list(rows(found(log), known))
    if not lines:
        return None
    table = ["What ours take of what theirs take, on this runner: median (least to most). Smaller is better; runners are noisy.", "",
             "| case | beside | | now | docs/performance.md |", "|---|---|---|---|---|"]
    for name, peer, metric, (least, median, most), before in lines:
        now = f"{report.ratio(median)} ({report.ratio(least)} to {report.ratio(most)})"
        table.append(f"| {name} | {peer} | {report.WORDS[metric]} | {now} | {report.ratio(before)} |")
    return "\n".join(table) + "\n"


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    made = comment(Path(arguments[0]).read_text(errors="replace"), results.load(ROOT / "docs/performance.json"))
    if made is None:
        print("comment: the log has no results", file=sys.stderr)
        return 1
    print(made, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
