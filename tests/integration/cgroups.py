# cgroups.py - a control group of a test's own that limits memory, of version 1 or 2, whichever the machine has.
# Must never change a group that it has not made, nor leave one behind.

import errno
import os

import harness

ROOT = "/sys/fs/cgroup"


def read_number(path, name=None):
    """The number in a file, or the one behind `name` in a file of names and numbers; 0 when it is not there."""
    try:
        with open(path, encoding="ascii") as stream:
            for line in stream:
                words = line.split()
                if name is None or words[0] == name:
                    return int(words[-1])
    except FileNotFoundError:
        pass
    return 0


class MemoryCgroup:
    """A group below the root of the hierarchy, with a hard limit and without swap."""

    def __init__(self, test, limit_bytes):
        """Skips the test, saying why, where such a group cannot be made; else it is removed when the test is over."""
        first = os.path.join(ROOT, "memory")
        self.version = 1 if os.path.exists(os.path.join(first, "memory.limit_in_bytes")) else 2
        self.path = os.path.join(first if self.version == 1 else ROOT, "liballoc-test.%d" % os.getpid())
        if self.version == 2 and not self._offers_memory():
            test.skipTest("no control group for memory here: neither %s nor memory in %s/cgroup.controllers" % (first, ROOT))
        try:
            os.mkdir(self.path)
        except OSError as error:
            test.skipTest("cannot make the control group %s (%s): run as root" % (self.path, error.strerror))
        test.addCleanup(self.remove)
        if self.version == 2 and not os.path.exists(os.path.join(self.path, "memory.max")):
            test.skipTest("memory is not in %s/cgroup.subtree_control" % ROOT)
        if self.version == 1:
            self._write("memory.limit_in_bytes", limit_bytes)
            self._write("memory.memsw.limit_in_bytes", limit_bytes, optional=True)
        else:
            self._write("memory.max", limit_bytes)
            self._write("memory.swap.max", 0, optional=True)

    def _offers_memory(self):
        try:
            with open(os.path.join(ROOT, "cgroup.controllers"), encoding="ascii") as stream:
                return "memory" in stream.read().split()
        except OSError:
            return False

    def _write(self, name, value, optional=False):
        path = os.path.join(self.path, name)
        if optional and not os.path.exists(path):
            return
        with open(path, "w", encoding="ascii") as stream:
            stream.write(str(value))

    def enter(self):
        """Puts the calling process in it; for the child between fork and exec."""
        self._write("cgroup.procs", 0)

    def oom_kills(self):
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        return read_number(os.path.join(self.path, name), "oom_kill")

    def used_bytes(self):
        return read_number(os.path.join(self.path, "memory.usage_in_bytes" if self.version == 1 else "memory.current"))

    def shmem_bytes(self):
        return read_number(os.path.join(self.path, "memory.stat"), "shmem")

    def remove(self):
        """Waits for its processes, which the test has ended, to be gone."""
        def gone():
            try:
                os.rmdir(self.path)
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                return False
            return True
        harness.poll("the end of the processes in %s" % self.path, gone)
