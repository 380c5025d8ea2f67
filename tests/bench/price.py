#!/usr/bin/python3
# price.py - what telemetry costs a program: the same library with telemetry compiled out, turned off, on, and on while an agent
# is made to read every process ten times a second. Runs interleaved; ratios are formed within a round.
# Called by scripts/bench --price. It writes to temporary directories only.
"""Prints the price of telemetry per workload, relative to the library without any."""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import allocators as allocator_table
import measure
import report
import workloads as workload_table

COLUMNS = ("compiled out", "off", "on", "on, read at 10 Hz")
# Micro loops give several figures each, and a start has a target of its own.
KINDS = ("own", "real")
# Whose work is done by several processes, of which callgrind counts one.
NOT_COUNTED = ("redis", "g++")


class Reader:
    """An agent, and a client of it that asks for fresh figures of every process ten times a second."""

    def __init__(self, program, shm_dir, log_path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with open(log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [program, "--shm-dir", shm_dir, "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:%d" % port,
                 "--retain-exited", "1s"], env=allocator_table.clean_env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.url = "http://127.0.0.1:%d/metrics" % port
        self.reads = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._read_on, daemon=True)
        self.thread.start()

    def _read_on(self):
        while not self.stopping.wait(0.1):
            try:
                with urllib.request.urlopen(self.url, timeout=10) as answer:
                    answer.read()
                self.reads += 1
            except (urllib.error.URLError, OSError):
                pass  # not up yet, or on its way down: stop() looks at how many were answered

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.process.terminate()
        self.process.wait(30)
        if self.reads == 0:
            raise allocator_table.Error("alloc-agent has not answered once")


def table(names, costs, digits):
    """Markdown: a row per workload. Of costs[workload][column], one figure per round, the median of the first column, and of the
    others the median of the ratios within the rounds."""
    ratios = {name: [statistics.median(value / base for value, base in zip(costs[name][column], costs[name][COLUMNS[0]]))
                     for column in COLUMNS[1:]] for name in names}
    rows = [[name, "%.*f" % (digits, statistics.median(costs[name][COLUMNS[0]])), *("%.3f" % r for r in ratios[name])]
            for name in names]
    rows.append(["**geometric mean**", "", *("**%.3f**" % report.geomean(column) for column in zip(*ratios.values()))])
    return report.table(["workload", *COLUMNS], rows)


def main(argv):
    parser = argparse.ArgumentParser(prog="scripts/bench --price", description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=7, help="runs of each workload in each column (7)")
    parser.add_argument("--percent", type=int, default=100,
                        help="how much of their work the programs of tests/bench do (100)")
    parser.add_argument("--workload", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--instructions", action="store_true", help="count instructions by callgrind instead; no agent then")
    parser.add_argument("--library", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--bare", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--agent", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--bin-dir", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    works = [w for w in workload_table.select(options.workload)
             if w.kind in KINDS and not (options.instructions and w.name in NOT_COUNTED)]
    if not works or not 1 <= options.rounds <= 1000 or not 1 <= options.percent <= 10000:
        raise allocator_table.Error("nothing to measure: micro loops and startup have no price here, instructions are counted of"
                                    " programs of one process, --rounds 1..1000, --percent 1..10000")
    shm_parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="liballoc-bench.") as work_dir, \
         tempfile.TemporaryDirectory(prefix="liballoc-bench.", dir=shm_parent) as alone_dir, \
         tempfile.TemporaryDirectory(prefix="liballoc-bench.", dir=shm_parent) as read_dir:
        alone, read = (measure.Runner(options.bin_dir, work_dir, d) for d in (alone_dir, read_dir))
        on = allocator_table.Allocator("on", options.library, {}, True)
        columns = [(COLUMNS[0], allocator_table.Allocator("bare", options.bare, {}, True), alone),
                   (COLUMNS[1], allocator_table.Allocator("off", options.library, {"LIBALLOC_TELEMETRY": "0"}, True), alone),
                   (COLUMNS[2], on, alone), (COLUMNS[3], on, read)]
        if options.instructions:
            counts = {w.name: {c: [runner.instructions(w, a, options.percent) / 1e6] for c, a, runner in columns[:3]} for w in works}
            for row in counts.values():
                row[COLUMNS[3]] = row[COLUMNS[2]]  # an agent takes no part in the program
            print("Millions of instructions, and ratios:\n\n" + table([w.name for w in works], counts, 1))
            return 0
        reader = Reader(options.agent, read_dir, os.path.join(work_dir, "agent.log"))
        try:
            wall, cpu = {}, {}
            for number in range(options.rounds):
                began = time.monotonic()
                for position, workload in enumerate(works):
                    turn = (number + position) % len(columns)
                    for column, allocator, runner in columns[turn:] + columns[:turn]:
                        run = runner.run(workload, allocator, options.percent < 100, options.percent, number)
                        for kept, value in ((wall, run.time), (cpu, run.cpu)):
                            kept.setdefault(workload.name, {}).setdefault(column, []).append(value)
                print("round %d of %d: %.0f s" % (number + 1, options.rounds, time.monotonic() - began), file=sys.stderr)
        finally:
            reader.stop()
    names = [w.name for w in works]
    print("Wall time, s, median of %d, and of the ratios within the rounds:\n\n%s\n\nProcessor time:\n\n%s\n\n%d readings by the agent." % (
        options.rounds, table(names, wall, 3), table(names, cpu, 3), reader.reads))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (allocator_table.Error, measure.Failed) as problem:
        print("error: %s" % problem, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
