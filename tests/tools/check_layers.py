#!/usr/bin/python3
# check_layers.py - enforces the layer table of docs/architecture.md on the includes of liballoc/ and agent/.
# Reads source text only: it must never compile, and never need more than the standard library.
"""usage: check_layers.py ROOT     prints one line per violation; exit code 1 when there are any"""

import os
import re
import sys

# layer -> layers that its files may include beside their own. Siblings are absent from each other's row.
LIBALLOC = {
    "base": set(),
    "os": {"base"},
    "meta": {"os", "base"},
    "heap": {"meta", "os", "base"},
    "profile": {"meta", "os", "base"},
    "telemetry": {"meta", "os", "base"},
    "core": {"heap", "profile", "telemetry", "meta", "os", "base"},
    "api": {"core", "heap", "profile", "telemetry", "meta", "os", "base"},
}
_LOW = {"model", "base"}
_READERS = {"reader", "discover"} | _LOW
_TOOLS = {"pprof", "symbolize"} | _READERS
_SERVERS = {"service", "http", "metrics", "messages"} | _TOOLS
AGENT = {
    "base": set(),
    "model": {"base"},
    "messages": set(_LOW),
    "reader": set(_LOW),
    "discover": {"reader"} | _LOW,
    "pprof": set(_READERS),
    "symbolize": set(_READERS),
    "metrics": set(_TOOLS),
    "service": {"messages"} | _TOOLS,
    "http": {"metrics", "messages"} | _TOOLS,
    "daemon": set(_SERVERS),
    "cli": set(_SERVERS),
}
PROTO_USERS = {"messages", "service", "http", "cli"}
STD_IN_LIBALLOC = {
    "atomic", "array", "bit", "concepts", "cstddef", "cstdint", "cstring", "limits", "new", "optional", "span",
    "type_traits", "utility",
}
# C headers that would bring back what the library must not have.
FORBIDDEN_C_IN_LIBALLOC = {"libunwind.h", "execinfo.h", "stdio.h", "math.h", "setjmp.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
SOURCE_SUFFIXES = (".h", ".hpp", ".cc", ".cpp", ".c", ".inc", ".S")


def includes_of(text):
    """Yields (line number, header, is_quoted) of each include that is not inside a comment."""
    in_comment = False
    for number, line in enumerate(text.splitlines(), 1):
        if in_comment:
            if "*/" not in line:
                continue
            line = line.split("*/", 1)[1]
            in_comment = False
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) or match.group(2), match.group(1) is not None
        opened = line.rfind("/*")
        if opened >= 0 and "*/" not in line[opened:] and "//" not in line[:opened]:
            in_comment = True


def is_public(header):
    """liballoc/alloc.h: a public header lies directly in liballoc/include/liballoc/."""
    return header.startswith("liballoc/") and header.count("/") == 1


def is_proto(header):
    return header.endswith(".pb.h")


def check_quoted(side, layer, header):
    """The reason why a file of side/layer may not include "header", or None."""
    table = LIBALLOC if side == "liballoc" else AGENT
    if ".." in header.split("/"):
        return "includes are written from the repository root, without '..'"
    if is_proto(header):
        if side == "agent" and layer in PROTO_USERS:
            return None
        return "generated proto headers are only for agent/{%s}" % ",".join(sorted(PROTO_USERS))
    if is_public(header):
        if side == "agent" and header != "liballoc/telemetry_abi.h":
            return "the agent shares nothing with the library but liballoc/telemetry_abi.h"
        return None
    parts = header.split("/")
    if len(parts) < 3 or parts[0] not in ("liballoc", "agent"):
        return "includes are written from the repository root, e.g. \"%s/%s/x.h\"" % (side, layer)
    if parts[0] != side:
        return "%s never includes %s" % (side, parts[0])
    if parts[1] == "include":
        return 'a public header is included as "liballoc/%s"' % parts[-1]
    if layer == "include":
        return "public headers include no layer"
    if parts[1] not in table:
        return "'%s' is not a layer of %s (%s)" % (parts[1], side, ", ".join(sorted(table)))
    if parts[1] != layer and parts[1] not in table[layer]:
        return "%s/%s may only include %s" % (side, layer, ", ".join(sorted(table[layer])) or "its own layer")
    return None


def check_angled(side, layer, header):
    """The reason why a file of side/layer may not include <header>, or None."""
    if side == "liballoc":
        if header in FORBIDDEN_C_IN_LIBALLOC:
            return "<%s> is not for the allocator" % header
        if header.endswith(".h") and not header.startswith(("grpc", "google/", "boost/")):
            return None
        if header not in STD_IN_LIBALLOC:
            return "<%s> is not among the standard headers that liballoc may use (%s)" % (
                header, ", ".join(sorted(STD_IN_LIBALLOC)))
        return None
    if header.startswith(("liballoc/", "agent/")):
        return "our own headers are included with quotes"
    if header.startswith(("grpc/", "grpcpp/", "grpc++/", "google/protobuf/")) and layer not in PROTO_USERS:
        return "gRPC and Protobuf are only for agent/{%s}" % ",".join(sorted(PROTO_USERS))
    return None


def check_file(path, text):
    """Violations of one file, path relative to the root, as (path, line, header, reason)."""
    parts = path.split("/")
    side = parts[0]
    table = LIBALLOC if side == "liballoc" else AGENT
    layer = parts[1] if len(parts) > 2 else ""
    if layer != "include" and layer not in table:
        return [(path, 1, "", "lies in no layer of %s (%s)" % (side, ", ".join(sorted(table))))]
    found = []
    for number, header, quoted in includes_of(text):
        reason = (check_quoted if quoted else check_angled)(side, layer, header)
        if reason:
            found.append((path, number, header, reason))
    return found


def find_cycles(graph):
    """Include cycles between files: lists of paths. #pragma once would hide them from the compiler."""
    cycles, state, stack = [], {}, []

    def visit(node):
        state[node] = 1
        stack.append(node)
        for target in graph.get(node, ()):
            if state.get(target) == 1:
                cycles.append(stack[stack.index(target):] + [target])
            elif target in graph and target not in state:
                visit(target)
        stack.pop()
        state[node] = 2

    for node in sorted(graph):
        if node not in state:
            visit(node)
    return cycles


def check_tree(root):
    """(violations, number of files read) of a repository root."""
    found, graph = [], {}
    for side in ("liballoc", "agent"):
        for directory, subdirs, files in os.walk(os.path.join(root, side)):
            subdirs[:] = sorted(d for d in subdirs if d != "node_modules")
            for name in sorted(files):
                if not name.endswith(SOURCE_SUFFIXES):
                    continue
                full = os.path.join(directory, name)
                path = os.path.relpath(full, root)
                if path.startswith("agent/web/"):
                    continue
                with open(full, encoding="utf-8") as stream:
                    text = stream.read()
                found += check_file(path, text)
                graph[path] = [
                    "liballoc/include/" + h if is_public(h) else h
                    for _, h, quoted in includes_of(text) if quoted
                ]
    for cycle in find_cycles(graph):
        found.append((cycle[0], 1, cycle[1], "include cycle: " + " -> ".join(cycle)))
    return found, len(graph)


def main(argv):
    if len(argv) != 2 or not os.path.isdir(os.path.join(argv[1], "liballoc")):
        print(__doc__, file=sys.stderr)
        return 2
    found, files = check_tree(argv[1])
    for path, line, header, reason in found:
        print("%s:%d: %s: %s" % (path, line, header, reason))
    print("check_layers: %d files, %d violations" % (files, len(found)))
    return 1 if found or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
