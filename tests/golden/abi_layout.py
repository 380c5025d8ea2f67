#!/usr/bin/python3
# abi_layout.py - the layout of the telemetry segment as a C compiler sees it, against tests/golden/telemetry_abi.txt.
# Must never compute an offset itself: a C17 program made from the header's names prints every one.
"""usage: abi_layout.py --header FILE --golden FILE [--update] COMPILER...

Each compiler makes the program from the header alone: as C17, or as C++20 if its name says so. Every byte of every
struct must belong to a named field, so that nothing is left to a compiler's padding. --update rewrites the golden file:
that is right for fields and sections that were added, and wrong for anything that moved."""

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
STRUCT = re.compile(r"^struct (liballoc_abi_\w+) \{(.*?)^\};", re.M | re.S)
FIELD = re.compile(r"^\s*(?:struct )?\w+ (\w+)(?:\[[\w ]+\])?\s*$")
ENUM = re.compile(r"^enum (\w+) \{(.*?)^\};", re.M | re.S)
DEFINE = re.compile(r"^#define (LIBALLOC_\w+) (\S.*)$", re.M)


def names_of(header):
    """([(struct, [field])], [constant], [string constant]) in the order of the header."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    structs = []
    for name, body in STRUCT.findall(text):
        fields = []
        for statement in body.split(";"):
            if not statement.strip():
                continue
            match = FIELD.match(statement.replace("\n", " "))
            if not match:
                raise SystemExit("%s: not a field of one name and a plain type: %s" % (name, statement.strip()))
            fields.append(match.group(1))
        structs.append((name, fields))
    constants, strings = [], []
    for name, value in DEFINE.findall(text):
        if name.startswith("LIBALLOC_ABI_ASSERT") or name.endswith("_H_"):
            continue
        (strings if value.startswith('"') else constants).append(name)
    for _, body in ENUM.findall(text):
        constants += re.findall(r"\b(LIBALLOC_\w+)\s*=", body)
    return structs, constants, strings


def program_for(header):
    structs, constants, strings = names_of(header)
    lines = ['#include "liballoc/telemetry_abi.h"', "#include <stdio.h>", "int main(void) {"]
    for name in strings:
        lines.append('  printf("constant %s \\"%%s\\"\\n", %s);' % (name, name))
    for name in constants:
        lines.append('  printf("constant %s %%llu\\n", (unsigned long long)%s);' % (name, name))
    for name, fields in structs:
        lines.append('  printf("struct %s %%zu align %%zu\\n", sizeof(struct %s), %s(struct %s));' %
                     (name, name, "alignof_type", name))
        for field in fields:
            lines.append('  printf("  %s %%zu %%zu\\n", offsetof(struct %s, %s), sizeof(((struct %s *)0)->%s));' %
                         (field, name, field, name, field))
    lines += ["  return 0;", "}"]
    head = "#ifdef __cplusplus\n#define alignof_type alignof\n#else\n#define alignof_type _Alignof\n#endif\n"
    return head + "\n".join(lines) + "\n"


def layout_by(compiler, include, program):
    """What the program prints; raises SystemExit with the compiler's words when it does not compile."""
    is_cpp = "++" in os.path.basename(compiler)
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, "layout.cc" if is_cpp else "layout.c")
        with open(source, "w", encoding="utf-8") as stream:
            stream.write(program)
        binary = os.path.join(directory, "layout")
        standard = "-std=c++20" if is_cpp else "-std=c17"
        made = subprocess.run([compiler, standard, *WARNINGS, "-I", include, "-o", binary, source],
                              capture_output=True, text=True)
        if made.returncode != 0:
            raise SystemExit("%s %s refuses the header:\n%s" % (compiler, standard, made.stderr))
        return subprocess.run([binary], capture_output=True, text=True, check=True).stdout


def holes(layout):
    """Bytes of structs that no field names."""
    found, struct, size, end = [], None, 0, 0
    for line in layout.splitlines() + ["struct end 0 align 1"]:
        words = line.split()
        if words[0] == "struct":
            if struct and end != size:
                found.append("%s: bytes %d to %d belong to no field" % (struct, end, size))
            struct, size, end = words[1], int(words[2]), 0
        elif line.startswith("  "):
            if int(words[1]) != end:
                found.append("%s: bytes %d to %s belong to no field" % (struct, end, words[1]))
            end = int(words[1]) + int(words[2])
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--header", required=True)
    parser.add_argument("--golden", required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("compilers", nargs="+")
    options = parser.parse_args()
    with open(options.header, encoding="utf-8") as stream:
        program = program_for(stream.read())
    include = os.path.dirname(os.path.dirname(os.path.abspath(options.header)))
    failed = False
    for compiler in options.compilers:
        layout = layout_by(compiler, include, program)
        for hole in holes(layout):
            print("%s: %s" % (compiler, hole))
            failed = True
        if options.update:
            with open(options.golden, "w", encoding="utf-8") as stream:
                stream.write(layout)
            options.update = False
        with open(options.golden, encoding="utf-8") as stream:
            golden = stream.read()
        if layout != golden:
            failed = True
            sys.stdout.writelines(difflib.unified_diff(golden.splitlines(True), layout.splitlines(True),
                                                       options.golden, compiler))
    if failed:
        print("The layout is what programs that run now have written: docs/segment.md says what may change, and how.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
