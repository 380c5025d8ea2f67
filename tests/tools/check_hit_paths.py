#!/usr/bin/python3
# check_hit_paths.py - what a hit costs in the built library: the instructions, loads, stores and branches on the way through
# malloc, free and the operators when nothing is out of the ordinary, read from the machine code.
# Follows the disassembly from the function's first instruction: a conditional jump out of the ordinary (to a cold part, to a
# call of a slow path, or named by its bytes below) is not taken. It must never load the library.
"""usage: check_hit_paths.py LIBRARY GOLDEN    compares with GOLDEN: lines of 'function instructions loads stores branches'
       check_hit_paths.py --print LIBRARY     prints such lines, to renew GOLDEN after a decision
A figure above its golden one is a failure; one below asks to renew the file, and is one too."""

import re
import subprocess
import sys

BESIDE = "_ZN8liballoc21release_beside_sampleIXadL_ZNS_12release_slowEPvEEJEEEvS1_DpT0_"
# Name to show -> symbol, and the band of sizes: whether the first conditional jump (size over the first table) is taken.
PATHS = [
    ("malloc, to 1016 bytes", "malloc", False),
    ("malloc, to 32 KiB", "malloc", True),
    ("free", "free", False),
    ("free of a sampled object's neighbour, behind the miss", BESIDE, False),
    ("operator new, to 1016 bytes", "_Znwm", False),
    ("operator delete", "_ZdlPv", False),
    ("operator delete of a size, trusted", "_ZdlPvm", False),
]
# Where these begin in their cache line, see LIBALLOC_HIT_PATH().
PLACED = ("malloc", "free", "_Znwm", "_ZdlPv", "_ZdlPvm")
LINE_BYTES, PLACE = 64, 16
LINE = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*?)\s*(?:#.*)?$")
LIMIT = 200  # instructions; a path that is longer is not a hit path


class Failed(Exception):
    pass


def disassemble(library):
    """address -> (mnemonic, operands, next address), and symbol -> address."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", library], check=True, capture_output=True, text=True).stdout
    code, symbols, last = {}, {}, None
    for line in text.splitlines():
        head = re.match(r"^([0-9a-f]+) <([^>]+)>:$", line)
        if head:
            symbols.setdefault(head.group(2), int(head.group(1), 16))
            continue
        match = LINE.match(line)
        if not match:
            continue
        address = int(match.group(1), 16)
        if last is not None:
            code[last][2] = address
        code[address] = [match.group(2), match.group(3), None]
        last = address
    return code, symbols


def target_of(operands):
    match = re.match(r"^([0-9a-f]+)", operands)
    return int(match.group(1), 16) if match else None


def leaves(code, address, start, end):
    """Whether the code at that address is a way out: another function, or a jump or call to one before anything else."""
    if address is None or not start <= address < end:
        return True
    mnemonic, operands, _ = code[address]
    if mnemonic in ("jmp", "call"):
        to = target_of(operands)
        return to is None or not start <= to < end
    return False


def memory_use(mnemonic, operands):
    """(loads, stores) of one instruction in AT&T form."""
    if mnemonic.startswith(("lea", "nop", "j", "cs", "data16", "xchg")) or "(" not in operands:
        return 0, 0
    parts = re.split(r",(?![^(]*\))", operands)
    into_memory = "(" in parts[-1]
    if mnemonic.startswith(("cmp", "test")):
        return 1, 0
    if mnemonic.startswith("mov"):
        return (0, 1) if into_memory else (1, 0)
    return (1, 1) if into_memory else (1, 0)


def walk(code, symbols, symbol, take_first):
    if symbol not in symbols:
        raise Failed("the library has no symbol %s" % symbol)
    start = symbols[symbol]
    later = [a for a in symbols.values() if a > start]
    end = min(later) if later else start + 4096
    at, seen, loads, stores, branches, conditional = start, 0, 0, 0, 0, 0
    while seen < LIMIT:
        if at not in code:
            raise Failed("%s runs out of the code at %x" % (symbol, at))
        mnemonic, operands, following = code[at]
        seen += 1
        load, store = memory_use(mnemonic, operands)
        loads, stores = loads + load, stores + store
        if mnemonic.startswith("ret"):
            return seen, loads + 0, stores, branches
        if mnemonic.startswith("call") or (mnemonic == "jmp" and not start <= (target_of(operands) or 0) < end):
            raise Failed("%s leaves for %s" % (symbol, operands))
        if mnemonic == "jmp":
            branches += 1
            at = target_of(operands)
        elif mnemonic.startswith("j"):
            branches += 1
            conditional += 1
            to = target_of(operands)
            if conditional == 1 and take_first and not leaves(code, to, start, end):
                at = to
            else:
                at = following
        else:
            at = following
    raise Failed("%s has no end within %d instructions" % (symbol, LIMIT))


def measure(library):
    code, symbols = disassemble(library)
    for symbol in PLACED:
        if symbol in symbols and symbols[symbol] % LINE_BYTES != PLACE:
            raise Failed("%s begins %d bytes into a cache line, not %d" % (symbol, symbols[symbol] % LINE_BYTES, PLACE))
    return {name: walk(code, symbols, symbol, take_first) for name, symbol, take_first in PATHS}


def main(argv):
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if argv[1] == "--print":
            for name, figures in measure(argv[2]).items():
                print("%s: %d %d %d %d" % (name, *figures))
            return 0
        found = measure(argv[1])
    except Failed as error:
        print("check_hit_paths: %s" % error)
        return 1
    with open(argv[2], encoding="ascii") as stream:
        golden = dict((line.rsplit(":", 1)[0], tuple(int(n) for n in line.rsplit(":", 1)[1].split()))
                      for line in stream if line.strip() and not line.startswith("#"))
    bad = 0
    for name, figures in found.items():
        expected = golden.get(name)
        if figures != expected:
            bad += 1
            print("%s: %s instructions, loads, stores, branches; golden %s" % (name, figures, expected))
    bad += sum(1 for name in golden if name not in found)
    print("check_hit_paths: %d paths, %d differ" % (len(found), bad))
    return 1 if bad or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
