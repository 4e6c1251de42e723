"""The results for people: lines on a terminal, the table of docs/performance.md, the picture."""
import math
import sys
from xml.sax.saxutils import escape

from case import CASES

START, END = "<!-- generated:table -->\n", "<!-- end:table -->"
WORDS = {"wall": "time", "cpu": "CPU", "memory": "memory", "size": "size", "item": "time an item", "poll": "CPU a poll", "rate": "rate"}


def amount(metric, value):
    """A value with its unit, in three digits."""
    if metric == "memory":
        return f"{value / 1024:.1f} MiB"
    if metric == "rate":
        return f"{value:.1f} MiB/s"
    if metric == "size":
        return f"{value / 1e6:.2f} MB"
    if value < 0.1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.2f} s"


def ratio(value):
    """A ratio as people say it: 1/12 below a half, otherwise 0.63."""
    return f"1/{1 / value:.3g}" if 0 < value < 0.4 else f"{value:.2f}"


def wanted(goal):
    if "over" in goal:
        return f"+{amount(goal['metric'], goal['over'])}"
    return ratio(goal["at_most"])


def got(goal):
    if "over" in goal:
        return f"+{amount(goal['metric'], goal['reached'])}"
    return ratio(goal["reached"])


def lines(case, result):
    """What the terminal shows of one case."""
    yield f"\n{case.name}: {result['what']} ({result['runs']} runs; median, least to most)"
    for name, values in result["methods"].items():
        cells = [f"{WORDS[metric]} {amount(metric, median)} ({amount(metric, least)} to {amount(metric, most)})"
                 for metric, (least, median, most) in values.items()]
        yield f"  {name:<26} {', '.join(cells)}"
    for peer, values in result["ratios"].items():
        cells = [f"{WORDS[metric]} {ratio(median)} ({ratio(least)} to {ratio(most)})" for metric, (least, median, most) in values.items()]
        yield f"  of {peer:<23} {', '.join(cells)}"
    for goal in result["goals"]:
        yield f"  goal: {WORDS[goal['metric']]} at most {wanted(goal)} of {goal['peer']}: {got(goal)}, {'met' if goal['met'] else 'MISSED'}"


# --- the page -----------------------------------------------------------------------------------------


def known_cases(known):
    """The cases with results, in the order of the code."""
    return [(name, known[name]) for name in CASES if name in known]


def table(known):
    out = ["| work | beside | ours | theirs | ours / theirs | least to most | at most |", "|---|---|---|---|---|---|---|"]
    for name, result in known_cases(known):
        ours = next(iter(result["methods"]))
        goals = {(goal["peer"], goal["metric"]): goal for goal in result["goals"]}
        # What a row has in common with the one above is said once.
        work, above = f"{ours}: {result['what']}", None
        for peer, ratios in result["ratios"].items():
            for metric in dict.fromkeys(["wall", *(metric for one, metric in goals if one == peer)]):
                if metric == "wall" and name == "poll":
                    continue
                goal = goals.get((peer, metric))
                least, median, most = ratios[metric]
                mark = "" if goal is None else wanted(goal) if goal["met"] else f"**{wanted(goal)}, missed**"
                reached = got(goal) if goal and "over" in goal else ratio(median)
                out.append(
                    f"| {work} | {'' if peer == above else peer} | {WORDS[metric]} {amount(metric, result['methods'][ours][metric][1])} "
                    f"| {amount(metric, result['methods'][peer][metric][1])} | {reached} | {ratio(least)} to {ratio(most)} | {mark} |"
                )
                work, above = "", peer
    return "\n".join(out) + "\n"


def missed(known):
    """Which goals were missed, and what stands in the way."""
    out = []
    for name, result in known_cases(known):
        goals = [goal for goal in result["goals"] if not goal["met"]]
        if goals:
            which = "; ".join(f"{WORDS[goal['metric']]} {got(goal)} of {goal['peer']}, not {wanted(goal)}" for goal in goals)
            out.append(f"- `{name}` ({which}). {CASES[name].limit or 'Nobody has looked yet'}.")
    return "\n".join(["Goals that were missed, and what stands in the way:", "", *out, ""]) if out else "Every goal was met.\n"


def made_on(known):
    """Where the numbers come from: one line for each machine and commit."""
    groups = {}
    for name, result in known_cases(known):
        key = (result["day"], result["commit"], result["cores"], result["processor"], result["load"] > result["cores"])
        groups.setdefault(key, []).append(f"`{name}`")
    out = []
    for (day, commit, cores, processor, busy), names in groups.items():
        said = "; other work ran meanwhile, so only the ratios say something" if busy else ""
        out.append(f"- {day}, commit {commit}, {cores} cores of {processor}{said}: {', '.join(names)}")
    return "\n".join(out) + "\n"


def page(text, known):
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{table(known)}\n{missed(known)}\n{made_on(known)}{END}{after}"


# --- the picture --------------------------------------------------------------------------------------

LEFT, WIDTH, ROW, TOP = 400, 360, 20, 54
LEAST, MOST = 1 / 400, 2.0


def x_of(value):
    """Where a ratio stands: the scale is logarithmic."""
    value = min(max(value, LEAST), MOST)
    return LEFT + WIDTH * (math.log(value) - math.log(LEAST)) / (math.log(MOST) - math.log(LEAST))


def rows(known):
    """Of every case and peer the time; where a goal speaks of something else alone, that."""
    for name, result in known_cases(known):
        goals = {(goal["peer"], goal["metric"]): goal for goal in result["goals"] if "over" not in goal}
        for peer, ratios in result["ratios"].items():
            metric = "poll" if "poll" in ratios else "wall"
            if result["program"] == "signal-health":
                metric = "cpu"
            yield name, peer, metric, ratios[metric], goals.get((peer, metric))


def picture(known):
    """The ratios with their spread, as SVG. A tick is the goal."""
    found = list(rows(known))
    height = TOP + ROW * len(found) + 16
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 70} {height}" font-family="sans-serif" font-size="12">',
        "<title>What our programs take, beside what people run instead</title>",
        "<style>text{fill:#24292f}.grid{stroke:#d0d7de}.one{stroke:#57606a}.bar{fill:#2da44e}.over{fill:#bf8700}.spread{stroke:#24292f}"
        ".goal{stroke:#cf222e;stroke-width:2}.back{fill:#ffffff}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.one{stroke:#8b949e}.spread{stroke:#e6edf3}"
        ".back{fill:#0d1117}}</style>",
        f'<rect class="back" width="100%" height="{height}"/>',
        '<text x="10" y="20" font-size="14">Time of ours / time of theirs: shorter is better, a red tick is the goal</text>',
    ]
    for mark in (1 / 300, 1 / 100, 1 / 30, 1 / 10, 1 / 3, 1):
        kind = "one" if mark == 1 else "grid"
        out.append(f'<line class="{kind}" x1="{x_of(mark):.1f}" x2="{x_of(mark):.1f}" y1="{TOP - 8}" y2="{height - 10}"/>')
        label = "1" if mark == 1 else f"1/{1 / mark:.0f}"
        out.append(f'<text x="{x_of(mark):.1f}" y="{TOP - 12}" text-anchor="middle">{label}</text>')
    for n, (name, peer, metric, (least, median, most), goal) in enumerate(found):
        y = TOP + ROW * n + ROW / 2
        what = "" if metric == "wall" else f" ({WORDS[metric]})"
        kind = "bar" if goal is None or goal["met"] else "over"
        out += [
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(f"{name} / {peer}{what}")}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y - 6:.1f}" width="{x_of(median) - LEFT:.1f}" height="12"/>',
            f'<line class="spread" x1="{x_of(least):.1f}" x2="{x_of(most):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>',
            f'<text x="{max(x_of(median), x_of(most)) + 6:.1f}" y="{y + 4:.1f}">{ratio(median)}</text>',
        ]
        if goal:
            at = x_of(goal["at_most"])
            out.append(f'<line class="goal" x1="{at:.1f}" x2="{at:.1f}" y1="{y - 8:.1f}" y2="{y + 8:.1f}"/>')
    return "\n".join([*out, "</svg>", ""])


def check(known, page_file, picture_file):
    """Whether page and picture show what was measured."""
    text = page_file.read_text()
    stale = [file.name for file, now in ((page_file, page(text, known)), (picture_file, picture(known))) if file.read_text() != now]
    if stale:
        print(f"bench: {', '.join(stale)} does not show docs/performance.json; run: scripts/bench --page", file=sys.stderr)
    return 1 if stale else 0
