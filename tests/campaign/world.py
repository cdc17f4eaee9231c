# SPDX-License-Identifier: Apache-2.0
"""What a batch stands on: the clock of the trace, cgroups with limits, small filesystems, kmendd."""
import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

MIB = 1 << 20


def now_s():
    """Seconds of the clock that records carry."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e9


def cgroup_mounts():
    """Controller -> mount point; "" is the v2 hierarchy."""
    mounts = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        kind, _, options = right.split()[:3]
        if kind == "cgroup2":
            mounts[""] = left.split()[4]
        elif kind == "cgroup":
            mounts.update({word: left.split()[4] for word in options.split(",")})
    return mounts


def mounts_below(*folders):
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if line.split()[4].startswith(folders)]


def write_if_there(path, text):
    try:
        Path(path).write_text(str(text))
    except FileNotFoundError:
        pass


class Cgroup:
    """/campaign/NAME in every hierarchy that has a limit for us, v1 or v2."""
    FILES = {
        "memory": ("memory", "memory.limit_in_bytes", "memory.max"),
        "pids": ("pids", "pids.max", "pids.max"),
        "weight": ("cpu", "cpu.shares", "cpu.weight"),
    }

    def __init__(self, name):
        self.path = f"/campaign/{name}"
        mounts = cgroup_mounts()
        self.v2 = mounts[""]
        self.where = {c: mounts.get(c, self.v2) for c in ("", "memory", "pids", "cpu")}

    def make(self):
        """Only when all is recorded: a replay that reads no checkpoint learns of it then."""
        for mount in set(self.where.values()):
            os.makedirs(mount + self.path, exist_ok=True)
            if mount == self.v2:
                for folder in (mount, mount + "/campaign"):
                    self.delegate(folder)
        return self

    @staticmethod
    def delegate(folder):
        for controller in ("+memory", "+pids", "+cpu"):
            try:
                write_if_there(folder + "/cgroup.subtree_control", controller)
            except OSError:
                pass  # on a v1 host the controllers are elsewhere

    def file(self, controller, v1, v2):
        mount = self.where[controller]
        return f"{mount}{self.path}/{v2 if mount == self.v2 else v1}"

    def limit(self, what, value):
        write_if_there(self.file(*self.FILES[what]), value)

    def quota(self, share):
        """At most SHARE of one CPU."""
        if self.where["cpu"] == self.v2:
            write_if_there(self.file("cpu", "", "cpu.max"), f"{int(share * 100000)} 100000")
        else:
            write_if_there(self.file("cpu", "cpu.cfs_quota_us", ""), int(share * 100000))

    def enter(self):
        for mount in set(self.where.values()):
            Path(mount + self.path + "/cgroup.procs").write_text(str(os.getpid()))

    def pids(self):
        text = Path(self.v2 + self.path + "/cgroup.procs").read_text()
        return [int(word) for word in text.split() if word != "0"]

    def kill(self, number=signal.SIGKILL):
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def oom_kills(self):
        path = self.file("memory", "memory.oom_control", "memory.events")
        for line in Path(path).read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def refused_forks(self):
        """Processes and threads that the limit did not allow."""
        text = Path(self.file("pids", "pids.events", "pids.events")).read_text()
        return int(text.split()[1])

    def anonymous_bytes(self):
        """What reclaim cannot give back."""
        stat = self.file("memory", "memory.stat", "memory.stat")
        rows = dict(line.split() for line in Path(stat).read_text().splitlines())
        return int(rows.get("rss", rows.get("anon", 0)))


def small_filesystem(path, size_bytes, inodes):
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes},nr_inodes={inodes},mode=777",
                    "campaign", path], check=True)
    return path


def full(path):
    """An outsider cannot write there any more: None, or the name of the error."""
    try:
        with open(f"{path}/.outsider", "w") as f:
            f.write("x" * 4096)
        os.unlink(f"{path}/.outsider")
    except OSError as e:
        return os.strerror(e.errno)
    return None


def speak_each_time(path):
    """A service meets its fault each minute or two here: what a rule said the last time must not
    keep it silent."""
    rule = json.loads(path.read_text())
    if "guard" in rule:
        rule["guard"]["cooldown"] = "1s"
        rule["guard"].pop("budget", None)
        path.write_text(json.dumps(rule))


class Daemon:
    """kmendd with the shipped rules, which only suggest, and a recorder of all that it sees."""

    def __init__(self, out, top, work, trace):
        self.out, self.work, self.trace = out, work, trace
        os.makedirs(work)
        self.log = open(work / "kmendd.log", "w")
        shutil.copytree(top / "rules", work / "rules", copy_function=shutil.copyfile)
        for rule in work.glob("rules/*/*.json"):
            speak_each_time(rule)
        self.process = self.recorder = None

    def configure(self, services, period):
        config = {"version": 1, "settings": {"sample_period": period}, "services": services}
        (self.work / "kmend.json").write_text(json.dumps(config, indent="\t"))

    async def start(self):
        run, state = self.work / "run", self.work / "state"
        self.process = subprocess.Popen(
            [self.out / "kmendd", "--foreground", "--no-view", "--config", self.work / "kmend.json",
             "--rules", self.work / "rules", "--state", state, "--run", run],
            stdout=self.log, stderr=self.log)
        while not (run / "control.sock").exists():
            if self.process.poll() is not None:
                raise SystemExit(f"campaign: kmendd does not start, see {self.work}/kmendd.log")
            await asyncio.sleep(0.05)
        self.recorder = subprocess.Popen(
            [self.out / "kmend", "--socket", run / "control.sock", "trace", "record", "--force",
             self.trace], stdout=self.log, stderr=self.log)
        # More than a header: the checkpoint is there, and whatever comes now is recorded.
        while not (self.trace.exists() and self.trace.stat().st_size > 4096):
            if self.recorder.poll() is not None:
                raise SystemExit(f"campaign: nothing is recorded, see {self.work}/kmendd.log")
            await asyncio.sleep(0.05)

    def cpu_s(self):
        """Of kmendd's processes, so far."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                head, tail = stat.read_text().rsplit(")", 1)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if "(kmendd" in head:
                ticks += sum(int(word) for word in tail.split()[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self):
        for process in (self.recorder, self.process):
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(20)
        self.log.close()
