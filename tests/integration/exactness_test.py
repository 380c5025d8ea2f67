#!/usr/bin/python3
# exactness_test.py - at rest, the agent's mallocs - frees of each size class are the live objects of that class, exactly.
# Asks a real agent about truth.cc; compares differences between rest points, so what libc itself allocates drops out.

import argparse
import re
import os

import harness

LARGE = 0


class ExactnessTest(harness.IntegrationTest):
    def rest(self, talk, number):
        """At rest point `number`: {usable bytes: live objects} as the program says."""
        lines = talk.read_until("rest ")
        self.assertEqual(lines[-1], "rest %d" % number)
        return {int(usable): int(count) for usable, count in (re.match(r"live (\d+) (\d+)$", l).groups() for l in lines[:-1])}

    def by_size(self, agent, pid):
        """[(object bytes, live objects, live bytes)] per size class, as allocctl prints them."""
        reply = agent.allocctl_json("stats", str(pid))
        self.assertFalse(reply.get("stale", False), "the figures are not fresh")
        health = reply.get("health", {})
        self.assertEqual(int(health.get("corruptRecords", 0)), 0)
        classes = reply["memstats"]["bySize"]
        self.assertEqual(len(classes), 67)  # large objects, then 66 sizes
        return [(int(c.get("objectBytes", 0)), int(c.get("mallocs", 0)) - int(c.get("frees", 0)),
                 int(c.get("liveBytes", 0))) for c in classes]

    def metrics_by_size(self, agent, pid):
        """{size_class label: live objects} of /metrics, summed over the samples of this process."""
        status, body, _ = agent.get("/metrics")
        self.assertEqual(status, 200)
        live = {}
        for sign, name in ((1, "liballoc_size_class_mallocs_total"), (-1, "liballoc_size_class_frees_total")):
            found = 0
            for line in body.decode().splitlines():
                match = re.match(re.escape(name) + r"\{([^}]*)\} (\S+)", line)
                if match and 'pid="%d"' % pid in match.group(1):
                    label = re.search(r'size_class="([^"]+)"', match.group(1)).group(1)
                    live[label] = live.get(label, 0) + sign * int(float(match.group(2)))
                    found += 1
            self.assertGreater(found, 0, "/metrics has no %s of pid %d" % (name, pid))
        return live

    def expect(self, truth, sizes):
        """The truth per class: [live objects], and the bytes of the large ones."""
        objects, large_bytes = [0] * len(sizes), 0
        for usable, count in truth.items():
            fitting = [i for i in range(1, len(sizes)) if sizes[i] >= usable]
            cls = fitting[0] if fitting else LARGE
            objects[cls] += count
            if cls == LARGE:
                large_bytes += usable * count
        return objects, large_bytes

    def test_live_objects_are_exact_at_every_rest_point(self):
        talk = self.converse([self.options.truth])
        truth = self.rest(talk, 0)
        self.assertEqual(truth, {})
        agent = self.start_agent()
        agent.wait_for(talk.pid)
        baseline = self.by_size(agent, talk.pid)
        sizes = [row[0] for row in baseline]
        self.assertEqual(sizes[1:], sorted(sizes[1:]))
        self.assertEqual(sizes[-1], 32768)
        for number in (1, 2, 3):
            talk.go_on()
            truth = self.rest(talk, number)
            self.assertEqual(bool(truth), number != 3)
            now = self.by_size(agent, talk.pid)
            objects, large_bytes = self.expect(truth, sizes)
            if number == 2:
                self.assertGreater(sum(1 for n in objects if n), 30, "the program uses too few classes to show anything")
            wrong = ["class %d (%d bytes): %d objects alive, the agent says %d more than at the baseline" %
                     (i, sizes[i], objects[i], now[i][1] - baseline[i][1])
                     for i in range(67) if now[i][1] - baseline[i][1] != objects[i]]
            self.assertEqual(wrong, [], "at rest point %d" % number)
            self.assertEqual(now[LARGE][2] - baseline[LARGE][2], large_bytes, "bytes of large objects")
            for i in range(1, 67):
                self.assertEqual(now[i][2], now[i][1] * sizes[i], "live_bytes of class %d" % i)
        talk.go_on()
        self.assertEqual(talk.finish(), 0)

    def test_metrics_say_the_same_as_allocctl(self):
        talk = self.converse([self.options.truth])
        self.rest(talk, 0)
        talk.go_on()
        self.rest(talk, 1)
        agent = self.start_agent()
        agent.wait_for(talk.pid)
        expected = {("large" if i == LARGE else str(size)): live
                    for i, (size, live, _) in enumerate(self.by_size(agent, talk.pid))}
        for label, live in self.metrics_by_size(agent, talk.pid).items():
            self.assertEqual(live, expected[label], "size class %s" % label)

    def test_a_child_does_not_change_its_parents_counts(self):
        # Between rest points 1 and 2 truth.cc forks a child that frees the parent's objects in its copy.
        talk = self.converse([self.options.truth], LIBALLOC_KEEP_SEGMENT="1")
        self.rest(talk, 0)
        talk.go_on()
        self.rest(talk, 1)
        talk.go_on()
        self.rest(talk, 2)
        self.assertEqual(len(harness.segments(self.shm)), 2, "parent and child have a segment each")
        agent = self.start_agent()
        child = [p for p in agent.processes() if p["ref"]["pid"] != talk.pid]
        self.assertEqual([int(p.get("forkedFrom", 0)) for p in child], [talk.pid])
        self.assertEqual(os.path.basename(child[0]["executable"]), os.path.basename(self.options.truth))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--truth", required=True, help="the program of truth.cc")
    harness.main(arguments)
