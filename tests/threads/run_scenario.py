#!/usr/bin/python3
# run_scenario.py - runs one scenario in one of the ways in which programs get liballoc, and judges how it ended.
# preload: LD_PRELOAD=liballoc.so; linked: liballoc.a in a dynamic program; static: liballoc.a in a fully static one.
# Proves by the segments that liballoc was there, and that a process that ended in order left none behind.

import argparse
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile

SKIPPED = 77
TIMEOUT_S = 240


def run(options, directory, **more):
    """Runs the scenario with its segments in `directory`; its result."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("LIBALLOC_") and k != "LD_PRELOAD"}
    env.update(more, LIBALLOC_SHM_DIR=directory)
    if options.sample_rate:
        env["LIBALLOC_SAMPLE_RATE"] = options.sample_rate
    env.update(setting.split("=", 1) for setting in options.env)
    if options.library:
        env["LD_PRELOAD"] = options.library
    process = subprocess.Popen([options.program, options.scenario], env=env, cwd=directory, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, start_new_session=True)
    try:
        text, _ = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        text = b"FAILED: still running after %d s\n" % TIMEOUT_S
    with contextlib.suppress(ProcessLookupError):  # whatever it left running
        os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()
    return subprocess.CompletedProcess(process.args, process.wait(), text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True, help="the program of scenario.cc")
    parser.add_argument("--library", help="liballoc.so, to be preloaded; not given: it is linked in")
    parser.add_argument("--sample-rate", help="LIBALLOC_SAMPLE_RATE")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="set for the scenario")
    parser.add_argument("scenario")
    options = parser.parse_args()

    directory = tempfile.mkdtemp(prefix="liballoc-test.")
    os.chmod(directory, 0o1777)
    try:
        done = run(options, directory)
        text = done.stdout.decode(errors="replace")
        print(text, end="")
        if done.returncode == SKIPPED:
            return SKIPPED
        if done.returncode != 0 or not text.endswith("%s: done\n" % options.scenario):
            print("FAILED: ended with %d; the last line was to be '%s: done'" % (done.returncode, options.scenario))
            return 1
        # The program ended by return from main: its segment is gone, unless it is asked for.
        kept = tempfile.mkdtemp(prefix="kept.", dir=directory)
        worker = argparse.Namespace(**dict(vars(options), scenario="worker"))
        if run(worker, kept, LIBALLOC_KEEP_SEGMENT="1").returncode != 23 or len(glob.glob(kept + "/liballoc.*")) != 1:
            print("FAILED: the program did not run under liballoc: no segment in %s" % kept)
            return 1
        return 0
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
