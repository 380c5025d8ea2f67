#!/usr/bin/python3
# profile_test.py - the heap profile of a program with known bytes per function lies within its confidence interval.
# The agent starts after the program; the profile is decoded by `go tool pprof`, which is not ours.
#
# The interval. Each object of allocated size s is sampled independently with probability p = 1 - exp(-s / period), and a
# sampled object stands for 1 / p objects. Of n objects of one size, K ~ Binomial(n, p) are sampled and the estimate is
# K / p objects, with mean n and standard deviation sqrt(n (1 - p) / p). docs/usage.md states that. The test takes the exact
# quantiles of K at kTail on each side, which hold also where K is small and the normal approximation does not.

import argparse
import math
import os
import re
import subprocess

import harness

TAIL = 1e-6  # about 40 comparisons: a false alarm in 10,000 runs


def binomial_interval(n, p, tail):
    """(low, high) with P(K < low) <= tail and P(K > high) <= tail for K ~ Binomial(n, p)."""
    mean, deviation = n * p, math.sqrt(n * p * (1 - p))
    first = max(0, int(mean - 12 * deviation - 30))
    last = min(n, int(mean + 12 * deviation + 30))

    def pmf(k):
        if p >= 1:
            return float(k == n)
        return math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) +
                        (n - k) * math.log1p(-p))

    low, total = first, pmf(first)
    while total <= tail:
        low += 1
        total += pmf(low)
    high, total = last, pmf(last)
    while total <= tail:
        high -= 1
        total += pmf(high)
    return low, high


class ProfileTest(harness.IntegrationTest):
    def hold(self, **env):
        """The program at rest, and what it holds: [(function, objects, bytes each, usable bytes each, freed)]."""
        talk = self.converse([self.options.known_heap], **env)
        held = []
        for line in talk.read_until("rest ")[:-1]:
            words = line.split()
            self.assertEqual(words[0], "held")
            held.append((words[1], *map(int, words[2:])))
        self.assertEqual(len(held), 7)
        return talk, held

    def pprof(self, *arguments):
        env = harness.clean_env(HOME=self.dir, PPROF_TMPDIR=self.dir)
        done = subprocess.run(["/usr/bin/go", "tool", "pprof", *arguments], env=env, cwd=self.dir, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=harness.DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def by_function(self, source):
        """(period, {function: [alloc objects, alloc bytes, in-use objects, in-use bytes]}), each stack counted once."""
        text = self.pprof("-raw", source)
        period = int(re.search(r"^Period: (\d+)$", text, re.M).group(1))
        samples, rest = text.split("Samples:\n", 1)[1].split("Locations\n", 1)
        header, samples = samples.split("\n", 1)
        self.assertEqual([re.sub(r"\[.*", "", word) for word in header.split()],
                         ["alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes"])
        names, current = {}, None
        for line in rest.split("Mappings\n", 1)[0].splitlines():
            match = re.match(r"\s*(\d+): 0x[0-9a-f]+ (?:M=\d+ )?(.*)$", line)
            if match:
                current = int(match.group(1))
                names[current] = set()
                line = match.group(2)
            names[current].add(line.split()[0] if line.split() else "?")
        found = {}
        for line in samples.splitlines():
            match = re.match(r"\s*(-?\d+)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+): ([\d ]*)$", line)
            if not match:
                continue
            values = [int(match.group(i)) for i in range(1, 5)]
            for name in set().union(*(names[int(i)] for i in match.group(5).split()), set()):
                sums = found.setdefault(name, [0, 0, 0, 0])
                for i, value in enumerate(values):
                    sums[i] += value
        return period, found

    def check(self, held, period, found):
        print("%-16s %12s %14s %14s %14s %7s" % ("function", "objects", "bytes", "estimate", "", "error"))
        wrong = []
        for function, objects, each, usable, freed in held:
            values = found.get(function, [0, 0, 0, 0])
            p = -math.expm1(-usable / period)
            low, high = binomial_interval(objects, p, TAIL)
            for what, value, unit in (("allocated", values[1], each), ("allocated objects", values[0], 1)):
                # One unit of rounding for each value that the profile rounds to an integer.
                if not low / p * unit - len(held) <= value <= high / p * unit + len(held):
                    wrong.append("%s, %s: %d is not within [%.0f, %.0f]; the truth is %d" %
                                 (function, what, value, low / p * unit, high / p * unit, objects * unit))
            if freed:
                if values[2] != 0 or values[3] != 0:
                    wrong.append("%s: everything was freed, the profile shows %d bytes in use" % (function, values[3]))
            elif values[2:] != values[:2]:
                wrong.append("%s: nothing was freed, but in use %s, allocated %s" % (function, values[2:], values[:2]))
            print("%-16s %12d %14d %14d %14s %6.1f%%" % (function, objects, objects * each, values[1],
                                                        "(freed)" if freed else "", 100 * (values[1] / (objects * each) - 1)))
        self.assertEqual(wrong, [])

    def profile(self, agent, pid):
        return self.by_function("http://%s/processes/%d/debug/pprof/heap" % (agent.http, pid))

    def test_default_rate_estimates_lie_in_the_interval(self):
        talk, held = self.hold()
        agent = self.start_agent()  # after the program has allocated everything
        agent.wait_for(talk.pid)
        period, found = self.profile(agent, talk.pid)
        self.assertEqual(period, 524288)
        self.check(held, period, found)

    def test_rate_of_64_kib_estimates_lie_in_the_interval(self):
        talk, held = self.hold(LIBALLOC_SAMPLE_RATE=65536)
        agent = self.start_agent()
        agent.wait_for(talk.pid)
        period, found = self.profile(agent, talk.pid)
        self.assertEqual(period, 65536)
        self.check(held, period, found)

    def test_allocctl_saves_the_same_profile(self):
        talk, _ = self.hold()
        agent = self.start_agent()
        agent.wait_for(talk.pid)
        path = os.path.join(self.dir, "heap.pb.gz")
        agent.allocctl("profile", str(talk.pid), "-o", path)
        with open(path, "rb") as stream:
            self.assertEqual(stream.read(2), b"\x1f\x8b", "profiles are always gzip")
        self.assertEqual(self.by_function(path), self.profile(agent, talk.pid))

    def test_allocs_profile_shows_allocated_space_first(self):
        talk, _ = self.hold()
        agent = self.start_agent()
        agent.wait_for(talk.pid)
        for kind, shown in (("heap", "inuse_space"), ("allocs", "alloc_space")):
            text = self.pprof("-top", "-unit=B", "http://%s/processes/%d/debug/pprof/%s" % (agent.http, talk.pid, kind))
            self.assertIn("Type: " + shown, text)
            self.assertEqual("churn" in text, kind == "allocs", text)

    def test_no_sampling_means_no_samples_and_exact_counts_all_the_same(self):
        talk, held = self.hold(LIBALLOC_SAMPLE_RATE=0)
        agent = self.start_agent()
        agent.wait_for(talk.pid)
        memstats = agent.allocctl_json("stats", str(talk.pid))["memstats"]
        self.assertEqual(int(memstats.get("samplesTaken", 0)), 0)
        self.assertGreaterEqual(int(memstats["mallocs"]), sum(row[1] for row in held))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--known-heap", required=True, help="the program of known_heap.cc")
    harness.main(arguments)
