# harness.py - what the integration tests share: programs under the allocator, an agent, and asking it.
# Everything lives in a temporary directory of the test; nothing here touches /dev/shm or a fixed port.

import contextlib
import ctypes
import glob
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

SKIPPED = 77  # exit code that ctest takes for "skipped"
DEADLINE_S = 60  # how long anything here is waited for


def free_port():
    """A TCP port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def poll(what, condition, timeout=DEADLINE_S):
    """The first true value of condition(); fails, naming `what`, when there is none in time."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %d s in vain for: %s" % (timeout, what))
        time.sleep(0.02)


def clean_env(**more):
    """The environment without anything that would steer the allocator, and with fixed locale and time zone."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("LIBALLOC_") and k != "LD_PRELOAD"}
    env.update(LC_ALL="C.UTF-8", TZ="UTC")
    env.update({k: str(v) for k, v in more.items()})
    return env


def preload_env(library, shm_dir, **more):
    """clean_env() with the allocator preloaded and its segments in shm_dir."""
    return clean_env(LD_PRELOAD=library, LIBALLOC_SHM_DIR=shm_dir, **more)


def segments(shm_dir, pid=None):
    """Paths of the segments in a directory, all or those of one process."""
    return sorted(glob.glob(os.path.join(shm_dir, "liballoc.%s.*" % ("*" if pid is None else pid))))


def is_complete(segment):
    """Whether the process has finished making it: the magic is stored last."""
    with open(segment, "rb") as stream:
        return stream.read(8) == b"ALCCSEG1"


def grow_old(path, seconds):
    """Makes a segment look as if its process had died that long ago."""
    with open(path, "r+b") as stream:
        stream.seek(64)  # liballoc_abi_header.created_realtime_ns
        created = struct.unpack("<Q", stream.read(8))[0]
        stream.seek(64)
        stream.write(struct.pack("<Q", created - seconds * 10**9))
    then = time.time() - seconds
    os.utime(path, (then, then))


def executables(shm_dir):
    """The executables named in all segments of a directory: one entry per process image that liballoc was in."""
    found = []
    for path in segments(shm_dir):
        with open(path, "rb") as stream:
            header = stream.read(256)
            offset, stride, count = struct.unpack_from("<IIQ", header, 32)
            for entry in range(count):
                stream.seek(offset + entry * stride)
                kind, _, start = struct.unpack("<IIQ", stream.read(16))
                if kind == 1:  # LIBALLOC_SECTION_IDENTITY
                    stream.seek(start + 8)
                    found.append(stream.read(1016).split(b"\0")[0].decode(errors="replace"))
    return found


def has_mapped(pid, library):
    """Whether the process has this very file mapped; None when the process has ended.

    The kernel gives a page of the list at a time and nothing more once the process has ended: a list without the library
    counts only when the process is still there after it was read."""
    real = os.path.realpath(library)
    path = "/proc/%d/maps" % pid
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            lines = stream.read().splitlines()
        if any(line.endswith(" " + real) for line in lines):
            return True
        with open(path, encoding="utf-8", errors="replace") as stream:
            return False if stream.read(1) else None
    except (FileNotFoundError, ProcessLookupError):
        return None


class Conversation:
    """A program that writes lines, stops at its rest points, and goes on when told to."""

    def __init__(self, command, env, **popen):
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **popen)
        self.pid = self.process.pid

    def read_until(self, prefix):
        """Lines up to the one that starts with prefix, which is the last of them."""
        lines = []
        while True:
            line = self.process.stdout.readline().decode()
            if not line:
                raise AssertionError("the program ended (%s) before '%s'; it said: %s" %
                                     (self.process.wait(), prefix, lines))
            lines.append(line.rstrip("\n"))
            if line.startswith(prefix):
                return lines

    def go_on(self):
        self.process.stdin.write(b"g")
        self.process.stdin.flush()

    def finish(self):
        """Lets it run to its end; its exit code."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(timeout=DEADLINE_S)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


class Agent:
    """A running alloc-agent that watches one directory."""

    def __init__(self, agent, allocctl, shm_dir, log_path, *flags, **popen):
        self.allocctl_path = allocctl
        self.http = "127.0.0.1:%d" % free_port()
        self.grpc = "127.0.0.1:%d" % free_port()
        self.log_path = log_path
        self._log = open(log_path, "wb")
        self.process = subprocess.Popen(
            [agent, "--shm-dir", shm_dir, "--http-listen", self.http, "--grpc-listen", self.grpc, *flags],
            env=clean_env(), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, **popen)
        try:
            poll("the agent's /healthz", self._healthy)
        except AssertionError:
            self.stop()
            raise

    def _healthy(self):
        if self.process.poll() is not None:
            raise AssertionError("alloc-agent ended at once (%d): %s" % (self.process.returncode, self.log()))
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def get(self, path):
        """(status, body, headers) of a GET."""
        try:
            with urllib.request.urlopen("http://%s%s" % (self.http, path), timeout=DEADLINE_S) as reply:
                return reply.status, reply.read(), reply.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers

    def allocctl(self, *words):
        """What allocctl prints; an error of allocctl is an error of the test."""
        done = subprocess.run([self.allocctl_path, "--agent", self.grpc, *words], env=clean_env(),
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE_S)
        if done.returncode != 0:
            raise AssertionError("allocctl %s: exit code %d, %s" %
                                 (" ".join(words), done.returncode, done.stderr.decode()))
        return done.stdout

    def allocctl_json(self, *words):
        return json.loads(self.allocctl("--json", *words))  # protobuf JSON: camelCase, 64-bit numbers as strings

    def processes(self):
        """What `allocctl ps` lists; an exec leaves two entries with the same pid."""
        return self.allocctl_json("ps")["processes"]

    def pids(self):
        return {p["ref"]["pid"] for p in self.processes()}

    def wait_for(self, pid, state="PROCESS_STATE_RUNNING", executable=""):
        """Waits until the agent lists the process in this state, its executable ending so; its entry."""
        def listed():
            for entry in self.processes():
                if (entry["ref"]["pid"], entry["ref"]["state"]) == (pid, state) and entry["executable"].endswith(executable):
                    return entry
            return None
        return poll("process %d in state %s %s" % (pid, state, executable), listed)

    def stop(self):
        """Ends it as an operator would; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._log.close()
        return self.process.wait()


class IntegrationTest(unittest.TestCase):
    """A test with a temporary directory that every user may enter, and with cleanup of what it started."""

    options = None  # set by main()
    agents = 0  # started by this test

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="liballoc-test.")
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.shm = os.path.join(self.dir, "shm")
        os.mkdir(self.shm)
        os.chmod(self.shm, 0o1777)

    def readable_copy(self, path):
        """A copy of a file where every user may read it: build trees often lie in a private home."""
        copy = os.path.join(self.dir, os.path.basename(path))
        if not os.path.exists(copy):
            shutil.copyfile(path, copy)
            os.chmod(copy, 0o755)
        return copy

    def mount_tmpfs(self, size):
        """Puts a tmpfs of that size on the segment directory, or skips the test."""
        libc = ctypes.CDLL(None, use_errno=True)
        data = ("size=%s,mode=1777" % size).encode()
        if libc.mount(b"tmpfs", self.shm.encode(), b"tmpfs", 0, data) != 0:
            self.skipTest("mounting a tmpfs is not permitted here (%s): run as root" % os.strerror(ctypes.get_errno()))
        self.addCleanup(self.unmount)

    def unmount(self):
        ctypes.CDLL(None).umount2(self.shm.encode(), 2)  # MNT_DETACH; harmless when nothing is mounted

    def start_agent(self, *flags, program=None, **popen):
        self.agents += 1
        agent = Agent(program or self.options.agent, self.options.allocctl, self.shm,
                      os.path.join(self.dir, "agent%d.log" % self.agents), *flags, **popen)
        self.addCleanup(agent.stop)
        return agent

    def converse(self, command, **env):
        talk = Conversation(command, preload_env(self.options.library, self.shm, **env))
        self.addCleanup(talk.end)
        return talk

    def sleeper(self, script="read line", **env):
        """A bash that holds some heap until its standard input ends."""
        hold = "s=; for i in {1..20000}; do s+=xxxxxxxxxx$i; done; echo rest; "
        talk = self.converse(["/bin/bash", "-c", hold + script], **env)
        talk.read_until("rest")
        return talk

    def only_segment(self, pid):
        found = segments(self.shm, pid)
        self.assertEqual(len(found), 1, found)
        return found[0]


def main(parser):
    """Runs the test named on the command line, or all of the file. Exit code 77 when all that ran was skipped."""
    parser.add_argument("--library", required=True, help="liballoc.so")
    parser.add_argument("--agent", help="alloc-agent")
    parser.add_argument("--allocctl", help="allocctl")
    parser.add_argument("tests", nargs="*", help="names of tests; none means all")
    IntegrationTest.options = parser.parse_args()
    module = sys.modules["__main__"]
    loader = unittest.TestLoader()
    suite = unittest.TestSuite()
    wanted = IntegrationTest.options.tests
    for case in loader.loadTestsFromModule(module):
        for test in case:
            if not wanted or test.id().split(".")[-1] in wanted:
                suite.addTest(test)
    count = suite.countTestCases()
    if count == 0 or (wanted and count < len(wanted)):
        print("no such test: %s" % " ".join(wanted), file=sys.stderr)
        sys.exit(2)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    for _, reason in result.skipped:
        print("SKIPPED: %s" % reason)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if len(result.skipped) == result.testsRun else 0)
