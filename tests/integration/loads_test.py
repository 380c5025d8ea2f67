#!/usr/bin/python3
# loads_test.py - real programs under load give the same results with liballoc preloaded as without. Part of scripts/test --full.
# Times are shown and decide nothing. Must never accept a program that is missing.

import argparse
import json
import os
import shutil
import sys
import time

import harness
import loads
import programs

# name -> (what runs it, the program that must be there, executables that must have run with liballoc)
LOADS = {
    "redis-benchmark": (loads.redis_benchmark, "/usr/bin/redis-benchmark", ["redis-check-rdb"]),
    "pgbench": (loads.pgbench, loads.POSTGRES_BIN + "/pgbench", ["postgres", "pgbench"]),
    "nginx, wrk": (loads.nginx_wrk, "/usr/bin/wrk", ["nginx", "wrk"]),
    "memcached": (loads.memcached, "/usr/bin/memcached", ["memcached"]),
    "sqlite3": (loads.sqlite_speed, "/usr/bin/sqlite3", ["sqlite3"]),
    "g++ on liballoc": (loads.gxx_project, "/usr/bin/g++", ["cc1plus", "as"]),
    "python3's tests": (loads.python_tests, "/usr/lib/python3.11/test/test_list.py", ["python3.11"]),
    "node": (loads.node, "/usr/bin/node", ["node"]),
    "perl": (loads.perl_trees, "/usr/bin/perl", ["perl"]),
    "lua": (loads.lua_trees, "/usr/bin/lua5.4", ["lua5.4"]),
    "z3": (loads.z3, "/usr/bin/z3", ["z3"]),
    "ffmpeg": (loads.ffmpeg, "/usr/bin/ffmpeg", ["ffmpeg"]),
    "openssl": (loads.openssl, "/usr/bin/openssl", ["openssl"]),
    "git gc": (loads.git_gc, "/usr/bin/git", ["git"]),
    "stress-ng": (loads.stress_ng, "/usr/bin/stress-ng", ["stress-ng"]),
}
COLUMNS = "%-16s %8s %8s %9s  %-7s %s"


class LoadsTest(harness.IntegrationTest):
    def run_once(self, function, preload):
        work = os.path.join(self.dir, "work")  # the same path both times: programs print it
        shutil.rmtree(work, ignore_errors=True)
        os.mkdir(work)
        env = harness.clean_env()
        if preload:
            env = harness.preload_env(self.library, self.shm, LIBALLOC_KEEP_SEGMENT="1")

        def inspect(pid, what):
            self.assertIn(harness.has_mapped(pid, self.library), (preload, None), "%s, liballoc mapped" % what)
        started = time.monotonic()
        output = function(programs.Run(env, work, inspect))
        return output, time.monotonic() - started

    def compare(self, name):
        self.library = self.readable_copy(self.options.library)
        function, needed, executables = LOADS[name]
        row = {"glibc": 0, "liballoc": 0, "processes": 0, "result": "FAILED", "detail": ""}
        try:
            self.assertTrue(os.path.exists(needed), "%s is not installed" % needed)
            without, row["glibc"] = self.run_once(function, False)
            self.assertTrue(without)
            with_liballoc, row["liballoc"] = self.run_once(function, True)
            ran = harness.executables(self.shm)
            row["processes"] = len(ran)
            self.assertEqual(with_liballoc, without)
            for executable in executables:
                self.assertTrue(any(os.path.basename(e).endswith(executable) for e in ran), executable + " ran without liballoc")
            row["result"] = "same"
        except BaseException as error:
            row["detail"] = str(error).split("\n")[0][:100]
            raise
        finally:
            if self.options.table_dir:
                os.makedirs(self.options.table_dir, exist_ok=True)
                with open(os.path.join(self.options.table_dir, name.replace("/", "_") + ".json"), "w", encoding="utf-8") as stream:
                    json.dump(row, stream)

    def test_redis_benchmark(self):
        self.compare("redis-benchmark")

    def test_pgbench(self):
        self.compare("pgbench")

    def test_nginx_wrk(self):
        self.compare("nginx, wrk")

    def test_memcached(self):
        self.compare("memcached")

    def test_sqlite3(self):
        self.compare("sqlite3")

    def test_gxx(self):
        self.compare("g++ on liballoc")

    def test_python_tests(self):
        self.compare("python3's tests")

    def test_node(self):
        self.compare("node")

    def test_perl(self):
        self.compare("perl")

    def test_lua(self):
        self.compare("lua")

    def test_z3(self):
        self.compare("z3")

    def test_ffmpeg(self):
        self.compare("ffmpeg")

    def test_openssl(self):
        self.compare("openssl")

    def test_git_gc(self):
        self.compare("git gc")

    def test_stress_ng(self):
        self.compare("stress-ng")


def print_table(directory):
    """Prints the rows that the tests left in the directory. False when one is missing or tells of a failure."""
    print("Programs under load, results compared with glibc's in the same run (seconds are for information):")
    print(COLUMNS % ("load", "glibc s", "ours s", "processes", "results", ""))
    good = True
    for name in LOADS:
        path = os.path.join(directory, name + ".json")
        if not os.path.exists(path):
            print(COLUMNS % (name, "", "", "", "NOT RUN", ""))
            good = False
            continue
        with open(path, encoding="utf-8") as stream:
            row = json.load(stream)
        print(COLUMNS % (name, "%.1f" % row["glibc"], "%.1f" % row["liballoc"], row["processes"], row["result"], row["detail"]))
        good = good and row["result"] == "same"
    return good


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--print-table":
        sys.exit(0 if print_table(sys.argv[2]) else 1)
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--table-dir", help="where to leave a row for the table")
    harness.main(arguments)
