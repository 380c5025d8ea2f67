# objects.py - dictionaries, lists, strings and JSON that come and go; run with PYTHONMALLOC=malloc by scripts/bench.
# Prints one line that does not depend on the allocator or on hash seeds.

import json
import sys


class Node:
    __slots__ = ("key", "text", "links")

    def __init__(self, key):
        self.key = key
        self.text = "node %d " % key + "x" * (key % 50)
        self.links = []


def main(rounds):
    total = 0
    for round_number in range(rounds):
        nodes = [Node(i) for i in range(20000)]
        for i, node in enumerate(nodes):
            node.links = [nodes[(i * 7 + j) % len(nodes)].key for j in range(i % 6)]
        index = {node.text: node for node in nodes}
        total += sum(len(index[node.text].links) for node in nodes)
        text = json.dumps([{"k": n.key, "t": n.text, "l": n.links} for n in nodes[::4]])
        total += len(json.loads(text)) + len(text)
        words = text.split()
        counts = {}
        for word in words:
            counts[word] = counts.get(word, 0) + 1
        total += sum(sorted(counts.values())[-10:]) * (round_number + 1)
    print(total)


main(int(sys.argv[1]))
