# smoke.py - runs one workload program small and checks that it ends well with the same checksum each time:
# twice as it is, and once under liballoc when a library is given. It measures nothing.
"""usage: smoke.py [--library liballoc.so] PROGRAM ARGUMENT..."""

import os
import subprocess
import sys
import tempfile


def checksum(command, env):
    """The checksum line that the command prints; ends the test when there is none."""
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
    lines = [line for line in done.stdout.splitlines() if line.startswith("checksum ")]
    if done.returncode != 0 or len(lines) != 1:
        sys.exit("%s: exit code %d, %d checksums\n%s%s" % (
            " ".join(command), done.returncode, len(lines), done.stdout, done.stderr))
    return lines[0]


def main(argv):
    library = None
    if argv[:1] == ["--library"] and len(argv) >= 2:
        library, argv = argv[1], argv[2:]
    if not argv:
        print(__doc__, file=sys.stderr)
        return 2
    env = {k: v for k, v in os.environ.items() if not k.startswith("LIBALLOC_") and k != "LD_PRELOAD"}
    wanted = checksum(argv, env)
    again = checksum(argv, env)
    if again != wanted:
        sys.exit("two runs of the same work differ: %s, %s" % (wanted, again))
    if library:
        with tempfile.TemporaryDirectory() as shm_dir:
            got = checksum(argv, dict(env, LD_PRELOAD=library, LIBALLOC_SHM_DIR=shm_dir))
        if got != wanted:
            sys.exit("under liballoc: %s, without: %s" % (got, wanted))
    print(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
