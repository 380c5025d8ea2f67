#!/usr/bin/python3
# degraded_test.py - no telemetry is no trouble: whatever the segment directory is like, the program runs as without liballoc.
# Compares output and exit code of worker.cc with a run without liballoc; never needs an agent.

import argparse
import ctypes
import os
import resource
import subprocess

import harness

UNPRIVILEGED = 65534  # nobody


class DegradedTest(harness.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.library = self.readable_copy(self.options.library)
        self.worker = self.readable_copy(self.options.worker)
        self.plain = self.run_worker(harness.clean_env())
        self.assertEqual((self.plain.returncode, self.plain.stderr), (7, b""))
        self.assertEqual(len(self.plain.stdout.splitlines()), 6)

    def run_worker(self, env, **popen):
        return subprocess.run([self.worker], env=env, cwd=self.dir, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=harness.DEADLINE_S, check=False, **popen)

    def expect_the_same(self, shm_dir, env=None, **popen):
        """Runs it under liballoc: same output, same exit code, and not a word on standard error."""
        done = self.run_worker(harness.preload_env(self.library, shm_dir, **(env or {})), **popen)
        self.assertEqual((done.returncode, done.stdout), (self.plain.returncode, self.plain.stdout), done.stderr.decode())
        self.assertEqual(done.stderr.decode(), "")

    def test_healthy_directory(self):
        # The yardstick of the others: here the two processes of the worker do leave segments.
        self.expect_the_same(self.shm, {"LIBALLOC_KEEP_SEGMENT": "1"})
        self.assertEqual(len(harness.segments(self.shm)), 2)
        for path in harness.segments(self.shm):
            self.assertEqual(os.stat(path).st_mode & 0o7777, 0o600)

    def test_no_agent(self):
        self.expect_the_same(self.shm)
        self.assertEqual(os.listdir(self.shm), [])

    def test_missing_directory(self):
        self.expect_the_same(os.path.join(self.dir, "not", "there"))
        self.assertFalse(os.path.exists(os.path.join(self.dir, "not")))

    def test_verbose_says_why_there_is_no_segment(self):
        missing = os.path.join(self.dir, "not", "there")
        done = self.run_worker(harness.preload_env(self.library, missing, LIBALLOC_VERBOSE="1"))
        self.assertEqual((done.returncode, done.stdout), (self.plain.returncode, self.plain.stdout))
        first = done.stderr.decode().splitlines()[0]
        self.assertIn(missing, first)
        self.assertIn("no such directory", first)

    def test_directory_is_a_file(self):
        path = os.path.join(self.dir, "file")
        with open(path, "w", encoding="ascii") as stream:
            stream.write("x")
        self.expect_the_same(path)
        with open(path, encoding="ascii") as stream:
            self.assertEqual(stream.read(), "x")

    def test_unwritable_directory(self):
        os.chmod(self.shm, 0o555)
        who = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []} if os.getuid() == 0 else {}
        self.expect_the_same(self.shm, **who)
        self.assertEqual(os.listdir(self.shm), [])

    def test_full_tmpfs(self):
        self.mount_tmpfs("64k")
        self.expect_the_same(self.shm)
        with open(os.path.join(self.shm, "filler"), "wb") as stream:
            try:
                stream.write(b"x" * 65536)
                stream.flush()
            except OSError:
                pass
        self.expect_the_same(self.shm)
        self.assertEqual(os.listdir(self.shm), ["filler"])

    def test_tmpfs_fills_up_while_the_program_runs(self):
        # Room for the first pages of the segment, not for its growth: every sampled allocation asks for more.
        for size in ("128k", "256k", "320k", "512k", "1m"):
            with self.subTest(size=size):
                self.mount_tmpfs(size)
                self.expect_the_same(self.shm, {"LIBALLOC_SAMPLE_RATE": "1"})
                self.unmount()

    def test_read_only_file_system(self):
        self.mount_tmpfs("1m")
        libc = ctypes.CDLL(None, use_errno=True)
        self.assertEqual(libc.mount(b"tmpfs", self.shm.encode(), b"tmpfs", 32 | 1, None), 0)  # MS_REMOUNT | MS_RDONLY
        self.expect_the_same(self.shm)

    def test_small_file_size_limit(self):
        for limit in (0, 4096, 100000):
            with self.subTest(limit=limit):
                self.expect_the_same(self.shm, preexec_fn=lambda n=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (n, n)))

    def test_no_file_descriptor_to_spare(self):
        # 0, 1, 2 are taken; the loader needs one more until main runs, so the limit is lowered to just that.
        self.expect_the_same(self.shm, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4)))

    def test_little_address_space(self):
        # liballoc takes address space, not memory: 256 MiB for the segment, 64 MiB and more for arenas.
        limit = 640 << 20
        self.expect_the_same(self.shm, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))

    def test_telemetry_switched_off(self):
        self.expect_the_same(self.shm, {"LIBALLOC_TELEMETRY": "0", "LIBALLOC_KEEP_SEGMENT": "1"})
        self.assertEqual(os.listdir(self.shm), [])

    def expect_one_complaint(self, name, value):
        env = harness.preload_env(self.library, self.shm)
        env[name] = value
        done = self.run_worker(env)
        self.assertEqual((done.returncode, done.stdout), (self.plain.returncode, self.plain.stdout))
        lines = done.stderr.decode().splitlines()
        self.assertEqual(len(lines), 1, "%s=%s: one line was expected, not %s" % (name, value, lines))
        self.assertIn("liballoc", lines[0])
        self.assertIn(name, lines[0])
        self.assertIn(value[:20], lines[0])
        # ... and it says what is allowed: more than a name and a value.
        self.assertGreater(len(lines[0]) - len(name) - len(value[:20]), len("liballoc: ") + 15, lines[0])

    def test_malformed_values_are_named_once_and_ignored(self):
        for name, value in (("LIBALLOC_TELEMETRY", "yes"), ("LIBALLOC_TELEMETRY", "2"), ("LIBALLOC_SAMPLE_RATE", "often"),
                            ("LIBALLOC_SAMPLE_RATE", "-1"), ("LIBALLOC_SAMPLE_RATE", "99999999999999999999"),
                            ("LIBALLOC_SAMPLE_RATE", "512 KB"), ("LIBALLOC_SOFT_LIMIT", "10Q"),
                            ("LIBALLOC_SOFT_LIMIT", "0x10"), ("LIBALLOC_KEEP_SEGMENT", "maybe"),
                            ("LIBALLOC_VERBOSE", "loud")):
            with self.subTest(variable=name, value=value):
                self.expect_one_complaint(name, value)

    def test_unknown_variable_is_named_once(self):
        self.expect_one_complaint("LIBALLOC_SAMPLE_RATES", "1024")

    def test_a_relative_directory_is_named_once(self):
        self.expect_one_complaint("LIBALLOC_SHM_DIR", "relative/path")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--worker", required=True, help="the program of worker.cc")
    harness.main(arguments)
