# measure.py - runs one workload under one allocator and returns what it cost.
# Every run goes through bench_measure, a small static program: a child's peak RSS starts at that of its parent.

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import time

from allocators import clean_env

TIMEOUT_S = 300


class Failed(Exception):
    """The program did not do its work under this allocator."""


class Run:
    """What one run cost, and a digest of what it printed."""

    def __init__(self, record, output):
        self.time = record["wall"]
        self.cpu = record["user"] + record["sys"]
        self.user, self.sys = record["user"], record["sys"]
        self.rss = record["rss_kib"] / 1024.0
        self.faults = record["minor_faults"]
        self.output = output
        self.nanoseconds = {}
        self.starts = 0
        lines = []
        for line in output.splitlines():
            if line.startswith("ns "):
                _, pattern, size, value = line.split()
                self.nanoseconds[(pattern, int(size))] = float(value)
            elif line.startswith("starts "):
                self.starts = int(line.split()[1])
            else:
                lines.append(line)
        self.digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()


@contextlib.contextmanager
def one_processor(turn):
    """What is started within runs on one processor, another one each turn. Those of a virtual machine differ by half, by what their
    neighbours do, so where the scheduler happens to put a program would decide more than its allocator."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[turn % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Runner:
    """Runs workloads; bin_dir holds the bench_ programs, work_dir is a temporary directory, shm_dir the segments'."""

    def __init__(self, bin_dir, work_dir, shm_dir):
        self.bin_dir, self.work_dir, self.shm_dir = bin_dir, work_dir, shm_dir

    def _measured(self, allocator, workload, command):
        result = os.path.join(self.work_dir, "cost.json")
        variables = dict(allocator.variables(self.shm_dir), **workload.env)
        return result, [os.path.join(self.bin_dir, "bench_measure"), result,
                        *("%s=%s" % item for item in variables.items()), "--", *command]

    def instructions(self, workload, allocator, percent):
        """Instructions of one run, counted by callgrind; threads take turns there. Raises Failed."""
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                   # valgrind must not put its own malloc in the place of the allocator's
                   "--soname-synonyms=somalloc=nouserintercepts",
                   *workload.command(self.bin_dir, True, percent)]
        env = dict(clean_env(), **allocator.variables(self.shm_dir), **workload.env)
        done = subprocess.run(command, env=env, cwd=self.work_dir, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, check=False)
        counts = [line.split()[-1] for line in done.stderr.splitlines() if "Collected :" in line]
        if done.returncode != 0 or len(counts) != 1 or not counts[0].isdigit():
            raise Failed("exit code %d: %s" % (done.returncode, done.stderr.strip()[-300:]))
        return int(counts[0])

    def run(self, workload, allocator, quick, percent=None, turn=0):
        """One run; those of one turn are to be compared. Raises Failed."""
        command = workload.command(self.bin_dir, quick, percent)
        if workload.name == "redis":
            return self._run_redis(workload, allocator, int(command[1]))
        result, line = self._measured(allocator, workload, command)
        try:
            with one_processor(turn) if workload.one else contextlib.nullcontext():
                done = subprocess.run(line, env=clean_env(), cwd=self.work_dir, stdin=subprocess.DEVNULL, text=True,
                                      capture_output=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise Failed("not done after %d s" % TIMEOUT_S) from error
        if done.returncode != 0:
            raise Failed("exit code %d: %s" % (done.returncode, (done.stderr.strip() or "no message")[-300:]))
        return Run(_read(result), done.stdout)

    def _run_redis(self, workload, allocator, requests):
        """Time is the load generator's, which runs on glibc; processor time and RSS are the server's."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        result, line = self._measured(allocator, workload, [
            "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", self.work_dir, "--io-threads", "1"])
        client = ["redis-cli", "-p", port]
        with open(os.path.join(self.work_dir, "redis.log"), "w+", encoding="utf-8") as log:
            server = subprocess.Popen(line, env=clean_env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                end = time.monotonic() + 30
                while _output(client + ["ping"]) != "PONG":
                    if server.poll() is not None or time.monotonic() > end:
                        log.seek(0)
                        raise Failed("redis-server does not answer: %s" % log.read()[-300:])
                    time.sleep(0.02)
                start = time.monotonic()
                load = subprocess.run(
                    ["redis-benchmark", "-p", port, "-c", "20", "-P", "8", "-q", "-n", str(requests), "-r", "50000",
                     "-d", "200", "-t", "set,get,lpush,hset,zadd"],
                    env=clean_env(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S,
                    check=False)
                wall = time.monotonic() - start
                size = _output(client + ["dbsize"])
                if load.returncode != 0 or not size.isdigit() or int(size) < 1000:
                    raise Failed("redis-benchmark failed (%s keys): %s" % (size, load.stderr[-300:]))
                _output(client + ["shutdown", "nosave"])
                if server.wait(30) != 0:
                    raise Failed("redis-server ended with exit code %d" % server.returncode)
            except subprocess.TimeoutExpired as error:
                raise Failed("redis not done in time") from error
            finally:
                if server.poll() is None:
                    _output(client + ["shutdown", "nosave"])
                    try:
                        server.wait(10)
                    except subprocess.TimeoutExpired:
                        server.kill()
                        server.wait()
        return Run(dict(_read(result), wall=wall), "")


def _read(path):
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def _output(command):
    return subprocess.run(command, env=clean_env(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False).stdout.strip()
