# SPDX-License-Identifier: Apache-2.0
"""The stock Debian programs: how each is set up and started, and how an outside client asks it."""
import asyncio
import os
import pwd
import shutil
import struct
import subprocess
from pathlib import Path

from world import MIB

HERE = Path(__file__).resolve().parent
PG_BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nowhere"))
LOCAL = "127.0.0.1"
LARGE = 1 << 16  # bytes of an answer that takes many packets


async def talk(port, request, enough, limit=65536):
    """Sends REQUEST and reads until ENOUGH(reply) or the end."""
    reader, writer = await asyncio.open_connection(LOCAL, port)
    try:
        writer.write(request)
        reply = b""
        while not enough(reply) and len(reply) < limit:
            piece = await reader.read(65536)
            if not piece:
                break
            reply += piece
        return reply
    finally:
        writer.close()


async def get(port, path="/"):
    """Status of an HTTP request; 0: none."""
    text = f"GET {path} HTTP/1.1\r\nHost: campaign\r\nConnection: close\r\n\r\n".encode()
    reply = await talk(port, text, lambda r: b"\r\n\r\n" in r)
    return int(reply.split()[1]) if reply.startswith(b"HTTP/1") else 0


class Program:
    """One of them, in folder DIR on PORT. ROOM: limits that its faults are to meet."""
    kind = ""
    user = "root"
    room = {}
    bulk = False  # its answers are large
    bad_line = "no_such_directive at all;\n"

    def __init__(self, name, port, folder, dependency=None):
        self.name, self.port, self.dir, self.dependency = name, port, folder, dependency
        os.makedirs(folder, exist_ok=True)
        self.log = folder / "program.log"

    def prepare(self):
        """Files that it needs; called before each start."""

    def config(self):
        """The file that a bad deployment breaks."""
        return self.dir / "config"

    def break_config(self):
        self.config().write_text(self.bad_line)

    def health(self):
        """How kmend's own prober asks it."""
        return {"http": f"http://{LOCAL}:{self.port}/"}

    def owned(self):
        row = pwd.getpwnam(self.user)
        for path in [self.dir, *self.dir.rglob("*")]:
            os.chown(path, row.pw_uid, row.pw_gid)

    async def ask(self):
        return await get(self.port) == 200

    async def hold(self):
        """A connection that its client forgets to close."""
        return await asyncio.open_connection(LOCAL, self.port)


class Nginx(Program):
    kind = "nginx"
    text = """daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/program.log;
user root; events {{ worker_connections 4096; }}
http {{ access_log {dir}/data/access.log; client_body_temp_path {dir}/body;
proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
scgi_temp_path {dir}/s; keepalive_timeout 3600s; large_client_header_buffers 4 32k;
client_header_timeout 3600s;
server {{ listen 127.0.0.1:{port}; location / {{ {what} }} }} }}
"""

    def prepare(self):
        os.makedirs(self.dir / "data", exist_ok=True)
        (self.dir / "large").write_bytes(b"x" * LARGE)
        what = 'return 200 "ok";'
        if self.bulk:
            what = f"root {self.dir}; index large;"
        elif self.dependency:
            what = (f"proxy_pass http://127.0.0.1:{self.dependency}; proxy_connect_timeout 1s; "
                    "proxy_read_timeout 1s;")
        self.config().write_text(self.text.format(dir=self.dir, port=self.port, what=what))

    def argv(self):
        return ["/usr/sbin/nginx", "-e", str(self.log), "-c", str(self.config())]

    async def ask(self):
        if not self.bulk:
            return await super().ask()
        text = b"GET /large HTTP/1.0\r\n\r\n"
        return len(await talk(self.port, text, lambda r: len(r) > LARGE, 2 * LARGE)) > LARGE


class Redis(Program):
    kind = "redis"
    bad_line = "no-such-directive yes\n"

    def prepare(self):
        os.makedirs(self.dir / "data", exist_ok=True)
        aof = "yes" if self.room.get("data") else "no"
        self.config().write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.dir}/data\nsave \"\"\nappendonly {aof}\n"
            "auto-aof-rewrite-percentage 0\nenable-debug-command yes\nmaxclients 4096\n")

    def argv(self):
        return ["/usr/bin/redis-server", str(self.config())]

    def health(self):
        return {"redis": f"{LOCAL}:{self.port}"}

    async def command(self, *words):
        text = b"*%d\r\n" % len(words)
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            text += b"$%d\r\n%s\r\n" % (len(word), word)
        return await talk(self.port, text, lambda r: r.endswith(b"\r\n"))

    async def ask(self):
        if not self.bulk:
            return (await self.command("SET", "asked", "1")).startswith(b"+OK")
        text = b"GETRANGE large 0 %d\r\n" % (LARGE - 1)
        reply = await talk(self.port, b"SETRANGE large %d x\r\n" % LARGE + text,
                           lambda r: len(r) > LARGE, 2 * LARGE)
        return len(reply) > LARGE


class Postgres(Program):
    kind = "postgres"
    user = "postgres"
    bad_line = "no_such_parameter = on\n"

    def prepare(self):
        data = self.dir / "data"
        if not (data / "PG_VERSION").exists():
            shutil.copytree(self.dir.parent / "pg-template", data, dirs_exist_ok=True)
        self.config().write_text(
            f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"
            "shared_buffers = 8MB\nfsync = off\nmax_connections = 400\nmax_wal_size = 64MB\n"
            "min_wal_size = 32MB\nmax_worker_processes = 2\nmax_wal_senders = 0\n"
            f"wal_level = minimal\nhba_file = '{self.dir}/hba'\nident_file = '{self.dir}/hba'\n"
            f"data_directory = '{data}'\n")
        (self.dir / "hba").write_text("host all all 127.0.0.1/32 trust\n")
        self.owned()
        os.chmod(data, 0o700)

    @staticmethod
    def make_template(work):
        folder = work / "pg-template"
        row = pwd.getpwnam("postgres")
        os.makedirs(folder)
        os.chown(folder, row.pw_uid, row.pw_gid)
        subprocess.run([PG_BIN / "initdb", "-D", folder, "--no-sync", "-A", "trust", "--locale=C"],
                       check=True, stdout=subprocess.DEVNULL, user="postgres", extra_groups=[],
                       cwd=folder)

    def argv(self):
        return [str(PG_BIN / "postgres"), "-c", f"config_file={self.config()}"]

    def health(self):
        return {"postgres": f"{LOCAL}:{self.port}"}

    async def session(self):
        """(reader, writer) of a session that is ready for queries."""
        body = struct.pack("!I", 196608) + b"user\0postgres\0database\0postgres\0\0"
        reader, writer = await asyncio.open_connection(LOCAL, self.port)
        writer.write(struct.pack("!I", len(body) + 4) + body)
        try:
            await self.ready(reader)
        except BaseException:
            writer.close()
            raise
        return reader, writer

    @staticmethod
    async def ready(reader):
        while True:
            kind, length = struct.unpack("!cI", await reader.readexactly(5))
            body = await reader.readexactly(length - 4)
            if kind == b"E":
                raise ConnectionError(body.decode(errors="replace"))
            if kind == b"Z":
                return

    async def query(self, session, text):
        body = text.encode() + b"\0"
        session[1].write(b"Q" + struct.pack("!I", len(body) + 4) + body)
        await self.ready(session[0])

    async def ask(self):
        session = await self.session()
        try:
            await self.query(session, "select count(*) from pg_class")
        finally:
            session[1].close()
        return True

    hold = session


class Node(Program):
    kind = "node"
    bad_line = "throw new Error('no such setting');\n"

    def config(self):
        return self.dir / "server.js"

    def prepare(self):
        os.makedirs(self.dir / "data", exist_ok=True)
        shutil.copyfile(HERE / "server.js", self.config())

    def argv(self):
        extra = [str(self.dependency)] if self.dependency else []
        return ["/usr/bin/node", str(self.config()), str(self.port), *extra]


class Haproxy(Program):
    """Where descriptors are its limit it passes bytes on: two of them a connection."""
    kind = "haproxy"
    bad_line = "no such section\n"
    text = """global
 maxconn {most}
 nbthread 1
defaults
 mode {mode}
 timeout connect 1s
 timeout client 1h
 timeout server {server}
 retries 1
frontend f
 bind 127.0.0.1:{port}
 {what}
"""

    def prepare(self):
        tunnel = self.room["nofile"] < 1024
        what = "http-request return status 200" if not self.dependency else (
            f"default_backend b\nbackend b\n server s 127.0.0.1:{self.dependency}")
        self.config().write_text(self.text.format(
            most=self.room["nofile"] // 2 - 8, mode="tcp" if tunnel else "http", port=self.port,
            server="1h" if tunnel else "1s", what=what))

    def argv(self):
        return ["/usr/sbin/haproxy", "-db", "-f", str(self.config())]


class Java(Program):
    kind = "java"

    def argv(self):
        return ["/usr/bin/java", "-Xmx48m", "-Xshare:auto", "-XX:+UseSerialGC",
                "-XX:MaxDirectMemorySize=1g", "-cp", str(self.dir.parent / "classes"), "Server",
                str(self.port)]

    def prepare(self):
        os.makedirs(self.dir / "data", exist_ok=True)

    @staticmethod
    def compile(work):
        subprocess.run(["/usr/bin/javac", "-d", work / "classes", HERE / "Server.java"],
                       check=True)


PROGRAMS = {p.kind: p for p in (Nginx, Redis, Postgres, Node, Haproxy, Java)}

# MiB that a program has at least, however little it does.
MEMORY = {"nginx": 64, "redis": 96, "postgres": 256, "node": 192, "haproxy": 128, "java": 320}


def memory_limit(kind):
    return MEMORY[kind] * MIB
