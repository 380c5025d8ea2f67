# live_services.py - starts the programs of the live dashboard test, and ends every one of them.
#
# What is started dies with this process, however it ends: stop() in the ordinary case, the kernel's parent-death signal
# otherwise. Must never signal a process that it did not start, nor listen on anything but 127.0.0.1.
import ctypes
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class ServiceError(Exception):
    """A program that did not start, ended by itself, or did not answer."""


def free_ports(count):
    """TCP ports of 127.0.0.1 that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def get(url, timeout=10):
    """Body of a GET; ServiceError when there is none."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as reply:
            return reply.read().decode("utf-8")
    except urllib.error.HTTPError as error:
        raise ServiceError("%s: %d %s" % (url, error.code, error.read().decode("utf-8", "replace")[:500])) from error
    except OSError as error:
        raise ServiceError("%s: %s" % (url, error)) from error


class Service:
    """A program that runs until stop()."""

    def __init__(self, name, command, directory, environment=None):
        self.name = name
        self.log_path = os.path.join(directory, name + ".log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory,
                env=dict(os.environ, **(environment or {})),
                preexec_fn=lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def check(self):
        """ServiceError when the program has ended."""
        if self.process.poll() is not None:
            raise ServiceError("%s ended with %d:\n%s" % (self.name, self.process.returncode, self.log()))

    def stop(self):
        """Asks it to end, then makes it; the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


def wait_until(what, condition, services, seconds=90):
    """Polls until the condition returns something true, and returns that; ServiceError when time is up."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        for service in services:
            service.check()
        try:
            result = condition()
            if result:
                return result
        except ServiceError as error:
            last = error
        time.sleep(0.2)
    logs = "".join("\n--- %s\n%s" % (s.name, s.log()) for s in services)
    raise ServiceError("not within %d s: %s (%s)%s" % (seconds, what, last, logs))
