# SPDX-License-Identifier: Apache-2.0
"""What kmend says of a recorded batch, replayed as it was or with its time stretched. All times that
come out of here are those of the recording."""
import json
import subprocess

LIKELY = 0.5
HORIZON_S = 45 * 60


class Said:
    """The outputs of one replay. FACTOR: a second of the recording took so many."""

    def __init__(self, scaled, trace, factor):
        run = subprocess.run([scaled, str(factor), trace], capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(f"campaign: {trace}: {run.stderr.strip()}")
        self.factor, self.forecasts, self.decisions, self.events = factor, {}, [], []
        self.base_s = None
        for line in run.stdout.splitlines():
            self.take(json.loads(line))

    def real_s(self, t_ns):
        return self.base_s + (t_ns / 1e9 - self.base_s) / self.factor

    def take(self, o):
        if o["output"] == "base":
            self.base_s = o["t_ns"] / 1e9
            return
        t_s = self.real_s(o["t_ns"])
        if o["output"] == "forecast":
            f = o["forecast"]
            key = (f["service"], f["kind"], f["resource"])
            self.forecasts.setdefault(key, []).append((t_s, f))
        elif o["output"] == "decision":
            self.decisions.append((t_s, o["decision"]))
        elif o["output"] == "event":
            self.events.append((t_s, o["service"], o["event"]))

    def spells(self, key, end_s):
        """(from, to) in which the forecast was likely and near, joined over 30 minutes."""
        out, said = [], self.forecasts.get(key, [])
        for i, (t_s, f) in enumerate(said):
            if f.get("p", 0) < LIKELY:
                continue
            to_s = said[i + 1][0] if i + 1 < len(said) else end_s
            if key[1] == "exhaustion":
                t_s += max(f["eta_s"] - HORIZON_S, 0) / self.factor
            if t_s >= to_s:
                continue
            if out and t_s - out[-1][1] <= 1800 / self.factor:
                out[-1][1] = to_s
            else:
                out.append([t_s, to_s])
        return [tuple(spell) for spell in out]

    def at(self, key, t_s):
        """The forecast in force at T_S and how long ago it was said, in its own seconds."""
        newest = None
        for said_s, f in self.forecasts.get(key, []):
            if said_s <= t_s:
                newest = (f, (t_s - said_s) * self.factor)
        return newest if newest and newest[0].get("p", 0) >= LIKELY else None
