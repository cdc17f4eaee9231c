# SPDX-License-Identifier: Apache-2.0
"""One service of a batch: a stock program in its own cgroup under its limits, restarted when it
ends as any supervisor would, asked by an outside client, and watched for hard facts: it ended, the
kernel killed it for memory or refused it a thread or a file, nobody can write to its filesystem,
the client's objective was missed three times in a row. kmend has no part in any of them."""
import asyncio
import os
import pwd
import resource
import signal

from stock import PROGRAMS, memory_limit
from world import Cgroup, full, now_s, small_filesystem

OBJECTIVE_S = 1.5   # each request is answered, rightly, within that
MISSED_MIN = 3      # in a row: the objective is missed, since the first of them
RESTART_S = 1.0     # from an end to the next start
WATCH_S = 0.1       # between two looks at counters of the kernel
ANSWER_ERRORS = (OSError, EOFError, ValueError, IndexError, asyncio.TimeoutError)


class Service:
    def __init__(self, name, fault, port, work, rng, peer=None):
        self.name, self.fault, self.port, self.rng, self.peer = name, fault, port, rng, peer
        self.room = {"memory": memory_limit(fault.program), "nofile": 1024, "pids": 400}
        self.room.update(fault.room)
        folder = work / name
        self.program = PROGRAMS[fault.program](name, port, folder, peer.port if peer else None)
        self.program.room = self.room
        self.data = folder / "data"
        os.makedirs(self.data, exist_ok=True)
        self.entities = [name] + ([f"{name}>127.0.0.1:{peer.port}"] if peer else [])
        if "data" in self.room:
            small_filesystem(self.data, *self.room["data"])
            self.entities.append(f"fs:{self.data}")
        self.cgroup = Cgroup(f"{name}-pen/{name}" if fault.kind == "CPU starvation" else name)
        self.bulk = fault.kind == "retransmit storm"
        self.program.bulk = self.bulk
        # Who depends on others, or on the network, has more to do.
        self.pace_s, self.clients = (0.2, 20) if self.bulk else (0.2, 4) if peer else (0.5, 1)
        self.missed = []
        self.process = None
        self.facts, self.exits, self.tasks = [], [], []
        self.answered_s = self.ended_s = None
        self.broken = self.held_down = False
        self.oom_kills = self.refused_forks = 0

    def definition(self):
        check = {"every": "2s", "timeout": "1s", "fall": 3, "rise": 1, "grace": "10s"}
        return {"name": self.name, "cgroup": self.cgroup.path,
                "health": [dict(check, **self.program.health())]}

    def become(self):
        """In the child, before the program."""
        self.cgroup.enter()
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.room["nofile"], self.room["nofile"]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.setsid()
        row = pwd.getpwnam(self.program.user)
        if row.pw_uid:
            os.setgroups([])
            os.setgid(row.pw_gid)
            os.setuid(row.pw_uid)

    def fact(self, kind, at_s=None):
        self.facts.append((at_s or now_s(), kind))

    def begin(self):
        self.cgroup.make()
        self.cgroup.limit("memory", self.room["memory"] if "data" not in self.room else 1 << 30)
        self.cgroup.limit("pids", self.room["pids"])
        self.tasks = [asyncio.ensure_future(c) for c in (self.live(), self.watch())]
        self.tasks += [asyncio.ensure_future(self.client()) for _ in range(self.clients)]

    async def live(self):
        while self.ended_s is None:
            if self.held_down:
                await asyncio.sleep(0.1)
                continue
            self.program.prepare()
            if self.broken:
                self.program.break_config()
            with open(self.program.log, "ab") as log:
                self.process = await asyncio.create_subprocess_exec(
                    *self.program.argv(), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                    cwd=self.data, preexec_fn=self.become)
            status = await self.process.wait()
            if self.ended_s is None:
                self.fact(f"ended with {status}")
                self.exits.append((now_s(), status))
            self.cgroup.kill()
            await asyncio.sleep(RESTART_S)

    async def asked(self):
        try:
            return await asyncio.wait_for(self.program.ask(), OBJECTIVE_S)
        except ANSWER_ERRORS:
            return False

    async def client(self):
        while self.ended_s is None:
            begin = now_s()
            if await self.asked():
                self.missed = []
                self.answered_s = self.answered_s or begin
            else:
                self.missed.append(begin)
            if self.answered_s and len(self.missed) == MISSED_MIN * self.clients:
                self.fact("objective missed", min(self.missed))
            burst = self.rng.random() < 0.01
            for _ in range(30 if burst else 0):
                if not await self.asked():
                    break
            await asyncio.sleep(self.rng.expovariate(1 / self.pace_s))

    async def watch(self):
        while self.ended_s is None:
            await asyncio.sleep(WATCH_S)
            kills = self.cgroup.oom_kills()
            if kills > self.oom_kills:
                self.fact("killed for memory")
            self.oom_kills = kills
            refused = self.cgroup.refused_forks()
            if refused > self.refused_forks:
                self.fact("refused a thread")
            self.refused_forks = refused
            problem = full(self.data) if "data" in self.room else None
            if problem:
                self.fact(problem)

    async def answered(self):
        """Until it answers its client."""
        while not await self.asked():
            await asyncio.sleep(0.1)

    def first_fact(self, since_s, kinds):
        return min((f for f in self.facts if f[0] >= since_s and f[1].startswith(kinds)),
                   default=None)

    async def end(self):
        """For good: nobody starts it again."""
        if self.ended_s is not None:
            return
        self.ended_s = now_s()
        self.cgroup.kill(signal.SIGCONT)
        self.cgroup.kill(signal.SIGTERM)
        await asyncio.sleep(0.5)
        self.cgroup.kill()
        if self.process:
            await self.process.wait()
        for task in self.tasks[1:]:
            task.cancel()

    def truth(self):
        return {"name": self.name, "program": self.program.kind, "entities": self.entities,
                "from_s": self.answered_s, "exits": self.exits,
                "facts": self.facts[:200]}
