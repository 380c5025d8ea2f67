#!/usr/bin/python3
# make_segment.py - makes tests/golden/segment_v1_MINOR.gz: the segment of a real process that ended with a fault.
# Must never be run to make a test pass: the file stands for programs that are out there.
"""usage: make_segment.py --library LIBALLOC --program PROGRAM --directory DIR

Runs the program under the library in a directory of its own, takes the segment that it leaves behind, cuts it to
valid_bytes, compresses it and names it after its minor version. Best through the target: ninja golden_segment."""

import argparse
import glob
import gzip
import os
import struct
import subprocess
import sys
import tempfile

MAX_BYTES = 300 * 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--directory", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        env = {"PATH": "/usr/bin:/bin", "LD_PRELOAD": options.library, "LIBALLOC_SHM_DIR": directory,
               "LIBALLOC_SERVICE": "golden", "LIBALLOC_SAMPLE_RATE": "65536"}
        ended = subprocess.run([options.program], env=env, stderr=subprocess.PIPE, timeout=60)
        if ended.returncode != -6:
            raise SystemExit("the program ended with %d, not by SIGABRT: %s" % (ended.returncode, ended.stderr))
        segments = glob.glob(os.path.join(directory, "liballoc.*"))
        if len(segments) != 1:
            raise SystemExit("%d segments were left behind, 1 expected" % len(segments))
        with open(segments[0], "rb") as stream:
            header = stream.read(32)
            magic, (major, minor) = header[:8], struct.unpack_from("<HH", header, 8)
            valid_bytes = struct.unpack_from("<Q", header, 24)[0]
            if magic != b"ALCCSEG1" or major != 1:
                raise SystemExit("no segment of version 1: %r, major %d" % (magic, major))
            segment = header + stream.read(valid_bytes - len(header))
    packed = gzip.compress(segment, 9, mtime=0)
    if len(packed) > MAX_BYTES:
        raise SystemExit("%d bytes packed, at most %d" % (len(packed), MAX_BYTES))
    output = os.path.join(options.directory, "segment_v1_%d.gz" % minor)
    with open(output, "wb") as stream:
        stream.write(packed)
    print("%s: %d bytes, %d unpacked" % (output, len(packed), len(segment)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
