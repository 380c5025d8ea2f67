# report.py - from runs to tables: medians, ratios to the best peer with their spread, geometric means, Markdown.
# Pure functions of the results; prints and measures nothing.

import math
import statistics

METRICS = (("time", "time"), ("cpu", "CPU"), ("rss", "peak RSS"))
OURS = "liballoc"


def geomean(values):
    values = list(values)
    if not values:
        return math.nan
    return math.exp(sum(math.log(value) for value in values) / len(values))


class Results:
    """Runs by workload and allocator, one list entry per round, in the order of the rounds."""

    def __init__(self, allocators, peers):
        self.allocators, self.peers = list(allocators), list(peers)
        self.runs = {}
        self.failures = []

    def add(self, workload, allocator, run):
        self.runs.setdefault(workload, {}).setdefault(allocator, []).append(run)

    def add_failure(self, workload, allocator, why):
        self.failures.append((workload, allocator, why))

    def values(self, workload, allocator, metric):
        return [getattr(run, metric) for run in self.runs.get(workload, {}).get(allocator, [])]

    def median(self, workload, allocator, metric):
        values = self.values(workload, allocator, metric)
        return statistics.median(values) if values else math.nan

    def best_peer(self, workload, metric):
        """(name, median) of the peer with the lowest median, or None."""
        found = [(self.median(workload, peer, metric), peer) for peer in self.peers
                 if self.values(workload, peer, metric)]
        return (min(found)[1], min(found)[0]) if found else None

    def ratio(self, workload, metric, ours=OURS, other=None):
        """(median, min, max, peer) of the ratios of runs of the same round, to `other` or the best peer; or None."""
        if other is None:
            best = self.best_peer(workload, metric)
            if best is None:
                return None
            other = best[0]
        pairs = list(zip(self.values(workload, ours, metric), self.values(workload, other, metric)))
        ratios = [a / b for a, b in pairs if b > 0]
        if not ratios:
            return None
        return statistics.median(ratios), min(ratios), max(ratios), other

    def between(self, workload, base, metric):
        """{allocator: median over the rounds of its runs of one workload to those of another}, of who has run both."""
        pairs = {name: list(zip(self.values(workload, name, metric), self.values(base, name, metric)))
                 for name in self.allocators}
        return {name: statistics.median(a / b for a, b in found) for name, found in pairs.items() if found}

    def relative(self, workload, allocator, metric):
        """Median over the rounds of a run to the mean of all allocators' runs of the same round; NaN where no round has all of
        them, or one of them cost nothing that could be measured."""
        rounds = zip(*(self.values(workload, name, metric) for name in self.allocators))
        ours = self.allocators.index(allocator)
        ratios = [values[ours] / geomean(values) for values in rounds if min(values) > 0]
        return statistics.median(ratios) if ratios else math.nan

    def geomeans(self, workloads, metric):
        """{allocator: geometric mean over what all have run, relative to the best peer of the set}."""
        shared = self.shared(workloads)
        raw = {name: geomean(self.relative(w, name, metric) for w in shared) for name in self.allocators}
        base = min([raw[peer] for peer in self.peers if not math.isnan(raw[peer])], default=math.nan)
        return {name: value / base for name, value in raw.items()}

    def shared(self, workloads):
        """The workloads that every allocator has run and that cost each of them something."""
        return [w for w in workloads
                if not any(math.isnan(self.relative(w, name, m)) for name in self.allocators for m, _ in METRICS)]


def table(header, rows):
    """A Markdown table that is also readable as it is: the first column left, the others right aligned."""
    cells = [header] + rows
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]

    def line(row):
        return "| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([line(header), rule] + [line(row) for row in rows])


def number(value):
    if math.isnan(value):
        return "-"
    return "%.3f" % value if value < 10 else "%.1f" % value if value < 100 else "%.0f" % value


def ratio_rows(results, workloads):
    rows = []
    for workload in workloads:
        row = [workload]
        for metric, _ in METRICS:
            found = results.ratio(workload, metric)
            row.append("-" if found is None else "%.2f (%.2f-%.2f) %s" % found)
        rows.append(row)
    return rows


def geomean_rows(results, workloads):
    by_metric = [results.geomeans(workloads, metric) for metric, _ in METRICS]
    return [[name] + ["-" if math.isnan(means[name]) else "%.3f" % means[name] for means in by_metric]
            for name in results.allocators]


def median_rows(results, workloads, metric):
    rows = []
    for workload in workloads:
        best = results.best_peer(workload, metric)
        row = [workload]
        for name in results.allocators:
            text = number(results.median(workload, name, metric))
            row.append("**%s**" % text if best and best[0] == name else text)
        rows.append(row)
    return rows


def micro_rows(results, workload="micro"):
    """Rows of what each pattern of a workload gave, the minimum over rounds; and {allocator: geometric mean}."""
    best = {}
    for name, runs in results.runs.get(workload, {}).items():
        for run in runs:
            for key, value in run.nanoseconds.items():
                best.setdefault(key, {})[name] = min(value, best.get(key, {}).get(name, math.inf))
    rows, ratios = [], []
    for (pattern, size), values in best.items():
        peers = [(values[p], p) for p in results.peers if p in values]
        row = ["%s %d" % (pattern, size)]
        for name in results.allocators:
            text = "-" if name not in values else number(values[name]) if values[name] >= 10 else "%.1f" % values[name]
            row.append("**%s**" % text if peers and min(peers)[1] == name else text)
        ours = values.get(OURS)
        if ours is not None and peers:
            row.append("%.2f" % (ours / min(peers)[0]))
            ratios.append(ours / min(peers)[0])
        else:
            row.append("-")
        rows.append(row)
    means = {name: geomean(values[name] for values in best.values() if name in values) for name in results.allocators}
    return rows, means, geomean(ratios)


def verdicts(results, workloads):
    """The targets, as lines: what was aimed at and what was measured."""
    lines = []
    if OURS not in results.allocators or not results.peers:
        return lines
    shared = results.shared(workloads)
    if shared:
        means = results.geomeans(workloads, "time")
        lines.append(_verdict("time, geometric mean over %d workloads, to the best single peer" % len(shared),
                              means[OURS], 0.90))
        if "jemalloc" in results.peers:
            rss = geomean(results.median(w, OURS, "rss") / results.median(w, "jemalloc", "rss") for w in shared)
            lines.append(_verdict("peak RSS, geometric mean, to jemalloc", rss, 1.00))
        worst = max(((results.ratio(w, "time") or (0,))[0], w) for w in shared)
        lines.append(_verdict("worst workload (%s): time to its best peer" % worst[1], worst[0], 1.10))
    threads = results.between("churn-8-of-2", "churn-2", "time")
    if OURS in threads:
        lines.append(_verdict("8 threads on 2 processors to 2 threads, time (peers %s)" % _range(
            [threads[peer] for peer in results.peers if peer in threads]), threads[OURS], 1.00))
    startup = {name: results.median("startup", name, "time") for name in (OURS, "glibc")}
    if not any(math.isnan(value) for value in startup.values()) and results.runs["startup"][OURS][0].starts:
        extra = (startup[OURS] - startup["glibc"]) / results.runs["startup"][OURS][0].starts * 1000
        lines.append(_verdict("start-up of /bin/true, ms over none", extra, 0.50))
    return lines


def _range(values):
    return "%.2f to %.2f" % (min(values), max(values)) if values else "not measured"


def _verdict(what, value, limit):
    return "%-70s %6.2f  aim <= %.2f  %s" % (what, value, limit, "met" if value <= limit else "MISSED")


def instruction_table(counts, names, peers):
    """counts: {workload: {allocator: instructions}}. Millions, with liballoc's ratio to the best peer; worst first."""
    rows = []
    for workload, by_name in counts.items():
        best = min([by_name[peer] for peer in peers if peer in by_name], default=math.nan)
        ratio = by_name.get(OURS, math.nan) / best
        row = [workload] + ["%.1f" % (by_name[name] / 1e6) if name in by_name else "-" for name in names]
        rows.append((-math.inf if math.isnan(ratio) else ratio, row + ["-" if math.isnan(ratio) else "%.2f" % ratio]))
    rows.sort(key=lambda item: -item[0])
    return table(["instructions, millions"] + list(names) + ["to best"], [row for _, row in rows])


def loss_order(results, workloads):
    """Workloads by the ratio of processor time to the best peer, worst first."""
    found = [(results.ratio(w, "cpu"), w) for w in workloads]
    return [w for ratio, w in sorted(((r, w) for r, w in found if r), key=lambda item: -item[0][0])]
