#!/usr/bin/python3
# check_sources.py - the rules of form that every source file keeps; docs/hacking.md lists them.
# Reads the repository's files only: it must never change one, and never look into build trees.
"""usage: check_sources.py ROOT     prints one line per violation; exit code 1 when there are any"""

import os
import sys

SKIPPED_DIRS = {".git", "build", "node_modules", "dist", "__pycache__", "corpus", ".cache"}
TOP = ("liballoc", "agent", "proto", "tests", "scripts", ".ci")
COMMENT = {
    ".h": ("// ", "/* "), ".cc": ("// ", "/* "), ".c": ("// ", "/* "), ".S": ("// ", "/* "), ".proto": ("// ",),
    ".py": ("# ", '"""'), ".sh": ("# ",), ".ts": ("// ", "/* "), ".tsx": ("// ", "/* "), ".supp": ("# ",),
}
MAX_LINES = 400
# Data in the form of code, and the one file both sides share.
LONG = {"liballoc/include/liballoc/telemetry_abi.h"}


def check_text(path, text, comment, max_lines=MAX_LINES):
    """Violations of one file as strings."""
    found = []
    lines = text.splitlines()
    first = lines[0] if lines else ""
    if first.startswith("#!"):
        first = lines[1] if len(lines) > 1 else ""
    if not first.startswith(comment):
        found.append("%s:1: the first line is not a comment that says what the file is" % path)
    if path.endswith(".h") and "#pragma once" not in text and "#ifndef" not in text:
        found.append("%s:1: a header without #pragma once" % path)
    if max_lines and len(lines) > max_lines:
        found.append("%s:%d: %d lines; a file holds one concept in at most %d" % (path, max_lines, len(lines), max_lines))
    for number, line in enumerate(lines, 1):
        if not line.isascii():
            found.append("%s:%d: not ASCII" % (path, number))
        if line != line.rstrip():
            found.append("%s:%d: trailing blanks" % (path, number))
        if "\t" in line:
            found.append("%s:%d: a tab" % (path, number))
    if text and not text.endswith("\n"):
        found.append("%s:%d: no newline at the end" % (path, len(lines)))
    return found


def comment_of(path, first_line):
    """The comment starts allowed in this file, or None when the rules do not cover it."""
    suffix = os.path.splitext(path)[1]
    if suffix in COMMENT:
        return COMMENT[suffix]
    if suffix == "" and first_line.startswith("#!"):
        return ("# ",)
    return None


def main(argv):
    if len(argv) != 2 or not os.path.isdir(os.path.join(argv[1], "liballoc")):
        print(__doc__, file=sys.stderr)
        return 2
    root, found, files = argv[1], [], 0
    for top in TOP:
        for directory, subdirs, names in os.walk(os.path.join(root, top)):
            subdirs[:] = sorted(d for d in subdirs if d not in SKIPPED_DIRS)
            for name in sorted(names):
                full = os.path.join(directory, name)
                path = os.path.relpath(full, root)
                with open(full, "rb") as stream:
                    data = stream.read()
                try:
                    text = data.decode("utf-8")
                except UnicodeDecodeError:
                    continue  # binary test data
                comment = comment_of(path, text.split("\n", 1)[0])
                if comment is None:
                    continue
                files += 1
                found += check_text(path, text, comment, None if path in LONG else MAX_LINES)
    for line in found:
        print(line)
    print("check_sources: %d files, %d violations" % (files, len(found)))
    return 1 if found or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
