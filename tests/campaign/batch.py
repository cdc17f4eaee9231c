#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""batch.py --out O --to FILE --seed N [...]: one batch of the campaign, inside a world of its own
(tests/lib/enclose). Services run side by side under one kmendd; each meets its fault at a moment
and a rate that come from the seed. Leaves FILE.trace and FILE.truth."""
import argparse
import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import noise
from faults import ANY, FAULTS, GRADUAL, Fault
from service import OBJECTIVE_S, Service
from stock import Java, Postgres
from world import Daemon, mounts_below, now_s

TOP = Path(__file__).resolve().parents[2]
SUDDEN_S = {"hang": 40, "crash on start": 22, "crash loop": 40, "dependency down": 12,
            "dependency unreachable": 12, "dependency slow": 25, "retransmit storm": 80,
            "CPU starvation": 30}
START_S = 45        # for all to answer for the first time


class Episode:
    """A fault of a service, from its first step until everything is as it was, or was ended."""

    def __init__(self, service, fault, rng, lead_s):
        self.service, self.fault, self.rng, self.lead_s = service, fault, rng, lead_s
        self.over = asyncio.Event()
        self.injected_s = self.over_s = self.recovered_s = None

    async def run(self, limit_s):
        self.injected_s = now_s()
        harm = asyncio.ensure_future(self.fault.harm(self))
        gradual = self.fault.kind in GRADUAL
        while now_s() < self.injected_s + limit_s and not harm.done():
            await asyncio.sleep(0.1)
            if gradual and self.fact():
                break
        self.over.set()
        self.over_s = now_s()
        try:
            await asyncio.wait_for(harm, 15)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            print(f"{self.service.name}: {self.fault.kind}: {error!r}", file=sys.stderr)
        if gradual:
            await self.service.end()
        else:
            await asyncio.wait_for(self.service.answered(), 60)
            self.recovered_s = now_s()

    def fact(self):
        """What failed, and when; a request may have been under way when the fault began."""
        if self.fault.kind in GRADUAL:
            return self.service.first_fact(self.injected_s, GRADUAL[self.fault.kind][1])
        fact = self.service.first_fact(self.injected_s - OBJECTIVE_S, ANY)
        return fact and (max(fact[0], self.injected_s), fact[1])

    def truth(self):
        fact = self.fact()
        failed = fact and fact[0] <= self.over_s
        crashes = [t for t, status in self.service.exits
                   if self.injected_s <= t <= self.over_s and status not in (0, -15)]
        return {"service": self.service.name, "program": self.fault.program,
                "peer": self.service.peer and self.service.peer.name,
                "class": self.fault.kind, "resource": GRADUAL.get(self.fault.kind, ("",))[0],
                "injected_s": self.injected_s, "lead_s": self.lead_s, "over_s": self.over_s,
                "recovered_s": self.recovered_s, "failed_s": fact[0] if failed else None,
                "fact": fact[1] if failed else None, "crashes": crashes}


class Batch:
    def __init__(self, args, work):
        self.args, self.work = args, work
        self.rng = random.Random(args.seed)
        self.services, self.plan, self.episodes, self.noise = [], [], [], []
        self.daemon = Daemon(args.out, TOP, Path("/run/campaign"), args.to.with_suffix(".trace"))

    def add(self, fault, peer=None):
        number = len(self.services)
        name = f"{fault.program}-{number}"
        rng = random.Random(self.rng.random())
        service = Service(name, fault, 20000 + number, self.work, rng, peer)
        self.services.append(service)
        return service

    def lay_out(self):
        """Which faults: the deck is the same for all batches, each takes its part of it."""
        deck = [f for f in FAULTS if not self.args.classes or f.kind in self.args.classes]
        random.Random(7).shuffle(deck)
        at = self.args.part * self.args.services
        for i in range(self.args.services):
            fault = deck[(at + i) % len(deck)]
            peer = self.add(Fault("", fault.needs, None)) if fault.needs else None
            self.plan.append((self.add(fault, peer), fault))
        self.noise = noise.choose(self.args.noise, self.work, self.rng)

    async def course(self, service, fault):
        """What happens to one service until the end."""
        args, rng = self.args, service.rng
        await asyncio.sleep(rng.uniform(args.quiet, 1.5 * args.quiet))
        if fault.kind in GRADUAL:
            longest_s = args.seconds - 1.5 * args.quiet - 10
            lead_s = rng.uniform(min(60, 0.85 * longest_s), longest_s)
            await self.meet(service, fault, lead_s, 1.5 * lead_s)
            return
        while now_s() + SUDDEN_S[fault.kind] + 15 < self.end_s:
            await self.meet(service, fault, 0, SUDDEN_S[fault.kind])
            await asyncio.sleep(min(rng.uniform(35, 60), max(self.end_s - now_s(), 0)))

    async def meet(self, service, fault, lead_s, limit_s):
        episode = Episode(service, fault, service.rng, lead_s)
        self.episodes.append(episode)
        await episode.run(min(limit_s, self.end_s - now_s() - 2))

    async def all_answer(self):
        try:
            await asyncio.wait_for(asyncio.gather(*(s.answered() for s in self.services)), START_S)
        except asyncio.TimeoutError:
            for s in self.services:
                if not s.answered_s and s.program.log.exists():
                    print(s.name, s.program.log.read_text()[-1000:], file=sys.stderr)
            raise SystemExit("campaign: not all services answer") from None

    async def run(self):
        self.lay_out()
        kinds = {s.program.kind for s in self.services} | {n.needs for n in self.noise}
        # Of the host's disks only the root is looked at; this is a mount namespace of its own.
        for mount in mounts_below("/mnt/", "/media/"):
            subprocess.run(["umount", "-l", mount], check=False)
        subprocess.run(["ip", "link", "set", "lo", "mtu", "1500"], check=True)
        if "postgres" in kinds:
            Postgres.make_template(self.work)
        if "java" in kinds:
            Java.compile(self.work)
        everything = [*self.services, *self.noise]
        self.daemon.configure([s.definition() for s in everything], self.args.period)
        await self.daemon.start()
        try:
            for service in everything:
                service.begin()
                await asyncio.sleep(0.05)
            return await self.meet_all()
        finally:
            await asyncio.gather(*(s.end() for s in everything))
            self.daemon.stop()

    async def meet_all(self):
        await self.all_answer()
        begin_s, cpu_s = now_s(), self.daemon.cpu_s()
        self.end_s = begin_s + self.args.seconds
        results = await asyncio.gather(*(self.course(*pair) for pair in self.plan),
                                       return_exceptions=True)
        await asyncio.sleep(max(self.end_s - now_s(), 0))
        for result in results:
            if result is not None:
                print(f"campaign: {result!r}", file=sys.stderr)
        end_s = now_s()
        everything = [*self.services, *self.noise]
        return {"seed": self.args.seed, "period": self.args.period, "begin_s": begin_s,
                "end_s": end_s, "kmendd_cpu_s": self.daemon.cpu_s() - cpu_s,
                "services": [dict(s.truth(), until_s=s.ended_s or end_s) for s in everything],
                "episodes": [e.truth() for e in self.episodes if e.over_s]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", type=int, default=0, help="which part of the deck of faults")
    parser.add_argument("--services", type=int, default=22)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--quiet", type=float, default=40, help="before a fault, at least")
    parser.add_argument("--period", default="500ms")
    parser.add_argument("--classes", nargs="*")
    parser.add_argument("--noise", type=int, default=2, help="how many noisy neighbours")
    args = parser.parse_args()
    args.out, args.to = args.out.resolve(), args.to.resolve()
    # On a disk: what is on a tmpfs counts as memory of who wrote it.
    work = Path(tempfile.mkdtemp(prefix="kmend-campaign-", dir="/var/tmp"))
    work.chmod(0o755)
    batch = Batch(args, work)
    try:
        truth = asyncio.run(batch.run())
        args.to.with_suffix(".truth").write_text(json.dumps(truth, indent=1) + "\n")
    finally:
        batch.daemon.stop()
        shutil.copyfile("/run/campaign/kmendd.log", args.to.with_suffix(".log"))
        for service in (s for s in [*batch.services, *batch.noise] if "data" in s.room):
            subprocess.run(["umount", "-l", service.data], check=False)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
