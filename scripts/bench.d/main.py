"""Measure every program beside what people run instead; scripts/bench starts it and says how."""
import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import cases_aws  # noqa: F401
import cases_deploy  # noqa: F401
import cases_local  # noqa: F401
import report
import results
from case import CASES, Bench
from measure import Failed, run
from services import ROOT

RESULTS, PAGE, PICTURE = ROOT / "docs/performance.json", ROOT / "docs/performance.md", ROOT / "docs/performance.svg"


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def measured(case, bench, runs):
    """Every method once, then again: a moment in which the machine is slow is felt by all."""
    methods = case.setup(bench)
    if isinstance(methods, dict):
        return methods
    samples = {method.name: [] for method in methods}
    for number in range(runs):
        for method in methods:
            if method.before:
                method.before(number)
            sample = run(method.command, env=method.env, cwd=method.cwd or bench.work, codes=method.codes)
            if method.after:
                method.after(number, sample)
            samples[method.name].append(sample)
    return samples


def measure(names, bench, runs):
    found = {}
    for name in names:
        case, started = CASES[name], time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"{name}.", dir=bench.top) as work:
            bench.work = Path(work)
            samples = measured(case, bench, runs or case.runs)
        found[name] = results.summary(case, samples)
        say(f"{name}: {time.monotonic() - started:.0f} s")
        for line in report.lines(case, found[name]):
            print(line, flush=True)
    return found


def write_page(known):
    PICTURE.write_text(report.picture(known))
    PAGE.write_text(report.page(PAGE.read_text(), known))


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure every program beside what people run instead.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="only these (default: all but tunnels; --list names them)")
    parser.add_argument("--list", action="store_true", help="say the cases, and measure nothing")
    parser.add_argument("--bin", type=Path, metavar="FOLDER", help="the folder of the programs")
    parser.add_argument("--runs", type=int, metavar="N", help="how often each method runs, instead of what the case says")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to this file")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.json, and write page and picture")
    parser.add_argument("--page", action="store_true", help="only write page and picture from docs/performance.json")
    parser.add_argument("--check", action="store_true", help="only see that page and picture show what docs/performance.json holds")
    given = parser.parse_args()
    if given.list:
        for case in CASES.values():
            print(f"{case.name:<18} {case.program:<18} {case.what}")
        return 0
    known = results.load(RESULTS)
    if given.check:
        return report.check(known, PAGE, PICTURE)
    if given.page:
        write_page(known)
        return 0
    unknown = [name for name in given.cases if name not in CASES]
    if unknown:
        parser.error(f"there is no case {', '.join(unknown)}; there are: {', '.join(CASES)}")
    by_default = [case.name for case in CASES.values() if case.by_default]
    build = Path(os.environ.get("BUILD_DIR", "build")).resolve()
    programs = given.bin or os.environ.get("ACTIONS_BIN") or build / "dist/x86_64-unknown-linux-musl"
    programs = Path(programs).resolve()
    if not (programs / "run-pipeline").is_file():
        parser.error(f"there are no programs in {programs}; run: scripts/build-static")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="bench.", dir=build) as work:
        bench = Bench(programs, build, Path(work))
        try:
            found = measure(given.cases or by_default, bench, given.runs)
        except Failed as failed:
            say(str(failed))
            return 1
        finally:
            bench.stop()
    if given.json:
        results.save(given.json, found)
    if given.write:
        known |= found
        results.save(RESULTS, known)
        write_page(known)
    return 0


if __name__ == "__main__":
    sys.exit(main())
