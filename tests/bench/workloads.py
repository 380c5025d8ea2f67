# workloads.py - the benchmark set as a table: which program, with which parameters, and how it is shortened by --quick.
# The programs' own defaults are the full amount of work; every allocator does exactly the same work.

import os

from allocators import Error

REAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "real")


class Workload:
    """kind: "own" (a bench_ program), "real" (a program of Debian), "micro" or "startup" (tables of their own).
    one: it does one thing at a time, so it may run on one processor."""

    def __init__(self, name, kind, command, about, env=None, quick=None, scales=True, one=False):
        self.name, self.kind, self.about, self._scales, self.one = name, kind, about, scales, one
        self._full, self._quick = command, quick or command
        self.env = env or {}

    def command(self, bin_dir, quick, percent=None):
        """The command line, with own programs below bin_dir."""
        command = list(self._quick if quick else self._full)
        if self.kind == "real":
            return command
        command[0] = os.path.join(bin_dir, "bench_" + command[0])
        if not self._scales:
            return command
        return command + ["--percent", str(percent or (15 if quick else 100))]


def own(name, about, *command, one=False):
    return Workload(name, "own", command or (name,), about, one=one)


def real(name, about, command, quick=None, env=None, one=True):
    return Workload(name, "real", command, about, env, quick, one=one)


ALL = [
    own("numbers", "tiny boxed numbers, dead at once", one=True),
    own("churn", "random sizes and lifetimes, 1 thread", one=True),
    own("churn-2", "the same by 2 threads", "churn", "--threads", "2"),
    own("churn-8", "the same by 8 threads", "churn", "--threads", "8"),
    own("churn-8-of-2", "by 8 threads with the objects of churn-2 in all", "churn", "--threads", "8", "--objects", "7500"),
    own("larson", "server: objects outlive threads, 2 lanes"),
    own("larson-8", "the same in 8 lanes", "larson", "--threads", "8", "--generations", "200"),
    own("handoff", "1 producer, 1 consumer"),
    own("handoff-4", "4 producers, 4 consumers, up to 16 KiB", "handoff", "--pairs", "4", "--max", "16384",
        "--batches", "40000"),
    own("bursts", "build, drop in another order, idle; 2 threads"),
    own("vectors", "growing by realloc", one=True),
    own("large", "64 KiB to 32 MiB in rounds", one=True),
    own("sharing-active", "threads write to neighbouring objects of their own", "sharing", "--passive", "0"),
    own("sharing-passive", "the same, with objects given by the main thread", "sharing", "--passive", "1"),
    own("threads", "many short threads"),
    own("sawtooth", "fragmentation by survivors", one=True),
    own("zeroed", "calloc of all sizes", one=True),
    own("cpp-new", "containers, sized and aligned delete", "cpp_new", one=True),
    own("mixed-10k", "random replacement, 10 k objects to 1 KiB", "mixed", one=True),
    own("mixed-200k", "random replacement, 200 k objects to 1 KiB", "mixed", "--objects", "200000", "--operations",
        "12000000", one=True),
    own("mixed-10k-32k", "random replacement, 10 k objects to 32 KiB", "mixed", "--max", "32768", "--operations",
        "12000000", one=True),
    # Not `one`: the agent, which opens each new segment, would take the same processor.
    Workload("startup", "startup", ("startup",), "/bin/true, again and again"),
    Workload("micro", "micro", ("micro",), "ns per malloc+free pair"),
    Workload("latency", "micro", ("latency",), "percentiles of single calls in a steady program"),
    Workload("giveback", "micro", ("giveback",), "memory held some seconds after a burst",
             quick=("giveback", "--last_s", "1"), scales=False),  # its seconds are its work, and less memory another question
    # The command is that of the server; measure.py adds the port and drives it.
    real("redis", "redis-benchmark: set, get, lpush, hset, zadd", ["redis-server", "300000"],
         quick=["redis-server", "60000"], one=False),
    real("lua", "tables, strings, closures", ["lua5.4", os.path.join(REAL, "tables.lua"), "20"],
         quick=["lua5.4", os.path.join(REAL, "tables.lua"), "5"]),
    real("python", "PYTHONMALLOC=malloc", ["/usr/bin/python3", "-S", os.path.join(REAL, "objects.py"), "20"],
         quick=["/usr/bin/python3", "-S", os.path.join(REAL, "objects.py"), "5"], env={"PYTHONMALLOC": "malloc"}),
    real("sqlite", "a database in memory", ["sqlite3", ":memory:", ".read " + os.path.join(REAL, "queries.sql")]),
    real("g++", "compiles 70 lines of templates",
         ["g++", "-std=c++20", "-O1", "-c", os.path.join(REAL, "compile_me.cc"), "-o", "/dev/null"],
         quick=["g++", "-std=c++20", "-fsyntax-only", os.path.join(REAL, "compile_me.cc")]),
    real("z3", "bit vectors and a pigeon hole", ["z3", os.path.join(REAL, "puzzle.smt2")]),
]


def select(names):
    """Workloads by name, in the order of the table. Empty means all of them."""
    known = [workload.name for workload in ALL]
    for name in names:
        if name not in known:
            raise Error("no workload '%s'; allowed: %s" % (name, ", ".join(known)))
    return [workload for workload in ALL if not names or workload.name in names]
