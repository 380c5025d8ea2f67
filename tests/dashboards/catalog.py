# catalog.py - the metrics of agent/metrics/catalog.h as the dashboard tests see them.
# The header is the list of record. Reading it must fail loudly when its form changes, never return less than it holds.
import collections
import re

# kind is "Counter", "Gauge" or "Info"; labels is a set.
Metric = collections.namedtuple("Metric", "name kind unit labels")

_ENTRY = re.compile(r'\{\s*"(?P<name>\w+)",\s*MetricKind::k(?P<kind>\w+),\s*"(?P<unit>\w*)",\s*"(?P<labels>[\w,]*)",')


def parse(text):
    """{name: Metric} of the text of catalog.h."""
    found = {}
    for m in _ENTRY.finditer(text):
        labels = {label for label in m.group("labels").split(",") if label}
        found[m.group("name")] = Metric(m.group("name"), m.group("kind"), m.group("unit"), labels)
    named = set(re.findall(r'\{\s*"(liballoc_\w+)"', text))
    if not found or named != set(found):
        raise ValueError("catalog.h: cannot read the entries of %s" % (", ".join(sorted(named - set(found))) or "it"))
    return found


def read(root):
    """{name: Metric} of the repository at `root`."""
    with open("%s/agent/metrics/catalog.h" % root, encoding="utf-8") as file:
        return parse(file.read())
