#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""eval.py --out O --scorers DIR --data DIR: runs the scorers on O/kmend and writes what they say.

The figures go to tests/eval/RESULTS.md, with date, commit and machine, and between the marks of
README.md. What a scorer does not say is "-", never left out. Exit 1: a scorer failed, nothing is
written."""
import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
RESULTS = TOP / "tests/eval/RESULTS.md"
README = TOP / "README.md"
MARKS = ("<!-- eval: made by make eval -->", "<!-- eval ends -->")
F = r"(-?[\d.]+)"

EXHAUST, ONE, MANY = "exhaustion", "anomaly, one metric", "anomaly, many metrics"

# Class, figure, what is asked for, scorer, pattern; no pattern: see long_recall().
FIGURES = [
    (EXHAUST, "false episodes per host-day, 40 points of headroom", "≤ 0.005", "leak",
     rf"with headroom: {F}"),
    (EXHAUST, "false episodes per host-day, hosts as they are (85 to 98 % full)", "≤ 0.05",
     "leak", rf"as it is: {F}"),
    (EXHAUST, "share of healthy time in alarm, as they are", "≤ 0.001", "leak",
     rf"as it is: .*, {F} of the time"),
    (EXHAUST, "recall 15 min before, leaks of 60 min and longer", "≥ 0.90", "leak", None),
    (EXHAUST, "recall 15 min before, leaks of 30 min", "≥ 0.60", "leak",
     rf"length 30: .*@15min {F}"),
    (EXHAUST, "recall 15 min before, linear", "≥ 0.75", "leak", rf"shape linear: .*@15min {F}"),
    (EXHAUST, "recall 15 min before, exponential", "≥ 0.75", "leak",
     rf"shape exponential: .*@15min {F}"),
    (EXHAUST, "recall 15 min before, in steps", "≥ 0.75", "leak", rf"shape steps: .*@15min {F}"),
    (EXHAUST, "recall 15 min before, pausing", "≥ 0.75", "leak", rf"shape pausing: .*@15min {F}"),
    (EXHAUST, "interval of 10 % to 90 % holds the truth", "0.75 to 0.90", "leak",
     rf"held the truth: {F}"),
    (ONE, "NAB standard, best threshold", "≥ 62", "nab", rf"standard: best {F}"),
    (ONE, "NAB standard, threshold from the other half", "≥ 58", "nab",
     rf"standard: .*2-fold {F}"),
    (ONE, "NAB standard, own alarms", "≥ 50", "nab", rf"standard: .*own alarms {F}"),
    (MANY, "mean AUC-PR", "≥ 0.47", "multi", rf"mean: AUC-PR {F}"),
    (MANY, "mean VUS-PR", "≥ 0.42", "multi", rf"mean: .*VUS-PR {F}"),
    (MANY, "episodes found by own alarms", "≥ 0.40", "multi", rf"mean: .*found {F}"),
    (MANY, "false alarms per host-day", "≤ 0.2", "multi", rf"mean: .*host-day {F}"),
    (MANY, "share of healthy time in alarm", "≤ 0.01", "multi", rf"mean: .*in alarm {F}"),
    ("cost", "a sample, everything together, ns", "≤ 300", "cost", rf"everything together\s+{F}"),
    ("cost", "kept of a series, everything together, bytes", "≤ 512", "cost",
     rf"kept of a series\s+{F}"),
    ("cost", "ten million rows, MiB at most", "-", "rows", rf"{F} MiB"),
]


class Progress:
    """[######..............] 2/4 leak: 812 tables, on a terminal only."""

    def __init__(self, steps, count_file):
        self.steps, self.count_file, self.done, self.name = steps, count_file, 0, ""
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def draw(self):
        tables = self.count_file.stat().st_size if self.count_file.exists() else 0
        full = 30 * self.done // self.steps
        bar = "#" * full + "." * (30 - full)
        text = f"\r[{bar}] {self.done}/{self.steps} {self.name}: {tables} tables "
        print(text, end="", file=sys.stderr, flush=True)

    def run(self):
        while not self.stop.wait(0.5):
            self.draw()

    def __enter__(self):
        if sys.stderr.isatty():
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        if self.thread.ident:
            self.thread.join()
            print(file=sys.stderr)


def counting(kmend, work):
    """A kmend that leaves a byte behind for each table it was given."""
    wrapper = work / "kmend"
    wrapper.write_text(f'#!/bin/sh\nprintf x >>"{work}/count"\nexec "{kmend}" "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


def run(command, env):
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        last = (done.stderr or done.stdout).strip()[-500:]
        sys.exit(f"eval: {' '.join(command)}: exit {done.returncode}: {last}")
    return done.stdout


def long_recall(text):
    """Over all leaks of 60 min and longer, weighted by their number."""
    rows = re.findall(rf"length (\d+): n=(\d+) recall@15min {F}", text)
    rows = [(int(n), float(r)) for minutes, n, r in rows if int(minutes) >= 60]
    return f"{sum(n * r for n, r in rows) / sum(n for n, _ in rows):.2f}" if rows else "-"


def figure(said, scorer, pattern):
    text = said.get(scorer, "")
    if pattern is None:
        return long_recall(text)
    found = re.search(pattern, text)
    return found.group(1) if found else "-"


def git(*args):
    return subprocess.run(["git", "-C", TOP, *args], capture_output=True, text=True).stdout.strip()


def machine():
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name, kernel = cpu.group(1) if cpu else "unknown", platform.release().split("-")[0]
    return f"{platform.machine()}, {os.cpu_count()} CPUs ({name}), Linux {kernel}"


def table(said):
    changed = git("status", "--porcelain", "--untracked-files=no")
    commit = git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    lines = [f"`make eval`, {datetime.date.today()}, commit {commit}, {machine()}:", ""]
    lines += ["| of | figure | asked for | measured |", "|---|---|---|---|"]
    for kind, name, asked, scorer, pattern in FIGURES:
        lines.append(f"| {kind} | {name} | {asked} | {figure(said, scorer, pattern)} |")
    return "\n".join(lines) + "\n"


def write(text, said):
    raw = "".join(f"\n## {name}\n\n```\n{out.rstrip()}\n```\n" for name, out in said.items())
    RESULTS.write_text(f"# How good the predictions are\n\n{text}{raw}")
    readme = README.read_text()
    begin, end = (readme.find(m) for m in MARKS)
    if 0 <= begin < end:
        README.write_text(f"{readme[:begin]}{MARKS[0]}\n{text}{readme[end:]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--scorers", required=True)
    parser.add_argument("--data", required=True)
    args = parser.parse_args()
    scorers, data, out = (Path(p).resolve() for p in (args.scorers, args.data, args.out))
    for path in (scorers / "common.py", data / "host-memory", data / "nab", data / "smd"):
        if not path.exists():
            sys.exit(f"eval: no {path}; say make eval EVAL_DIR=SCORERS KMEND_DATA=DATA")
    said = {}
    with tempfile.TemporaryDirectory(prefix="kmend-eval.") as folder:
        work = Path(folder)
        env = dict(os.environ, KMEND=str(counting(out / "kmend", work)))
        steps = {
            "cost": [str(out / "tests/bench/series")],
            "rows": [sys.executable, str(TOP / "tests/eval/rows.py"), str(out / "kmend")],
            "leak": [sys.executable, str(scorers / "score_leak.py"), str(data / "host-memory")],
            "nab": [sys.executable, str(scorers / "score_nab.py"), str(data / "nab")],
            "multi": [sys.executable, str(scorers / "score_multi.py"), str(data / "smd")],
        }
        with Progress(len(steps), work / "count") as progress:
            for progress.name, command in steps.items():
                said[progress.name] = run(command, env)
                progress.done += 1
    text = table(said)
    write(text, said)
    print(text, end="")


if __name__ == "__main__":
    main()
