#!/usr/bin/python3
# programs_test.py - unmodified programs make the same output with liballoc preloaded as without, and it is really loaded.
# Must never accept a program that is missing: scripts/test installs all of them.

import argparse
import difflib
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys

import harness
import programs
import servers

# name -> (what runs it, version command, executables that must have run with liballoc)
PROGRAMS = {
    "redis": (servers.redis, ["/usr/bin/redis-server", "--version"], ["redis-check-rdb"]),
    "python3": (programs.python3, ["/usr/bin/python3", "--version"], ["python3.11"]),
    "sqlite3": (programs.sqlite3, ["/usr/bin/sqlite3", "--version"], ["sqlite3"]),
    "perl": (programs.perl, ["/usr/bin/perl", "-e", 'printf "perl %vd", $^V'], ["perl"]),
    "lua": (programs.lua, ["/usr/bin/lua5.4", "-v"], ["lua5.4"]),
    "g++": (programs.gxx, ["/usr/bin/g++", "--version"], ["cc1plus", "program"]),
    "git": (programs.git, ["/usr/bin/git", "--version"], ["git"]),
    "nginx": (servers.nginx, ["/usr/sbin/nginx", "-v"], ["nginx"]),
    "postgres": (servers.postgres, [servers.POSTGRES_BIN + "/postgres", "--version"], ["postgres", "initdb", "psql"]),
    "bash": (programs.bash, ["/bin/bash", "--version"], ["bash"]),
}
COLUMNS = "%-9s %-44s %-9s %-7s %s"


class ProgramsTest(harness.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.library = self.readable_copy(self.options.library)

    def run_once(self, function, preload):
        work = os.path.join(self.dir, "work")  # the same path both times: programs print it
        shutil.rmtree(work, ignore_errors=True)
        os.mkdir(work)
        if preload:
            env = harness.preload_env(self.library, self.shm, LIBALLOC_KEEP_SEGMENT="1")
        else:
            env = harness.clean_env()

        inspected = set()

        def inspect(pid, what):
            mapped = harness.has_mapped(pid, self.library)
            self.assertIn(mapped, (preload, None), "%s, liballoc mapped" % what)
            inspected.add(mapped)
        output = function(programs.Run(env, work, inspect))
        self.assertNotEqual(inspected, {None}, "every process had ended when it was looked at")
        return output

    def compare(self, name):
        function, version_command, executables = PROGRAMS[name]
        row = {"program": name, "version": "missing", "result": "FAILED", "processes": 0, "detail": ""}
        try:
            self.assertTrue(os.path.exists(version_command[0]), "%s is not installed" % version_command[0])
            version = subprocess.run(version_command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
                                     stdin=subprocess.DEVNULL).stdout.decode()
            row["version"] = version.split("\n")[0][:44]
            without = self.run_once(function, False)
            self.assertEqual(harness.segments(self.shm), [])
            self.assertTrue(without)
            with_liballoc = self.run_once(function, True)
            ran = harness.executables(self.shm)
            row["processes"] = len(ran)
            row["detail"] = "%d bytes, sha256 %s" % (len(without), hashlib.sha256(without.encode()).hexdigest()[:12])
            if with_liballoc != without:
                self.fail("the output differs:\n" + "\n".join(list(difflib.unified_diff(
                    without.splitlines(), with_liballoc.splitlines(), "without", "with", lineterm=""))[:60]))
            for executable in executables:
                self.assertIn(executable, {os.path.basename(e) for e in ran}, "ran without liballoc")
            row["result"] = "same"
        except BaseException as error:
            row["detail"] = str(error).split("\n")[0][:100]
            raise
        finally:
            if self.options.table_dir:
                os.makedirs(self.options.table_dir, exist_ok=True)
                with open(os.path.join(self.options.table_dir, name + ".json"), "w", encoding="utf-8") as stream:
                    json.dump(row, stream)

    def test_redis(self):
        self.compare("redis")

    def test_python3(self):
        self.compare("python3")

    def test_sqlite3(self):
        self.compare("sqlite3")

    def test_perl(self):
        self.compare("perl")

    def test_lua(self):
        self.compare("lua")

    def test_gxx(self):
        self.compare("g++")

    def test_git(self):
        self.compare("git")

    def test_nginx(self):
        self.compare("nginx")

    def test_postgres(self):
        self.compare("postgres")

    def test_bash(self):
        self.compare("bash")


def print_table(directory):
    """Prints the rows that the tests left in the directory. False when one is missing or tells of a failure."""
    print("Programs under LD_PRELOAD=liballoc.so, output compared with a run without it:")
    print(COLUMNS % ("program", "version", "processes", "output", ""))
    good = True
    for name in PROGRAMS:
        path = os.path.join(directory, name + ".json")
        if not os.path.exists(path):
            print(COLUMNS % (name, "", "", "NOT RUN", ""))
            good = False
            continue
        with open(path, encoding="utf-8") as stream:
            row = json.load(stream)
        print(COLUMNS % (name, row["version"], row["processes"], row["result"], row["detail"]))
        good = good and row["result"] == "same"
    return good


def clear_table(directory):
    for path in glob.glob(os.path.join(directory, "*.json")):
        os.remove(path)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--print-table":
        sys.exit(0 if print_table(sys.argv[2]) else 1)
    if len(sys.argv) == 3 and sys.argv[1] == "--clear-table":
        sys.exit(clear_table(sys.argv[2]))
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--table-dir", help="where to leave a row for the table")
    harness.main(arguments)
