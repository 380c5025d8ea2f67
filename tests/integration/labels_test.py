#!/usr/bin/python3
# labels_test.py - what a program labels is what `go tool pprof`, the events and allocctl show, object for object: every
# allocation is sampled. Must never take a figure from the allocator to judge the allocator by.

import argparse
import json
import os
import re
import signal

import harness
import profiles

# labelled.cc: objects per (tenant, endpoint), half of them before the endpoint is set.
HELD = {("acme", "/search"): 150, ("acme", "/orders"): 350, ("globex", "/search"): 250, ("acme", ""): 500, ("globex", ""): 250,
        ("", ""): 50}
OBJECT_BYTES = 100


class LabelsTest(profiles.ProfileReader, harness.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.talk = self.converse([self.options.labelled], LIBALLOC_SAMPLE_RATE=1)
        lines = self.talk.read_until("rest ")
        self.child = int([line for line in lines if line.startswith("child ")][0].split()[1])
        self.agent = self.start_agent()
        self.agent.wait_for(self.talk.pid)
        self.agent.wait_for(self.child)

    def objects(self, pid, *focus):
        """Objects of the program's own in use, by pprof, of what the tags select."""
        text = self.pprof("-top", "-sample_index=inuse_objects", "-focus=::hold$",
                          *focus, "http://%s/processes/%d/debug/pprof/heap" % (self.agent.http, pid))
        match = re.search(r"^Showing nodes accounting for (\d+)", text, re.M)
        return int(match.group(1)) if match else 0

    def test_pprof_selects_what_each_tenant_and_endpoint_holds(self):
        pid = self.talk.pid
        for tenant in ("acme", "globex"):
            expected = sum(n for (t, _), n in HELD.items() if t == tenant)
            self.assertEqual(self.objects(pid, "-tagfocus=tenant=^%s$" % tenant), expected, tenant)
        self.assertEqual(self.objects(pid, "-tagfocus=endpoint=^/search$"), 400)
        self.assertEqual(self.objects(pid, "-tagignore=tenant="), HELD[("", "")])
        self.assertEqual(self.objects(pid), sum(HELD.values()))

    def test_the_child_of_a_fork_carries_what_its_thread_did(self):
        # It has a segment from its first slow path on, and is sampled since.
        sampled = self.objects(self.child)
        self.assertGreater(sampled, 1000)
        self.assertEqual(self.objects(self.child, "-tagfocus=tenant=^initech$"), sampled)

    def test_events_say_what_the_thread_carried(self):
        seen = {}
        status, body, _ = self.agent.get("/processes/%d/api/v1/events?kind=sample&limit=8192" % self.talk.pid)
        self.assertEqual(status, 200, body)
        for event in json.loads(body)["events"]:
            if int(event["sample"].get("requestedBytes", 0)) == OBJECT_BYTES:
                labels = event["sample"].get("labels", {})
                key = (labels.get("tenant", ""), labels.get("endpoint", ""))
                seen[key] = seen.get(key, 0) + 1
        # A library that is loaded may ask for 100 bytes too, without labels.
        self.assertGreaterEqual(seen.pop(("", "")), HELD[("", "")])
        self.assertEqual(seen, {key: n for key, n in HELD.items() if key != ("", "")})

    def test_the_last_state_of_a_killed_program_has_them(self):
        path = self.only_segment(self.talk.pid)
        os.kill(self.talk.pid, signal.SIGKILL)
        self.talk.process.wait()
        text = self.agent.allocctl("dump", path, "--section", "labels").decode()
        for line in ("  tenant=acme", "  endpoint=/search", "  endpoint=/orders", "  tenant=globex"):
            self.assertIn(line + "\n", text)

    def test_without_the_library_the_program_runs_as_well(self):
        before = os.listdir(self.shm)
        talk = harness.Conversation([self.options.labelled], harness.clean_env(LIBALLOC_SHM_DIR=self.shm))
        self.addCleanup(talk.end)
        talk.read_until("rest ")
        self.assertEqual(sorted(os.listdir(self.shm)), sorted(before))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--labelled", required=True, help="the program of labelled.cc")
    harness.main(arguments)
