#!/usr/bin/python3
# collector_cost.py - what reading many processes with many spans costs the agent, in CPU time.
# Must never judge the figures: with --smoke it only checks that there are any.
"""usage: collector_cost.py --library LIBALLOC --holder PROGRAM --bench PROGRAM
                         [--processes 100] [--spans 10000] [--changes 0 100 1000] [--seconds 20] [--smoke]

For each number of CHANGES per process and second: starts the processes under the library, waits until they hold their
spans, and reads them all once a second. docs/decisions/collector-cost.md has the figures."""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile


def measure(options, changes):
    """The line that the benchmark prints."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory, contextlib.ExitStack() as stack:
        env = dict(os.environ, LD_PRELOAD=options.library, LIBALLOC_SHM_DIR=directory)
        held = []
        for _ in range(options.processes):
            process = subprocess.Popen([options.holder, str(options.spans), str(changes)], env=env,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.callback(process.wait)
            stack.callback(process.stdin.close)
            held.append(process)
        for process in held:
            if process.stdout.readline() != b"ready\n":
                raise SystemExit("a process ended before it held its spans")
        return subprocess.run([options.bench, directory, str(options.seconds)], check=True, capture_output=True,
                              text=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--holder", required=True)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--processes", type=int, default=100)
    parser.add_argument("--spans", type=int, default=10000)
    parser.add_argument("--changes", type=int, nargs="+", default=[0, 100, 1000])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        options.processes, options.spans, options.changes, options.seconds = 3, 1000, [0, 10], 3
    for changes in options.changes:
        line = measure(options, changes)
        print("changes=%d %s" % (changes, line), flush=True)
        found = dict(re.findall(r"(\w+)=([\d.]+)", line))
        if options.smoke:
            # A span may be joined with a free neighbour or kept by the thread; most are there.
            assert int(found["processes"]) == options.processes, line
            assert int(found["spans"]) >= options.processes * options.spans / 2, line
            assert int(found["polls"]) >= 1, line
    return 0


if __name__ == "__main__":
    sys.exit(main())
