#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""score.py --out O DIR...: replays the batches in DIR and says how good kmend's forecasts were.

Protocol: an alarm (a forecast likelier than not, of exhaustion within 45 minutes) is true if it
starts 15 to 120 minutes before the failure of the same entity and resource, or earlier and stays;
late in the last 15; alarms are joined over 30 minutes. Exhaustion is looked at with time stretched
(a minute of the recording is an hour), what comes suddenly as it was. False alarms are counted on
healthy time only: before a service's fault, after it has recovered, and of all that had none."""
import argparse
import collections
import concurrent.futures
import json
import os
import random
import statistics
from pathlib import Path

import report
from faults import GRADUAL
from said import Said

FACTOR = 60
MINUTE_S = 60 / FACTOR     # a stretched minute, of the recording
UNPLANNED_S = 60           # around a failure that nobody planned
GRACE_S = 20               # after a recovery, in which what was said may still be in force
SUDDEN = ("hang", "crash_loop", "dependency")
DISRUPTS = {"restart", "stop", "kill", "signal", "freeze", "throttle", "limit", "failover"}
STOPPED = {"cpu-stopped", "cpu-stopped-silent"}
RETRANSMITS = {"net-retransmit-storm"}
STARVED = {"cpu-starved", "cpu-throttled", "cpu-saturation"}


def without(spans, from_s, to_s):
    """SPANS without what lies between."""
    out = []
    for a, b in spans:
        out += [(a, min(b, from_s)), (max(a, to_s), b)]
    return [(a, b) for a, b in out if b > a]


class Batch:
    def __init__(self, scaled, truth):
        self.name = truth.stem
        self.truth = json.loads(truth.read_text())
        trace = truth.with_suffix(".trace")
        self.slow, self.real = Said(scaled, trace, FACTOR), Said(scaled, trace, 1)
        self.end_s = self.truth["end_s"]
        self.services = {s["name"]: s for s in self.truth["services"]}
        self.episodes = self.truth["episodes"]

    def short(self, entity):
        """Without the folder of this run."""
        return entity.replace("/var/tmp/", "")

    def at(self, t_s):
        return f"{self.name}+{t_s - self.truth['begin_s']:.0f} s"

    def planned_well(self, service):
        """Spans of the recording in which no fault of ours was at work in it."""
        s = self.services[service]
        spans, at_s = [], s["from_s"] and max(s["from_s"], self.truth["begin_s"])
        for e in sorted((e for e in self.episodes if self.hit(e, service)),
                        key=lambda e: e["injected_s"]):
            if at_s is not None:
                spans.append((at_s, e["injected_s"]))
            at_s = e["recovered_s"] + GRACE_S if e["recovered_s"] else None
        if at_s is not None:
            spans.append((at_s, s["until_s"]))
        return [span for span in spans if span[1] > span[0]]

    def healthy(self, service):
        """Those in which nothing failed by itself either: that is a fact as well."""
        spans = self.planned_well(service)
        for fact_s, _ in self.services[service]["facts"]:
            spans = without(spans, fact_s - UNPLANNED_S, fact_s + UNPLANNED_S)
        return [span for span in spans if span[1] > span[0]]

    def unplanned(self):
        """Failures that no fault of ours made, and that are no false alarm's excuse."""
        return sum(any(a <= t < b for a, b in spans) for name in self.services
                   for spans in [self.planned_well(name)]
                   for t, _ in self.services[name]["facts"])

    def hit(self, episode, service):
        """The fault is that of SERVICE, or it is the other side of a dependency's."""
        return episode["service"] == service or episode.get("peer") == service

    def owner(self, entity):
        for name, s in self.services.items():
            if entity in s["entities"] or entity.startswith(name + ">"):
                return name
        return None

    def was_healthy(self, entity, t_s):
        owner = self.owner(entity)
        if owner is None:
            return self.truth["begin_s"] <= t_s <= self.end_s
        return any(a <= t_s < b for a, b in self.healthy(owner))

    def false_alarms(self):
        """(entity, kind, resource, at) on healthy time."""
        out = []
        for said, kinds in ((self.slow, ("exhaustion",)), (self.real, SUDDEN)):
            for key in said.forecasts:
                if key[1] in kinds:
                    out += [(*key, a) for a, _ in said.spells(key, self.end_s)
                            if self.was_healthy(key[0], a)]
        return out

    def disruptions(self):
        """What a shipped rule would have done to a healthy service."""
        return [(d["service"], d["rule"], d["verb"], t_s)
                for said in (self.slow, self.real) for t_s, d in said.decisions
                if d["verb"] in DISRUPTS and self.was_healthy(d["service"], t_s)]

    def facts(self):
        """For tests/replay/campaign.c: entity, resource, well until, failed at."""
        lines = ["# entity, resource, well until, failed at (0: never)"]
        for s in self.truth["services"]:
            hits = [e for e in self.episodes if e["service"] == s["name"]]
            well_s = min((e["injected_s"] for e in hits), default=s["until_s"])
            failed = next((e for e in hits if e["resource"] and e["failed_s"]), None)
            for entity in s["entities"]:
                mine = failed and (entity.startswith("fs:") == (
                    failed["resource"] in ("disk", "inodes")))
                resource = failed["resource"].split()[-1 if "postgres" in entity else 0] if mine \
                    else "-"
                lines.append(f"{entity} {resource} {well_s:.3f} "
                             f"{failed['failed_s'] if mine else 0:.3f}")
        return "\n".join(lines) + "\n"

    def host_s(self):
        """Healthy time of the host: the mean of its services'."""
        return statistics.mean(sum(b - a for a, b in self.healthy(s)) for s in self.services)

    def keys(self, said, episode, kinds, resources=None):
        entities = self.services[episode["service"]]["entities"]
        return [k for k in said.forecasts if k[0] in entities and k[1] in kinds and
                (resources is None or k[2] in resources)]

    def gradual(self, e):
        """(lead in minutes or None, [(minutes before, expected, interval held)])"""
        keys = self.keys(self.slow, e, ("exhaustion",), e["resource"].split())
        leads, looks = [0], []
        for key in keys:
            for a, b in self.slow.spells(key, self.end_s):
                lead = (e["failed_s"] - a) / MINUTE_S
                stays = (e["failed_s"] - b) / MINUTE_S <= 15
                if a >= e["injected_s"] and lead > 0 and (lead <= 120 or stays):
                    leads.append(lead)
            for before in (60, 30, 15):
                found = self.slow.at(key, e["failed_s"] - before * MINUTE_S)
                if found:
                    f, age_s = found
                    looks.append((before, (f["eta_s"] - age_s) / 60,
                                  f["eta_lo_s"] - age_s <= before * 60 <= f["eta_hi_s"] - age_s))
        return max(leads), looks

    def first(self, said, e, kinds, rules=(), entities=()):
        """When kmend first said one of KINDS or RULES of what the episode is about."""
        about = set(self.services[e["service"]]["entities"]) | set(entities)
        limit_s = (e["recovered_s"] or e["over_s"]) + MINUTE_S
        times = [t for k, said_of in said.forecasts.items() if k[0] in about and k[1] in kinds
                 for t, f in said_of if f.get("p", 0) >= 0.5]
        times += [t for t, d in said.decisions if d["service"] in about and d["rule"] in rules]
        return min((t for t in times if e["injected_s"] <= t <= limit_s), default=None)


def sudden(batch, e):
    """(found, delay in seconds or None) of an episode by its class's own measure."""
    kind = e["class"]
    if kind == "hang":
        t = batch.first(batch.real, e, ("hang",), STOPPED)
        return t is not None and t - e["injected_s"] <= 30, t and t - e["injected_s"]
    if kind.startswith("crash"):
        t = batch.first(batch.real, e, ("crash_loop",))
        return t is not None and t - e["crashes"][2] <= 1, t and t - e["crashes"][2]
    if kind == "retransmit storm":
        t = batch.first(batch.slow, e, ("degradation",), RETRANSMITS)
    elif kind == "CPU starvation":
        t = batch.first(batch.slow, e, (), STARVED)
        hung = batch.first(batch.real, e, ("hang",))
        return hung is None, t and t - e["injected_s"]
    elif kind == "dependency slow":
        t = batch.first(batch.real, e, ("dependency", "degradation", "hang"), STOPPED,
                        [e["peer"]])
    else:
        t = batch.first(batch.real, e, ("dependency",))
        return t is not None and t - e["failed_s"] <= 2, t and t - e["failed_s"]
    return t is not None, t and t - e["injected_s"]


def counts(batch, e):
    """The failure happened, as far as the class's measure needs it."""
    if e["class"].startswith("crash"):
        return len(e["crashes"]) >= 3
    # Of a storm the fact is what nftables was told to drop.
    return e["class"] == "retransmit storm" or e["failed_s"] is not None


def load(scaled, folders):
    paths = sorted(p for folder in folders for p in folder.glob("*.truth"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda p: Batch(scaled, p), paths))


class Scores:
    """All batches together."""

    def __init__(self, batches, verbose=False):
        self.batches = batches
        self.classes = collections.defaultdict(list)  # class -> [(program, found, lead or delay)]
        self.leads, self.looks, self.empty = [], [], 0
        for b in batches:
            for e in b.episodes:
                if not counts(b, e):
                    self.empty += 1
                    continue
                self.add(b, e)
                if verbose:
                    found = self.classes[e["class"]][-1]
                    print(b.name, e["service"], e["class"], e["fact"], *found[1:])
        self.alarms = [(b, *alarm) for b in batches for alarm in b.false_alarms()]
        self.acts = [(b, *act) for b in batches for act in b.disruptions()]

    def add(self, b, e):
        if not e["resource"]:
            self.classes[e["class"]].append((e["program"], *sudden(b, e)))
            return
        lead, looks = b.gradual(e)
        self.looks += looks
        self.leads.append(lead)
        self.classes[e["class"]].append((e["program"], lead >= 15, lead))

    @staticmethod
    def is_gradual(kind):
        return kind in GRADUAL

    def runs(self):
        return sum(len(rows) for rows in self.classes.values())

    def share(self, *classes):
        found = [ok for c in classes for _, ok, _ in self.classes.get(c, [])]
        return sum(found) / len(found) if found else None

    def recall(self, minutes):
        return sum(x >= minutes for x in self.leads) / len(self.leads) if self.leads else None

    def false_per_day(self):
        """Of exhaustion, per host and stretched day, with a 95 % interval drawn over hosts."""
        rows = [(sum(a[0] is b and a[2] == "exhaustion" for a in self.alarms),
                 b.host_s() * FACTOR / 86400) for b in self.batches]
        rng = random.Random(1)

        def rate(some):
            return sum(n for n, _ in some) / max(sum(d for _, d in some), 1e-9)
        draws = sorted(rate([rng.choice(rows) for _ in rows]) for _ in range(1000))
        return rate(rows), draws[25], draws[975], sum(d for _, d in rows)

    def precision(self, days):
        """Share of true alarms where one failure comes in DAYS."""
        recall = self.recall(15)
        return recall / (recall + self.false_per_day()[0] * days) if recall else None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--verbose", action="store_true", help="each run and each false alarm")
    parser.add_argument("--write", action="store_true", help="RESULTS.md and README.md")
    parser.add_argument("--note", default="", help="how it was recorded, for the pages")
    parser.add_argument("--facts", type=Path, help="there, a .facts file a batch")
    parser.add_argument("dirs", nargs="+", type=Path)
    args = parser.parse_args()
    batches = load(args.out / "tests/campaign/scaled", args.dirs)
    if not batches:
        raise SystemExit("campaign: nothing was recorded there")
    scores = Scores(batches, args.verbose)
    if not scores.runs():
        raise SystemExit("campaign: nothing failed in any of the batches")
    text = report.table(scores) + "\n" + report.details(scores)
    print(text, end="")
    if args.write:
        report.write(scores, args.note)
    for b in batches if args.facts else ():
        (args.facts / b.name).with_suffix(".facts").write_text(b.facts())


if __name__ == "__main__":
    main()
