#!/usr/bin/python3
# profile_test.py - the heap profile of a program with known bytes per function lies within its confidence interval.
# The agent starts after the program; the profile is decoded by `go tool pprof`, which is not ours.
# profiles.py says how wide it is.

import argparse
import math
import os

import harness
import profiles


class ProfileTest(profiles.ProfileReader, harness.IntegrationTest):
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

    def check(self, held, period, found):
        print("%-16s %12s %14s %14s %14s %7s" % ("function", "objects", "bytes", "estimate", "", "error"))
        wrong = []
        for function, objects, each, usable, freed in held:
            values = found.get(function, [0, 0, 0, 0])
            p = -math.expm1(-usable / period)
            low, high = profiles.binomial_interval(objects, p, profiles.TAIL)
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
