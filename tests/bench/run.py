#!/usr/bin/python3
# run.py - runs the benchmark set under several allocators, interleaved, and prints or writes the tables.
# scripts/bench is the way to call it: that installs and builds what this needs. It writes to temporary directories only,
# and with --write to docs/performance.md.
"""Compares liballoc with other allocators."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

import allocators as allocator_table
import measure
import report
import workloads as workload_table
import writer

QUICK_SECONDS = 160  # of --quick; the rest of its 3 minutes is for starting and reporting
QUICK_REPEATS = 5
FULL_REPEATS = 5


class Agent:
    """A real alloc-agent that watches the segments of every run, or nothing when there is no program to start."""

    def __init__(self, program, shm_dir, log_path):
        self.process = None
        if program is None:
            return
        with open(log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [program, "--shm-dir", shm_dir, "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
                 "--retain-exited", "1s"], env=allocator_table.clean_env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        time.sleep(0.5)
        if self.process.poll() is not None:
            with open(log_path, encoding="utf-8") as log:
                raise allocator_table.Error("alloc-agent does not start: %s" % log.read()[-500:])

    def cpu_seconds(self):
        """Processor time it has used so far."""
        if self.process is None:
            return 0.0
        if self.process.poll() is not None:
            raise allocator_table.Error("alloc-agent has ended during the measurements (%d)" % self.process.returncode)
        with open("/proc/%d/stat" % self.process.pid, encoding="utf-8") as stream:
            fields = stream.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def measure_all(chosen, works, runner, options, say):
    """Rounds over all workloads; in each, every allocator does the same work in turn, starting with another each time."""
    peers = [a.name for a in chosen if not a.ours]
    results = report.Results([a.name for a in chosen], peers)
    digests = {}
    failed = set()
    start = time.monotonic()
    longest = 0.0
    rounds = 0
    for number in range(options.repeats):
        began = time.monotonic()
        if options.quick and number > 0 and began - start + longest > QUICK_SECONDS:
            break
        for position, workload in enumerate(works):
            if options.quick and time.monotonic() - start > QUICK_SECONDS:
                say("out of time: round %d ends before %s" % (number + 1, workload.name))
                break
            turn = (number + position) % len(chosen)
            for allocator in chosen[turn:] + chosen[:turn]:
                late = options.quick and time.monotonic() - start > QUICK_SECONDS + 5
                if late or (workload.name, allocator.name) in failed:
                    continue
                try:
                    run = runner.run(workload, allocator, options.quick, options.percent, number)
                    wanted = digests.setdefault(workload.name, run.digest)
                    if run.digest != wanted:
                        raise measure.Failed("its output differs from that under other allocators")
                    results.add(workload.name, allocator.name, run)
                except measure.Failed as error:
                    failed.add((workload.name, allocator.name))
                    results.add_failure(workload.name, allocator.name, str(error))
                    say("%s under %s: %s" % (workload.name, allocator.name, error))
        rounds += 1
        longest = max(longest, time.monotonic() - began)
        say("round %d of at most %d: %.0f s" % (rounds, options.repeats, time.monotonic() - began))
    return results, rounds


def count_instructions(chosen, works, runner, percent, say):
    """Markdown of the instructions of each workload under each allocator, in millions; small work, one round."""
    peers = [a.name for a in chosen if not a.ours]
    counts, failed = {}, False
    for workload in works:
        for allocator in chosen:
            try:
                counts.setdefault(workload.name, {})[allocator.name] = runner.instructions(workload, allocator, percent)
            except measure.Failed as error:
                failed = failed or allocator.ours
                say("%s under %s: %s" % (workload.name, allocator.name, error))
    return report.instruction_table(counts, [a.name for a in chosen], peers), failed


def parse(argv):
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="a part of the work, for at most 3 minutes")
    parser.add_argument("--workload", action="append", default=[], metavar="NAME",
                        help="only this one; may be given more than once: " + ", ".join(w.name for w in workload_table.ALL))
    parser.add_argument("--allocators", default="", metavar="A,B", help="only these: %s; NAME=FILE is another build of "
                        "liballoc" % ", ".join(list(allocator_table.OURS) + list(allocator_table.PEERS)))
    parser.add_argument("--repeats", type=int, help="rounds over the set (%d; with --quick as many as fit, up to %d)" % (
        FULL_REPEATS, QUICK_REPEATS))
    parser.add_argument("--percent", type=int, help="how much work the programs do, in percent of the full amount")
    parser.add_argument("--instructions", action="store_true",
                        help="count instructions by callgrind instead of measuring; for machines that are busy")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--list", action="store_true", help="list the workloads")
    parser.add_argument("--no-agent", action="store_true", help="measure without alloc-agent")
    parser.add_argument("--library", help="the liballoc.so to measure, instead of building one")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--agent", help=argparse.SUPPRESS)
    parser.add_argument("--bin-dir", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.repeats is None:
        options.repeats = QUICK_REPEATS if options.quick else FULL_REPEATS
    for name, value, limit in (("--repeats", options.repeats, 1000), ("--percent", options.percent, 10000)):
        if value is not None and not 1 <= value <= limit:
            parser.error("%s %d is not within 1..%d" % (name, value, limit))
    return options


def main(argv):
    options = parse(argv)
    if options.list:
        for workload in workload_table.ALL:
            print("%-16s %-8s %s" % (workload.name, workload.kind, workload.about))
        return 0
    works = workload_table.select(options.workload)
    if options.instructions:
        works = [workload for workload in works if workload.kind in ("own", "micro")]
        if options.write or not works:
            raise allocator_table.Error("--instructions counts programs of tests/bench only and has nothing to --write")
    names = [name for name in options.allocators.split(",") if name]
    if options.check:  # by scripts/bench, before it builds anything
        allocator_table.check_names(names)
        return 0
    chosen = allocator_table.select(names, os.path.abspath(options.library))
    for workload in works:
        program = workload.command(options.bin_dir, options.quick)[0]
        if shutil.which(program) is None:
            raise allocator_table.Error("the workload %s needs %s, which is not there" % (workload.name, program))

    def say(line):
        print(line, file=sys.stderr, flush=True)

    # Segments belong on a tmpfs, where the library keeps them by default.
    shm_parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="liballoc-bench.") as work_dir, \
         tempfile.TemporaryDirectory(prefix="liballoc-bench.", dir=shm_parent) as shm_dir:
        for allocator in chosen:
            allocator.check_loads(shm_dir)
        watch = any(a.ours for a in chosen) and not options.no_agent
        agent = Agent(options.agent if watch else None, shm_dir, os.path.join(work_dir, "agent.log"))
        try:
            if options.instructions:
                runner = measure.Runner(options.bin_dir, work_dir, shm_dir)
                text, bad = count_instructions(chosen, works, runner, options.percent or 2, say)
                print(text)
                return 1 if bad else 0
            start = time.monotonic()
            load_before = os.getloadavg()[:1]
            runner = measure.Runner(options.bin_dir, work_dir, shm_dir)
            results, rounds = measure_all(chosen, works, runner, options, say)
            facts = {"rounds": rounds, "seconds": time.monotonic() - start, "agent_cpu": agent.cpu_seconds(),
                     "agent": watch and options.agent is not None, "quick": options.quick, "percent": options.percent,
                     "load": load_before + os.getloadavg()[:1]}
        finally:
            agent.stop()
    names = [workload.name for workload in works if workload.name in results.runs]
    set_names = [w.name for w in works if w.kind in ("own", "real") and w.name in results.runs]
    text = writer.tables(results, names, set_names, facts, chosen)
    print(text)
    if options.write:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "performance.md")
        writer.write_document(path, writer.document(text, works, facts, chosen))
        print("wrote docs/performance.md")
    ours_failed = [entry for entry in results.failures if entry[1] not in results.peers]
    return 1 if ours_failed or not results.runs else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except allocator_table.Error as problem:
        print("error: %s" % problem, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
