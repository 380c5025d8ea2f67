# allocators.py - the allocators that are compared, and how a program is put under each of them.
# Knows Debian's file names; it must never install anything itself.

import os
import subprocess

LIBDIR = "/usr/lib/x86_64-linux-gnu/"
OURS = ("liballoc", "liballoc-off")
# glibc is preloaded by name too: a program that is linked to another malloc, as Debian's redis is, gets glibc's then.
PEERS = {
    "glibc": ("/lib/x86_64-linux-gnu/libc.so.6", "libc6"),
    "jemalloc": (LIBDIR + "libjemalloc.so.2", "libjemalloc2"),
    "mimalloc": (LIBDIR + "libmimalloc.so.2", "libmimalloc2.0"),
    "tcmalloc": (LIBDIR + "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
    "tbbmalloc": (LIBDIR + "libtbbmalloc_proxy.so.2", "libtbbmalloc2"),
}


class Error(Exception):
    """Something the caller of scripts/bench has to put right."""


class Allocator:
    """One column of the tables: a library and the variables it is run with."""

    def __init__(self, name, library, env, ours, package=None):
        self.name, self.library, self.env, self.ours, self.package = name, library, env, ours, package

    def variables(self, shm_dir):
        """What to set in the program's environment."""
        env = {"LD_PRELOAD": self.library}
        env.update(self.env)
        if self.ours:
            env["LIBALLOC_SHM_DIR"] = shm_dir
        return env

    def check_loads(self, shm_dir):
        """Fails unless a program started under this allocator has mapped the library."""
        env = dict(clean_env(), **self.variables(shm_dir))
        done = subprocess.run(["/bin/cat", "/proc/self/maps"], env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0 or os.path.realpath(self.library) not in done.stdout:
            raise Error("%s does not load into a program: %s" % (self.library, done.stderr.strip() or "it is not mapped"))


def clean_env():
    """The environment without anything that would steer an allocator."""
    steering = ("LIBALLOC_", "MALLOC_", "MIMALLOC_", "TCMALLOC_", "TBB_", "GLIBC_TUNABLES", "LD_PRELOAD", "PYTHONMALLOC")
    env = {k: v for k, v in os.environ.items() if not k.startswith(steering)}
    env.update(LC_ALL="C.UTF-8", TZ="UTC")
    return env


def check_names(names):
    """Fails unless these are names that select() knows, each given once."""
    labels = [name.split("=", 1)[0] for name in names]
    for name, label in zip(names, labels):
        if "=" not in name and name not in OURS and name not in PEERS:
            raise Error("no allocator '%s'; allowed: %s, or NAME=FILE for another build of liballoc" % (
                name, ", ".join(list(OURS) + list(PEERS))))
        if not label or labels.count(label) > 1 or ("=" in name and (label in OURS or label in PEERS)):
            raise Error("the name of the allocator '%s' is empty or taken" % name)


def select(names, library):
    """Allocators by name; NAME=FILE is another build of liballoc. Empty means all of them."""
    check_names(names)
    chosen = []
    for name in names or list(OURS) + list(PEERS):
        if name in OURS:
            env = {"LIBALLOC_TELEMETRY": "0"} if name == "liballoc-off" else {}
            chosen.append(Allocator(name, library, env, True))
        elif name in PEERS:
            chosen.append(Allocator(name, PEERS[name][0], {}, False, PEERS[name][1]))
        else:
            label, path = name.split("=", 1)
            chosen.append(Allocator(label, os.path.abspath(path), {}, True))
    for allocator in chosen:
        if not os.path.exists(allocator.library):
            raise Error("%s: there is no %s" % (allocator.name, allocator.library))
    return chosen
