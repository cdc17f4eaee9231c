# SPDX-License-Identifier: Apache-2.0
"""The faults: each a coroutine that harms one service until its episode is over.

Gradual ones use a resource up within LEAD seconds, drawn from the seed, in uneven steps. Sudden
ones come back: when the episode is over everything is as it was."""
import asyncio
import itertools
import os
import signal
import subprocess
from dataclasses import dataclass, field

from stock import get
from world import MIB, Cgroup, now_s

DIED, FULL = ("killed for memory", "ended"), ("No space",)
SILENT = ("ended", "objective missed", "refused")
ANY = ("killed", "ended", "objective", "No space", "refused")

# Class -> what kmend calls the resource, and which facts are its failure.
GRADUAL = {
    "memory leak": ("memory", DIED), "descriptor leak": ("descriptors", SILENT),
    "thread leak": ("threads", SILENT), "connection leak": ("descriptors threads", SILENT),
    "disk filling": ("disk", FULL), "inode filling": ("inodes", FULL), "log flood": ("disk", FULL),
}


@dataclass
class Fault:
    kind: str                                # class
    program: str
    harm: object                             # coroutine function of an episode
    room: dict = field(default_factory=dict)  # limits: memory, nofile, pids, data (bytes, inodes)
    needs: str = ""                          # the program that it depends on


async def drip(ep, room, step, least=1):
    """STEP(amount) until ROOM is used up after about LEAD seconds."""
    rate, carry, last_s = room / ep.lead_s, 0.0, now_s()
    while not ep.over.is_set():
        await asyncio.sleep(ep.rng.uniform(0.2, 0.8))
        passed_s, last_s = now_s() - last_s, now_s()
        carry += rate * passed_s * ep.rng.uniform(0.3, 1.7)
        if carry >= least and not ep.over.is_set():
            amount, carry = int(carry), carry % 1
            try:
                await asyncio.wait_for(step(amount), 5)
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, EOFError):
                pass  # whether it failed is for the outside client to say


def http_defect(path, room_of, least=1):
    async def harm(ep):
        async def step(n):
            if await get(ep.service.port, f"{path}?{n}") == 500:
                ep.service.fact("refused what it asked the kernel for")
        await drip(ep, room_of(ep), step, least)
    return harm


def memory_room(ep):
    return ep.service.room["memory"] - ep.service.cgroup.anonymous_bytes()


def descriptor_room(ep):
    pids = ep.service.cgroup.pids()
    used = max((len(os.listdir(f"/proc/{pid}/fd")) for pid in pids), default=0)
    return ep.service.room["nofile"] - used


def thread_room(ep):
    tasks = sum(len(os.listdir(f"/proc/{pid}/task")) for pid in ep.service.cgroup.pids())
    return ep.service.room["pids"] - tasks


def data_room(ep):
    at = os.statvfs(ep.service.data)
    return at.f_bavail * at.f_frsize


def inode_room(ep):
    return os.statvfs(ep.service.data).f_ffree


async def redis_memory(ep):
    numbers = itertools.count()

    async def step(n):
        await ep.service.program.command("SET", f"k{next(numbers)}", os.urandom(n))
    await drip(ep, memory_room(ep), step, 1024)


async def redis_journal(ep):
    async def step(n):
        await ep.service.program.command("SET", "same", os.urandom(n))
    await drip(ep, data_room(ep), step, 1024)


async def postgres_memory(ep):
    """A session that never forgets a variable."""
    program, numbers = ep.service.program, itertools.count()
    session = await program.session()

    async def step(n):
        await program.query(session, f"select length(set_config('leak.v{next(numbers)}',"
                                     f" repeat('x', {n}), false))")
    await drip(ep, memory_room(ep), step, 1024)
    session[1].close()


async def postgres_rows(ep):
    program = ep.service.program
    session = await program.session()
    await program.query(session, "create unlogged table grows (x text);"
                                 "alter table grows alter x set storage external")

    async def step(n):
        await program.query(session, f"insert into grows select repeat('x', 8000)"
                                     f" from generate_series(1, {n // 8192 + 1})")
    await drip(ep, data_room(ep), step, 8192)
    session[1].close()


def connections(room_of):
    async def harm(ep):
        held = []

        async def step(n):
            for _ in range(n):
                held.append(await ep.service.program.hold())
        await drip(ep, room_of(ep), step)
        for _, writer in held:
            writer.close()
    return harm


async def nginx_log(ep):
    async def step(n):
        await get(ep.service.port, "/?" + "q" * min(n, 30000))
    await drip(ep, data_room(ep), step, 512)


async def node_log(ep):
    await drip(ep, data_room(ep) / 1024, lambda n: get(ep.service.port, f"/log?{n}"))


# ---- sudden ones ----

async def frozen(ep):
    """Somebody stops all of it, and nobody lets it go on."""
    pids = ep.service.cgroup.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    await ep.over.wait()
    for pid in pids:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def stuck(path):
    """A request after which it answers nobody; only a new start helps."""
    async def harm(ep):
        asking = asyncio.ensure_future(get(ep.service.port, path))
        await ep.over.wait()
        asking.cancel()
        ep.service.cgroup.kill()
    return harm


async def redis_sleep(ep):
    asking = asyncio.ensure_future(ep.service.program.command("DEBUG", "SLEEP", "600"))
    await ep.over.wait()
    asking.cancel()
    ep.service.cgroup.kill()


async def bad_config(ep):
    """A deployment with a mistake in it: from now on no start succeeds."""
    ep.service.broken = True
    ep.service.cgroup.kill(signal.SIGTERM)
    await ep.over.wait()
    ep.service.broken = False


def dies_after_start(die):
    """Each life ends within seconds, as long as the episode lasts."""
    async def harm(ep):
        while not ep.over.is_set():
            try:
                await ep.service.answered()
                await asyncio.sleep(ep.rng.uniform(0.5, 4))
                if not ep.over.is_set():
                    await asyncio.wait_for(die(ep.service), 2)
            except (OSError, asyncio.TimeoutError, EOFError):
                pass
            await asyncio.sleep(0.2)
    return harm


async def http_abort(service):
    await get(service.port, "/abort")


async def redis_fault(service):
    await service.program.command("DEBUG", "SEGFAULT")


def other_side(how):
    """What it depends on is gone, silent or unreachable."""
    async def harm(ep):
        peer = ep.service.peer
        if how == "refuses":
            peer.held_down = True
            peer.cgroup.kill()
        elif how == "stops":
            for pid in peer.cgroup.pids():
                os.kill(pid, signal.SIGSTOP)
        else:
            drop(ep.service.name, [f"tcp dport {peer.port}"], 100)
        await ep.over.wait()
        peer.held_down = False
        if how == "stops":
            peer.cgroup.kill(signal.SIGCONT)
        elif how == "unreachable":
            undrop(ep.service.name)
    return harm


def drop(table, packets, percent):
    """Loses PERCENT of the packets that match, in this network namespace."""
    table = table.replace("-", "_")
    text = (f"add table inet {table}\nadd chain inet {table} in "
            "{ type filter hook input priority 0; }\n")
    for match in packets:
        share = f"numgen random mod 100 < {percent}" if percent < 100 else ""
        text += f"add rule inet {table} in {match} {share} drop\n"
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


def undrop(table):
    subprocess.run(["nft", "delete", "table", "inet", table.replace("-", "_")], check=True)


async def lossy(ep):
    """Many packets of its port are lost."""
    port = ep.service.port
    drop(ep.service.name, [f"tcp dport {port}", f"tcp sport {port}"], ep.rng.randrange(12, 20))
    await ep.over.wait()
    undrop(ep.service.name)


async def starved(ep):
    """Neighbours use up the share of the CPU that it has together with them."""
    ep.service.cgroup.limit("weight", 2)
    pen = Cgroup(f"{ep.service.name}-pen/hog").make()
    pen.limit("weight", 8192)
    both = Cgroup(f"{ep.service.name}-pen")
    both.quota(0.02)
    hogs = [subprocess.Popen(["/usr/bin/sha256sum", "/dev/zero"], preexec_fn=pen.enter)
            for _ in range(2 * os.cpu_count())]
    await ep.over.wait()
    for hog in hogs:
        hog.kill()
        hog.wait()
    both.quota(10)
    ep.service.cgroup.limit("weight", 100 if pen.where["cpu"] == pen.v2 else 1024)


NOFILE = {"nofile": 256}

FAULTS = [
    Fault("memory leak", "redis", redis_memory),
    Fault("memory leak", "node", http_defect("/leak", memory_room, 4096)),
    Fault("memory leak", "java", http_defect("/leak", memory_room, 4096)),
    Fault("memory leak", "postgres", postgres_memory),
    Fault("descriptor leak", "node", http_defect("/files", descriptor_room), NOFILE),
    Fault("descriptor leak", "java", http_defect("/files", descriptor_room), NOFILE),
    Fault("thread leak", "java", http_defect("/threads", thread_room), {"pids": 128}),
    Fault("thread leak", "node", http_defect("/threads", thread_room),
          {"pids": 40, "memory": 768 * MIB}),
    Fault("connection leak", "nginx", connections(descriptor_room), NOFILE),
    Fault("connection leak", "redis", connections(descriptor_room), NOFILE),
    Fault("connection leak", "haproxy", connections(lambda ep: descriptor_room(ep) // 2), NOFILE,
          needs="nginx"),
    Fault("connection leak", "postgres", connections(thread_room), {"pids": 60}),
    Fault("disk filling", "node", http_defect("/write", data_room, 512), {"data": (32 * MIB, 4096)}),
    Fault("disk filling", "redis", redis_journal, {"data": (32 * MIB, 4096)}),
    Fault("disk filling", "postgres", postgres_rows, {"data": (192 * MIB, 8192)}),
    Fault("inode filling", "node", http_defect("/touch", inode_room), {"data": (32 * MIB, 3000)}),
    Fault("inode filling", "java", http_defect("/touch", inode_room), {"data": (32 * MIB, 3000)}),
    Fault("log flood", "nginx", nginx_log, {"data": (4 * MIB, 4096)}),
    Fault("log flood", "node", node_log, {"data": (32 * MIB, 4096)}),
    Fault("hang", "nginx", frozen),
    Fault("hang", "postgres", frozen),
    Fault("hang", "haproxy", frozen),
    Fault("hang", "node", stuck("/block")),
    Fault("hang", "node", stuck("/spin")),
    Fault("hang", "java", stuck("/block")),
    Fault("hang", "redis", redis_sleep),
    Fault("crash on start", "nginx", bad_config),
    Fault("crash on start", "haproxy", bad_config),
    Fault("crash on start", "redis", bad_config),
    Fault("crash on start", "node", bad_config),
    Fault("crash on start", "postgres", bad_config),
    Fault("crash loop", "node", dies_after_start(http_abort)),
    Fault("crash loop", "java", dies_after_start(http_abort)),
    Fault("crash loop", "redis", dies_after_start(redis_fault)),
    Fault("dependency down", "haproxy", other_side("refuses"), needs="nginx"),
    Fault("dependency down", "nginx", other_side("refuses"), needs="node"),
    Fault("dependency down", "node", other_side("refuses"), needs="redis"),
    Fault("dependency unreachable", "haproxy", other_side("unreachable"), needs="nginx"),
    Fault("dependency unreachable", "nginx", other_side("unreachable"), needs="node"),
    Fault("dependency slow", "haproxy", other_side("stops"), needs="nginx"),
    Fault("dependency slow", "node", other_side("stops"), needs="redis"),
    Fault("retransmit storm", "nginx", lossy),
    Fault("retransmit storm", "redis", lossy),
    Fault("CPU starvation", "node", starved),
    Fault("CPU starvation", "redis", starved),
]
