"""What was measured, as it is kept: docs/performance.json."""
import datetime
import json
import os
import statistics
import subprocess
from pathlib import Path

from services import ROOT


def spread(values):
    """Least, median and most, to four digits."""
    return [float(f"{value:.4g}") for value in (min(values), statistics.median(values), max(values))]


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def commit():
    asked = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    return asked.stdout.strip()


def summary(case, samples):
    """One case: the spread of each metric of each method, the spread of the ratios, and what became of the goals.

    Ratios are those of runs that followed each other."""
    ours, *peers = samples
    values = {name: [sample.values() for sample in taken] for name, taken in samples.items()}
    metrics = list(values[ours][0])
    of_method = {
        name: {metric: spread([one[metric] for one in taken]) for metric in metrics} for name, taken in values.items()
    }
    ratios = {
        peer: {
            metric: spread([a[metric] / b[metric] for a, b in zip(values[ours], values[peer])])
            for metric in metrics if all(one[metric] for one in values[peer])
        }
        for peer in peers
    }
    return {
        "program": case.program, "what": case.what, "runs": len(samples[ours]), "commit": commit(),
        "day": datetime.date.today().isoformat(), "processor": processor(), "cores": os.cpu_count(),
        "load": float(f"{os.getloadavg()[1]:.2g}"),
        "methods": of_method, "ratios": ratios, "goals": [reached(goal, of_method, ratios, ours) for goal in case.goals],
    }


def reached(goal, of_method, ratios, ours):
    """What a goal asks for, the median that was reached, and whether that is enough."""
    peer = goal.peer
    if goal.over is not None:
        more = of_method[ours][goal.metric][1] - of_method[peer][goal.metric][1]
        return {"metric": goal.metric, "peer": peer, "over": goal.over, "reached": float(f"{more:.4g}"), "met": more <= goal.over}
    ratio = ratios[peer][goal.metric][1]
    at_most = float(f"{goal.at_most:.4g}")
    return {"metric": goal.metric, "peer": peer, "at_most": at_most, "reached": ratio, "met": ratio <= at_most}


def load(path):
    return json.loads(path.read_text())["cases"] if path.is_file() else {}


def save(path, cases):
    text = json.dumps({"cases": cases}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
