# SPDX-License-Identifier: Apache-2.0
"""Noisy but healthy: what hosts do every day and what nothing must be done about. Jobs come and go
in cgroups of their own; services do heavy but harmless work under tight limits. None of them fails
by itself: whatever kmend says of them is a false alarm."""
import asyncio
import os
import random
import shutil
import signal
import subprocess
from pathlib import Path

from faults import Fault
from service import ANSWER_ERRORS, RESTART_S, Service
from stock import get
from world import MIB, Cgroup, now_s

TOP = Path(__file__).resolve().parents[2]


class Job:
    """A command that runs, ends well and runs again later."""
    name, memory, needs, room = "", 1 << 30, "", {}

    def __init__(self, work, rng):
        self.rng, self.dir = rng, work / self.name
        os.makedirs(self.dir)
        self.cgroup = Cgroup(self.name)
        self.from_s = self.ended_s = self.task = None
        self.failures = []

    def definition(self):
        return {"name": self.name, "cgroup": self.cgroup.path}

    def begin(self):
        self.cgroup.make()
        self.cgroup.limit("memory", self.memory)
        self.cgroup.limit("pids", 200)
        self.from_s = now_s()
        self.task = asyncio.ensure_future(self.live())

    def enter(self):
        self.cgroup.enter()
        os.nice(10)

    async def live(self):
        while True:
            process = await asyncio.create_subprocess_exec(
                *self.argv(), cwd=self.dir, preexec_fn=self.enter, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
            status = await process.wait()
            if status and not self.ended_s:
                self.failures.append((now_s(), f"ended with {status}"))
            await asyncio.sleep(self.rng.uniform(1, 10))

    async def end(self):
        self.ended_s = now_s()
        self.task.cancel()
        self.cgroup.kill()

    def truth(self):
        return {"name": self.name, "program": self.name, "entities": [self.name],
                "from_s": self.from_s, "exits": self.failures,
                "facts": self.failures}


class Compile(Job):
    name = "compile"

    def argv(self):
        files = [str(f) for d in ("measure", "predict", "match", "decide")
                 for f in (TOP / "userspace" / d).glob("*.c")]
        return ["/bin/sh", "-c", 'printf "%s\\n" "$@" | xargs -P 3 -n 4 gcc -std=gnu11 -O2 -g '
                f"-D_GNU_SOURCE -I{TOP}/userspace -I{TOP}/bpf -c", "sh", *files]


class Backup(Job):
    name = "backup"
    memory = 128 * MIB  # its page cache meets this all the time, which is no leak

    def argv(self):
        return ["/bin/sh", "-c", "tar -cf - /usr/lib/python3 /usr/share/perl | gzip -1 > backup.tgz"]


class Upgrade(Job):
    """dpkg itself, in a root of its own: two versions of a package in turn."""
    name = "upgrade"

    def __init__(self, work, rng):
        super().__init__(work, rng)
        self.turn = 0
        os.makedirs(self.dir / "root/db/updates")
        os.makedirs(self.dir / "root/db/info")
        (self.dir / "root/db/status").touch()
        for version in "12":
            tree = self.dir / f"tree{version}"
            shutil.copytree("/usr/share/perl", tree / "usr/share/perl", symlinks=True)
            (tree / "DEBIAN").mkdir()
            (tree / "DEBIAN/control").write_text(
                f"Package: campaign\nVersion: {version}\nArchitecture: all\n"
                "Maintainer: nobody <nobody@example.org>\nDescription: files\n")
            subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "-b", tree,
                            self.dir / f"{version}.deb"], check=True, stdout=subprocess.DEVNULL)

    def argv(self):
        self.turn = self.turn % 2 + 1
        return ["/usr/bin/dpkg", f"--instdir={self.dir}/root", f"--admindir={self.dir}/root/db",
                "--force-all", "--log=/dev/null", "-i", str(self.dir / f"{self.turn}.deb")]


class Busy(Service):
    """A stock program with heavy but harmless work beside its client."""
    label, program_kind, room, needs = "", "", {}, ""

    def __init__(self, work, rng, port):
        super().__init__(self.label, Fault("", self.program_kind, None, self.room), port, work, rng)
        self.needs = self.program_kind

    def begin(self):
        super().begin()
        self.tasks.append(asyncio.ensure_future(self.again()))

    async def again(self):
        await self.answered()
        while self.ended_s is None:
            try:
                await self.work()
            except ANSWER_ERRORS:
                await asyncio.sleep(RESTART_S)


class ForkSave(Busy):
    """redis writes its memory out: a child, and every page that is written meanwhile twice."""
    label, program_kind, room = "fork-save", "redis", {"memory": 192 * MIB}

    async def work(self):
        for i in range(40):
            await self.program.command("SET", f"k{self.rng.randrange(60)}", os.urandom(MIB))
            await asyncio.sleep(self.rng.uniform(0.02, 0.2))
        await self.program.command("BGSAVE")
        await asyncio.sleep(self.rng.uniform(1, 8))


class Vacuum(Busy):
    """A table grows by dead rows until it is written anew: room goes and comes back."""
    label, program_kind, room = "vacuum", "postgres", {"data": (320 * MIB, 8192)}

    async def work(self):
        session = await self.program.session()
        try:
            await self.program.query(session, "create unlogged table if not exists t"
                                              " (k int, v text)")
            await self.program.query(session, "truncate t; insert into t select k, repeat('v', 200)"
                                              " from generate_series(1, 20000) k")
            for _ in range(self.rng.randrange(4, 12)):
                await self.program.query(session, "update t set v = v || 'x'")
                await asyncio.sleep(self.rng.uniform(0.2, 2))
            await self.program.query(session, "vacuum full t")
        finally:
            session[1].close()


class Rotation(Busy):
    """An access log grows, is renamed, opened anew and packed."""
    label, program_kind, room = "rotation", "nginx", {"data": (24 * MIB, 4096)}

    async def work(self):
        for _ in range(self.rng.randrange(100, 400)):
            await get(self.port, "/?" + "q" * self.rng.randrange(20000))
            await asyncio.sleep(0.03)
        log = self.data / "access.log"
        os.rename(log, self.data / "access.log.1")
        os.kill(self.process.pid, signal.SIGUSR1)
        await asyncio.sleep(1)
        packing = await asyncio.create_subprocess_exec("gzip", "-f", self.data / "access.log.1")
        await packing.wait()


class Throttled(Busy):
    """More work than its share of a CPU: throttled all the time, and well."""
    label, program_kind = "throttled", "node"

    def begin(self):
        super().begin()
        self.cgroup.quota(0.15)

    async def work(self):
        await asyncio.gather(*(get(self.port) for _ in range(self.rng.randrange(1, 12))))
        await asyncio.sleep(self.rng.uniform(0.05, 0.4))


class Garbage(Busy):
    """A garbage collector lets memory grow and takes it back."""
    label, program_kind = "garbage", "node"

    async def work(self):
        await get(self.port, f"/garbage?{self.rng.randrange(1, 8)}")
        await asyncio.sleep(self.rng.uniform(0.1, 0.5))


KINDS = [Compile, ForkSave, Rotation, Vacuum, Backup, Throttled, Upgrade, Garbage]


def choose(count, work, rng):
    chosen = KINDS if count >= len(KINDS) else rng.sample(KINDS, count)
    return [kind(work, random.Random(rng.random())) if issubclass(kind, Job)
            else kind(work, random.Random(rng.random()), 21000 + i)
            for i, kind in enumerate(chosen)]
