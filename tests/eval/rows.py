#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""rows.py KMEND: ten million rows through kmend replay --csv: all answered, in bounded memory."""
import os
import resource
import subprocess
import sys
import tempfile

ROWS = 10_000_000
PIECE = 100_000


def main():
    with tempfile.NamedTemporaryFile("w", suffix=".csv", prefix="kmend-rows.") as table:
        table.write("t,level,wraps\n")
        for first in range(0, ROWS, PIECE):
            table.write("".join(f"{i},{50 + i * 7919 % 13},{i % 1000}\n"
                                for i in range(first, first + PIECE)))
        table.flush()
        command = [sys.argv[1], "-j", "replay", "--csv", table.name, "--limit", "level=100"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
            lines = 0
            while piece := os.read(run.stdout.fileno(), 1 << 20):
                lines += piece.count(b"\n")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{lines} of {ROWS} rows answered, {used.ru_utime + used.ru_stime:.0f} s of a CPU, "
          f"{used.ru_maxrss / 1024:.0f} MiB at most")
    return run.returncode != 0 or lines != ROWS


if __name__ == "__main__":
    sys.exit(main())
