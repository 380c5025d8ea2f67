#!/usr/bin/python3
# check_library.py - what liballoc.so may need, may leave undefined, and must export.
# Asks readelf and nm; it must never load the library.
"""usage: check_library.py LIBRARY GOLDEN      compares the exported names with GOLDEN (one per line)
       check_library.py --print LIBRARY        prints the exported names, to renew GOLDEN after a decision"""

import re
import subprocess
import sys

ALLOWED_NEEDED = re.compile(r"^(libc\.so\.6|ld-linux[-a-z0-9_]*\.so\.\d+)$")
# Names that come from libstdc++ or libgcc_s. A weak reference is fine: it is resolved in C++ programs and null in C.
CXX_RUNTIME = re.compile(r"^(_Z|__cxa_|__gxx_|_Unwind_|__dynamic_cast|__once_proxy)")
# libc's own, in spite of the prefix.
LIBC_CXA = {"__cxa_finalize", "__cxa_atexit", "__cxa_at_quick_exit", "__cxa_thread_atexit_impl"}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def parse_needed(readelf_d):
    return re.findall(r"\(NEEDED\)\s+Shared library: \[([^\]]+)\]", readelf_d)


def parse_symbols(nm_output):
    """(name without version, type letter) of each line of nm -D."""
    for line in nm_output.splitlines():
        words = line.split()
        if len(words) >= 2:
            yield words[-1].split("@")[0], words[-2]


def exported(nm_output):
    return sorted({name for name, kind in parse_symbols(nm_output) if kind not in "Uwv" and kind != "A"})


def check_needed(needed):
    return ["needs %s; only libc.so.6 is allowed" % n for n in needed if not ALLOWED_NEEDED.match(n)]


def check_undefined(nm_output):
    return [
        "undefined symbol %s of the C++ runtime; only weak ones are allowed" % name
        for name, kind in parse_symbols(nm_output)
        if kind == "U" and CXX_RUNTIME.match(name) and name not in LIBC_CXA
    ]


def check_exports(names, golden):
    return (["exports %s, which is not in the golden list" % n for n in names if n not in golden] +
            ["does not export %s" % n for n in golden if n not in names])


def main(argv):
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    if argv[1] == "--print":
        print("\n".join(exported(run("nm", "-D", "--defined-only", argv[2]))))
        return 0
    library, golden_path = argv[1], argv[2]
    with open(golden_path, encoding="ascii") as stream:
        golden = [line.strip() for line in stream if line.strip() and not line.startswith("#")]
    names = exported(run("nm", "-D", "--defined-only", library))
    found = check_needed(parse_needed(run("readelf", "-dW", library)))
    found += check_undefined(run("nm", "-D", "--undefined-only", library))
    found += check_exports(names, golden)
    if "TEXTREL" in run("readelf", "-dW", library):
        found.append("has text relocations")
    for line in found:
        print("%s: %s" % (library, line))
    print("check_library: %d exports, %d violations" % (len(names), len(found)))
    return 1 if found or not names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
