# SPDX-License-Identifier: Apache-2.0
"""The campaign's figures as tables, for people, RESULTS.md and README.md."""
import datetime
import statistics
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/eval"))
from eval import git, machine  # noqa: E402

RESULTS = TOP / "tests/campaign/RESULTS.md"
README = TOP / "README.md"
MARKS = ("<!-- campaign: made by make campaign -->", "<!-- campaign ends -->")
CRASHES = ("crash on start", "crash loop")
DEPENDENCIES = ("dependency down", "dependency unreachable")


def number(x, digits=2):
    return "-" if x is None else f"{x:.{digits}f}"


def figures(s):
    """Rows of the table: figure, asked for, measured."""
    rate, low, high, days = s.false_per_day()
    real_h = sum(b.host_s() for b in s.batches) / 3600
    sudden = sum(a[2] != "exhaustion" for a in s.alarms)
    gradual = sum(len(v) for c, v in s.classes.items() if s.is_gradual(c))
    return [
        ("runs with a failure, classes of fault", "≥ 300, ≥ 10",
         f"{s.runs()}, {len(s.classes)}"),
        (f"recall 15 min before, gradual faults ({gradual} runs)", "≥ 0.85", number(s.recall(15))),
        ("crash loops recognised by the third crash", "all", number(s.share(*CRASHES))),
        ("hangs recognised within 30 s", "all", number(s.share("hang"))),
        ("failed dependencies recognised within 2 s", "all", number(s.share(*DEPENDENCIES))),
        (f"false alarms of exhaustion per host-day ({days:.1f} of them)", "",
         f"{rate:.3f} [{low:.3f}, {high:.3f}]"),
        ("precision at one failure per host and week", "", number(s.precision(7))),
        ("precision at one failure per host and month", "≥ 0.75", number(s.precision(30))),
        ("precision at one failure per host and quarter", "", number(s.precision(91))),
        (f"false alarms of hang, crash loop, dependency ({real_h:.1f} h of a host, not stretched)",
         "", str(sudden)),
        (f"times that a shipped rule would have disrupted what is healthy, {24 * days:.0f} h of a host",
         "0 in 48 h", str(len(s.acts))),
    ]


def table(s):
    commit = git("rev-parse", "--short", "HEAD")
    commit += "+" if git("status", "--porcelain", "--untracked-files=no") else ""
    lines = [f"`make campaign`, {datetime.date.today()}, commit {commit}, {machine()}; a minute of the "
             "recording is an hour:", "", "| figure | asked for | measured |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in figures(s)]
    return "\n".join(lines) + "\n"


def a_class(s, kind, rows):
    known = sorted(x for _, _, x in rows if x is not None and (x or not s.is_gradual(kind)))
    unit = "min before" if s.is_gradual(kind) else "s after"
    middle = f"{statistics.median(known):.1f} {unit}" if known else "-"
    missed = [program for program, ok, _ in rows if not ok]
    text = ", ".join(f"{p} {missed.count(p)}" for p in sorted(set(missed)))
    return f"| {kind} | {len(rows)} | {sum(ok for _, ok, _ in rows) / len(rows):.2f} | {middle} | {text} |"


def lead_line(s):
    leads = sorted(x for x in s.leads if x)
    if not leads:
        return ""
    late = sum(0 < x < 15 for x in s.leads) / len(s.leads)
    return (f"Gradual: recall 30 min before {s.recall(30):.2f}; late {late:.2f}; lead median "
            f"{statistics.median(leads):.0f} min, 10th percentile {leads[len(leads) // 10]:.0f} min.\n")


def time_lines(s):
    out = ""
    for before in (60, 30, 15):
        at = [(eta, held) for when, eta, held in s.looks if when == before]
        if at:
            off = statistics.median(abs(eta - before) / before for eta, _ in at)
            out += (f"{before} min before: error of the time {off:.2f} (median), interval held "
                    f"{sum(held for _, held in at) / len(at):.2f} of {len(at)}.\n")
    return out


def details(s):
    lines = ["| class | runs | found | median | missed |", "|---|---|---|---|---|"]
    lines += [a_class(s, kind, rows) for kind, rows in sorted(s.classes.items())]
    text = "\n".join(lines) + "\n\n" + lead_line(s) + time_lines(s)
    text += (f"Episodes in which nothing failed, not counted: {s.empty}; failures that no fault of "
             f"ours made: {sum(b.unplanned() for b in s.batches)}.\n")
    for b, entity, kind, resource, t_s in s.alarms:
        text += f"- false: {b.short(entity)}: {kind} {resource or ''} at {b.at(t_s)}\n"
    for b, service, rule, verb, t_s in s.acts:
        text += f"- would have been disrupted: {service}: {rule}: {verb} at {b.at(t_s)}\n"
    return text


def write(s, note):
    text = table(s) + (f"\n{note}\n" if note else "")
    RESULTS.write_text(f"# How good the forecasts are in real faults\n\n{text}\n{details(s)}")
    readme = README.read_text()
    begin, end = (readme.find(m) for m in MARKS)
    if 0 <= begin < end:
        README.write_text(f"{readme[:begin]}{MARKS[0]}\n{text}{readme[end:]}")
