# writer.py - the tables of a run as text, and docs/performance.md around them with the machine they were made on.
# The words it adds hold for every run: what a run found is in the tables alone.

import os
import platform
import subprocess
import textwrap

import report


# Workloads that print figures of their own, one per pattern.
PATTERNS = {
    "micro": "ns per malloc+free pair",
    "latency": "Latency in ns that 50, 99, 99.9 and 99.99 % of the calls stay below, by the hundredth of a percent",
    "giveback": "Resident memory in percent of what is in use (64 MiB), seconds after a burst of 256 MiB was freed",
}


def tables(results, names, set_names, facts, chosen):
    """Everything that was measured, as Markdown."""
    parts = []
    lines = report.verdicts(results, set_names)
    if lines:
        parts.append("Targets:\n\n```\n%s\n```" % "\n".join(lines))
    if report.OURS in results.allocators and results.peers:
        order = [w for w in report.loss_order(results, names) if w in set_names]
        rows = report.ratio_rows(results, order + [n for n in names if n not in order and n not in PATTERNS])
        parts.append("liballoc to the best peer of each workload, median of the rounds (min-max), most processor time lost "
                     "first:\n\n" + report.table(["workload"] + [label for _, label in report.METRICS], rows))
    shared = results.shared(set_names)
    if len(shared) > 1 and results.peers:
        parts.append("Geometric means over the %d workloads that all have run, relative to the best peer:\n\n%s" % (
            len(shared), report.table(["allocator"] + [label for _, label in report.METRICS],
                                      report.geomean_rows(results, set_names))))
    plain = [name for name in names if name not in PATTERNS]
    for metric, label in (("time", "Time, s"), ("cpu", "Processor time, user + system, s"), ("rss", "Peak RSS, MiB")):
        if plain:
            parts.append("%s (median; best peer in bold):\n\n%s" % (
                label, report.table(["workload"] + results.allocators, report.median_rows(results, plain, metric))))
    for workload, heading in PATTERNS.items():
        if workload not in results.runs:
            continue
        rows, means, ours = report.micro_rows(results, workload)
        if workload == "micro":
            rows.append(["geometric mean"] + ["%.1f" % means[name] for name in results.allocators] + ["%.2f" % ours])
        parts.append("%s, best of all rounds:\n\n%s" % (heading, report.table(
            ["pattern"] + results.allocators + ["to best"], rows)))
    if results.failures:
        parts.append("Failed:\n\n" + "\n".join("- %s under %s: %s" % entry for entry in results.failures))
    note = "%d rounds, interleaved, %.0f s" % (facts["rounds"], facts["seconds"])
    if facts["agent"]:
        note += "; alloc-agent, watching all of liballoc's runs, used %.2f s of processor time" % facts["agent_cpu"]
    elif any(a.ours for a in chosen):
        note += "; without alloc-agent"
    note += "; load average %.1f before, %.1f after" % facts["load"]
    if facts["percent"]:
        note += "; work cut to %d %%" % facts["percent"]
    elif facts["quick"]:
        note += "; --quick"
    parts.append(note + ".")
    return "\n\n".join(parts) + "\n"


def _first(path, key):
    try:
        with open(path, encoding="utf-8") as stream:
            for line in stream:
                if line.startswith(key):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return "unknown"


def _says(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        return done.stdout.strip() or "unknown"
    except OSError:
        return "unknown"


def machine():
    """Lines that name the machine and its software."""
    thp = "/sys/kernel/mm/transparent_hugepage/enabled"
    policy = "unknown"
    if os.path.exists(thp):
        with open(thp, encoding="utf-8") as stream:
            policy = stream.read().split("[")[-1].split("]")[0]
    return [
        "processor: %s (family %s, model %s), %d online" % (
            _first("/proc/cpuinfo", "model name"), _first("/proc/cpuinfo", "cpu family"),
            _first("/proc/cpuinfo", "model\t"), os.cpu_count()),
        "memory: %.1f GiB, transparent huge pages: %s" % (
            int(_first("/proc/meminfo", "MemTotal").split()[0]) / 1048576.0, policy),
        "kernel: %s %s, libc: %s" % (platform.system(), platform.release(), " ".join(platform.libc_ver())),
        "compiler: %s" % _says("g++", "--version").split("\n", 1)[0],
    ]


def document(text, works, facts, chosen):
    """docs/performance.md."""
    lines = ["# Performance", "",
             "Written by `scripts/bench --write`; the measurements below are of one machine:", ""]
    lines += ["- " + line for line in machine()]
    peers = ["%s (%s %s)" % (a.name, a.package, _says("dpkg-query", "-W", "-f=${Version}", a.package))
             for a in chosen if a.package]
    lines += ["- peers, as Debian packages them: " + ", ".join(peers), ""]
    paragraphs = (
        "liballoc runs with telemetry and sampling on%s; liballoc-off is the same library with `LIBALLOC_TELEMETRY=0`." % (
            ", watched by alloc-agent" if facts["agent"] else ""),
        "Every allocator is preloaded into the same unmodified programs and does the same fixed work; runs are interleaved, so "
        "that what disturbs one round disturbs all allocators alike. Time is wall time, processor time is user + system of "
        "the program and its children, peak RSS is the kernel's. Redis is driven by redis-benchmark on glibc: its time is the "
        "client's, its processor time and RSS the server's. Ratios are formed within a round; below 5 % in a geometric mean "
        "and 15 % in one workload they are noise on a virtual machine.")
    for paragraph in paragraphs:
        lines += textwrap.wrap(paragraph, 118) + [""]
    lines += [
              "## Results", "", text.rstrip(), "", "## Workloads", "",
              "The programs are in `tests/bench/`; `scripts/bench --list` names them.", ""]
    lines += ["- `%s`: %s" % (w.name, w.about) for w in works]
    return "\n".join(lines) + "\n"


BEGIN = "<!-- measured: scripts/bench --write replaces everything up to the end mark -->"
END = "<!-- end of what was measured -->"


def write_document(path, measured):
    """Writes the measured part; what a person has written before or after its marks stays."""
    before, after = "", ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        if BEGIN in text and END in text:
            before, after = text.split(BEGIN, 1)[0], text.split(END, 1)[1]
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(before + BEGIN + "\n\n" + measured.strip() + "\n\n" + END + (after or "\n"))
