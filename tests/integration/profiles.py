# profiles.py - heap profiles for the integration tests: decoded by `go tool pprof`, which is not ours, and how far an estimate
# may lie from the truth. Must never take a figure from the allocator to judge the allocator by.
#
# The interval. Each object of allocated size s is sampled independently with probability p = 1 - exp(-s / period), and a
# sampled object stands for 1 / p objects. Of n objects of one size, K ~ Binomial(n, p) are sampled and the estimate is
# K / p objects, with mean n and standard deviation sqrt(n (1 - p) / p). docs/usage.md states that. The test takes the exact
# quantiles of K at TAIL on each side, which hold also where K is small and the normal approximation does not.

import math
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


class ProfileReader:
    """Beside harness.IntegrationTest, a base of tests that look into profiles."""

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

    def profile(self, agent, pid):
        return self.by_function("http://%s/processes/%d/debug/pprof/heap" % (agent.http, pid))
