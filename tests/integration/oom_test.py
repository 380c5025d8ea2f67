#!/usr/bin/python3
# oom_test.py - what is left of a process that the kernel's OOM killer ended in its control group, and how much of it is true.
# The truth is what grower.cc said of itself before it died. Must never limit or fill anything but a group of its own.
#
# The segments lie in a tmpfs, as they do in /dev/shm: there they count against the very limit that kills the process.

import argparse
import json
import math
import re
import subprocess

import cgroups
import harness
import profiles

LIMIT_BYTES = 64 << 20
PERIOD = 65536
SMALL_PER_ROUND = 1024  # grower.cc
OTHER_BYTES = 512 << 10  # what a C++ program's runtime may hold beside


class OomTest(profiles.ProfileReader, harness.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.mount_tmpfs("256m")
        self.group = cgroups.MemoryCgroup(self, LIMIT_BYTES)

    def grow_to_death(self, while_it_lives=lambda pid: None, period=PERIOD):
        """Lets grower.cc grow until the kernel kills it: pid, usable bytes of a small and a large object, whole rounds."""
        grower = subprocess.Popen([self.options.grower, str(4 * LIMIT_BYTES)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, preexec_fn=self.group.enter,
                                  env=harness.preload_env(self.options.library, self.shm, LIBALLOC_SAMPLE_RATE=period))
        self.addCleanup(grower.stdout.close)
        self.addCleanup(grower.stdin.close)
        self.addCleanup(grower.wait)
        self.addCleanup(grower.kill)
        usable = grower.stdout.readline().decode().split()
        while_it_lives(grower.pid)
        grower.stdin.close()
        rounds = re.findall(r"^round (\d+)$", grower.stdout.read().decode(), re.M)
        self.assertEqual(grower.wait(timeout=harness.DEADLINE_S), -9)
        self.assertEqual(self.group.oom_kills(), 1, "it was killed, but not for want of memory")
        self.assertGreater(len(rounds), 10)
        return grower.pid, int(usable[1]), int(usable[2]), int(rounds[-1])

    def test_its_last_figures_hold_all_that_it_held(self):
        agent = self.start_agent()
        pid, small, large, rounds = self.grow_to_death(agent.wait_for)
        self.assertIn("exitTime", agent.wait_for(pid, "PROCESS_STATE_KILLED"))
        memstats = agent.allocctl_json("stats", str(pid))["memstats"]
        each_round = SMALL_PER_ROUND * small + large
        print("%d rounds of %d bytes were said; memstats say %s bytes live, %s mallocs" %
              (rounds, each_round, memstats["heapAlloc"], memstats["mallocs"]))
        self.assertGreaterEqual(int(memstats["heapAlloc"]), rounds * each_round)
        self.assertLessEqual(int(memstats["heapAlloc"]), (rounds + 1) * each_round + OTHER_BYTES)
        self.assertGreaterEqual(int(memstats["mallocs"]), rounds * (SMALL_PER_ROUND + 1))

    def check_profile(self, agent, pid, small, large, rounds):
        period, found = self.profile(agent, pid)
        self.assertEqual(period, PERIOD)
        for function, objects, usable in (("hold_small", SMALL_PER_ROUND, small), ("hold_large", 1, large)):
            p = -math.expm1(-usable / period)
            low, _ = profiles.binomial_interval(objects * rounds, p, profiles.TAIL)
            _, high = profiles.binomial_interval(objects * (rounds + 1), p, profiles.TAIL)
            in_use = found[function][2]
            print("%s: %d to %d objects were held, the profile says %d, [%.0f, %.0f] is allowed" %
                  (function, objects * rounds, objects * (rounds + 1), in_use, low / p, high / p))
            self.assertGreaterEqual(in_use, low / p - 1)
            self.assertLessEqual(in_use, high / p + 1)

    def test_its_last_profile_accounts_for_what_it_held(self):
        agent = self.start_agent()
        pid, small, large, rounds = self.grow_to_death(agent.wait_for)
        agent.wait_for(pid, "PROCESS_STATE_KILLED")
        self.check_profile(agent, pid, small, large, rounds)

    def spans(self, agent, pid):
        """Those that hold objects. allocctl prints a message per page."""
        pages = map(json.loads, agent.allocctl("--json", "spans", str(pid)).splitlines())
        return [span for page in pages for span in page["spans"] if span.get("occupancy", 0) > 0]

    def test_its_last_spans_have_room_for_all_that_it_held(self):
        agent = self.start_agent()
        pid, small, large, rounds = self.grow_to_death(agent.wait_for)
        agent.wait_for(pid, "PROCESS_STATE_KILLED")
        spans = self.spans(agent, pid)
        slots = sum(s["objects"] for s in spans if s.get("objectBytes") == small)
        self.assertGreaterEqual(slots, rounds * SMALL_PER_ROUND)
        self.assertLessEqual(slots * small, LIMIT_BYTES)
        self.assertGreaterEqual(sum(int(s["bytes"]) >= large for s in spans if not s.get("objectBytes")), rounds)

    def test_an_agent_started_afterwards_shows_the_same(self):
        pid, small, large, rounds = self.grow_to_death()
        agent = self.start_agent()
        agent.wait_for(pid, "PROCESS_STATE_KILLED")
        memstats = agent.allocctl_json("stats", str(pid))["memstats"]
        self.assertGreaterEqual(int(memstats["heapAlloc"]), rounds * (SMALL_PER_ROUND * small + large))
        self.check_profile(agent, pid, small, large, rounds)
        self.assertGreater(len(self.spans(agent, pid)), rounds)

    def test_a_segment_that_grows_with_every_malloc_is_whole_too(self):
        # Each object takes a record: the segment is a tenth of the limit, and it may be its growth that meets the limit.
        pid, small, large, rounds = self.grow_to_death(period=1)
        print("charged after the end: %d bytes, %d of them shared memory" % (self.group.used_bytes(), self.group.shmem_bytes()))
        agent = self.start_agent()
        agent.wait_for(pid, "PROCESS_STATE_KILLED")
        _, found = self.profile(agent, pid)
        for function, each_round in (("hold_small", SMALL_PER_ROUND), ("hold_large", 1)):
            self.assertGreaterEqual(found[function][2], rounds * each_round)
            self.assertLessEqual(found[function][2], (rounds + 1) * each_round)

    def test_its_segment_is_charged_to_the_group_until_it_is_removed(self):
        self.grow_to_death()
        self.assertGreater(self.group.shmem_bytes(), 90 << 10)
        self.start_agent("--retain-exited", "0s")
        harness.poll("the segment's removal", lambda: not harness.segments(self.shm))
        harness.poll("the end of the charge", lambda: self.group.shmem_bytes() == 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--grower", required=True, help="the program of grower.cc")
    harness.main(parser)
