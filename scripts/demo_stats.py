#!/usr/bin/python3
# demo_stats.py - prints one line of memory statistics per second while a load runs; part of scripts/demo.
# usage: demo_stats.py ALLOCCTL PID LOAD_PID     asks `allocctl --json stats PID` until LOAD_PID has ended

import json
import os
import subprocess
import sys
import time

COLUMNS = "%8s %12s %12s %12s %12s %14s %14s %9s"


def running(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def mib(value):
    return "%.1f MiB" % (value / 1048576)


def main(argv):
    allocctl, pid, load = argv[1], argv[2], int(argv[3])
    print(COLUMNS % ("time", "live heap", "in use", "idle", "resident", "live objects", "mallocs/s", "samples"))
    start = last_time = time.monotonic()
    last_mallocs, last_round = None, False
    while True:
        text = subprocess.run([allocctl, "--json", "stats", pid], check=True, stdout=subprocess.PIPE).stdout
        now = time.monotonic()
        stats = {k: int(v) for k, v in json.loads(text)["memstats"].items() if isinstance(v, (int, str)) and k != "time"}
        rate = (stats["mallocs"] - last_mallocs) / (now - last_time) if last_mallocs is not None else 0
        print(COLUMNS % ("%.1f s" % (now - start), mib(stats["heap_alloc"]), mib(stats["heap_inuse"]),
                         mib(stats.get("heap_idle", 0)), mib(stats.get("resident_bytes", 0)),
                         format(stats["mallocs"] - stats["frees"], ","), format(int(rate), ","),
                         format(stats.get("samples_live", 0), ",")), flush=True)
        last_mallocs, last_time = stats["mallocs"], now
        if last_round:
            return 0
        end = now + 1
        while time.monotonic() < end and running(load):
            time.sleep(0.05)
        last_round = not running(load)


if __name__ == "__main__":
    # Ctrl-C ends the demo, which ends us: no traceback for that.
    try:
        sys.exit(main(sys.argv))
    except KeyboardInterrupt:
        os._exit(130)
