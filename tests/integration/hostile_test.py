#!/usr/bin/python3
# hostile_test.py - what else may lie under the name of a segment: the agent refuses it, logs its name and the reason, counts it,
# and goes on serving. Must never let a refused file be opened for writing, removed or waited for.

import argparse
import os
import re
import shutil

import harness

NOBODY = 65534
PLANTED = "liballoc.4242.1"


class HostileTest(harness.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.shm, PLANTED)
        self.good = self.sleeper()

    def refused(self, agent):
        """{reason: files} of the agent's metric."""
        text = agent.get("/metrics")[1].decode()
        found = re.findall(r'^liballoc_agent_segments_rejected_total\{reason="(\w+)"\} (\d+)$', text, re.M)
        return {reason: int(count) for reason, count in found if count != "0"}

    def expect_refusal(self, reason, agent=None):
        """What was planted is refused for this reason alone, and nothing else suffers."""
        # Exited processes go at once, so that a refused file would go too if it were taken for one.
        agent = agent or self.start_agent("--retain-exited", "0s")
        harness.poll("a refusal", lambda: self.refused(agent))
        self.assertEqual(self.refused(agent), {reason: 1})
        self.assertIn("segment %s rejected: %s: " % (PLANTED, reason), agent.log())
        self.assertEqual(len([p for p in agent.processes() if p["ref"]["pid"] == 4242]), 0)
        self.assertEqual(agent.get("/healthz")[0], 200)
        self.assertTrue(os.path.lexists(self.path))
        return agent

    def expect_refusal_beside_a_good_process(self, reason):
        self.expect_refusal(reason).wait_for(self.good.pid)

    def plant_copy(self, mode=0o600, source=None):
        """A copy of the good process's segment under the planted name."""
        with open(source or self.only_segment(self.good.pid), "rb") as stream:
            content = stream.read(1 << 20)
        with open(self.path, "wb") as stream:
            stream.write(content)
            stream.truncate(256 << 20)
        os.chmod(self.path, mode)

    def test_a_symbolic_link_is_not_followed(self):
        os.symlink(self.only_segment(self.good.pid), self.path)
        self.expect_refusal_beside_a_good_process("open_failed")

    def test_a_fifo_is_not_waited_for(self):
        os.mkfifo(self.path, 0o600)
        self.expect_refusal_beside_a_good_process("not_regular_file")

    def test_a_directory_is_refused(self):
        os.mkdir(self.path, 0o700)
        self.expect_refusal_beside_a_good_process("not_regular_file")

    def test_a_device_is_refused(self):
        try:
            os.mknod(self.path, 0o020600, os.makedev(1, 5))  # /dev/zero
        except PermissionError as error:
            self.skipTest("cannot make a device here (%s): run as root" % error.strerror)
        agent = self.start_agent("--retain-exited", "0s")
        harness.poll("a refusal", lambda: self.refused(agent))
        self.assertIn(list(self.refused(agent)), (["not_regular_file"], ["open_failed"]))  # open_failed: mounted nodev
        agent.wait_for(self.good.pid)

    def test_a_file_that_others_may_touch_is_refused(self):
        self.plant_copy(0o620)
        self.expect_refusal_beside_a_good_process("wrong_mode")

    def test_a_giant_is_refused_by_its_size_alone(self):
        self.plant_copy()
        os.truncate(self.path, 1 << 40)
        self.expect_refusal_beside_a_good_process("file_too_large")

    def test_a_file_without_room_for_a_header_is_refused(self):
        self.plant_copy()
        os.truncate(self.path, 100)
        self.expect_refusal_beside_a_good_process("file_too_small")

    def test_another_kind_of_file_is_refused(self):
        with open(self.path, "wb") as stream:
            stream.write(b"#!/bin/sh\n" * 1000)
        os.chmod(self.path, 0o600)
        self.expect_refusal_beside_a_good_process("bad_magic")

    def test_a_segment_under_another_processes_name_is_refused(self):
        self.plant_copy()
        self.expect_refusal_beside_a_good_process("name_mismatch")

    def test_a_segment_cut_off_behind_its_header_is_refused(self):
        # Under its own name: that is looked at first.
        segment = self.only_segment(self.good.pid)
        self.good.process.kill()
        self.good.process.wait()
        os.truncate(segment, 8192)
        agent = self.start_agent()
        harness.poll("a refusal", lambda: self.refused(agent))
        self.assertEqual(self.refused(agent), {"truncated": 1})
        self.assertIn("segment %s rejected: truncated: " % os.path.basename(segment), agent.log())

    def test_refusals_are_counted_when_the_file_comes_later_too(self):
        agent = self.start_agent("--retain-exited", "0s")
        self.assertEqual(self.refused(agent), {})
        os.mkfifo(self.path, 0o600)
        self.expect_refusal("not_regular_file", agent).wait_for(self.good.pid)

    def agent_of_nobody(self):
        if os.getuid() != 0:
            self.skipTest("an agent of another user can only be started by root")
        return self.start_agent("--retain-exited", "0s", program=self.readable_copy(self.options.agent), user=NOBODY,
                                group=NOBODY, extra_groups=[])

    def test_a_readable_segment_of_another_user_is_refused(self):
        os.chmod(self.good_segment_away(), 0o644)
        self.expect_refusal("wrong_owner", self.agent_of_nobody())

    def test_an_unreadable_segment_of_another_user_is_refused(self):
        self.good_segment_away()
        self.expect_refusal("open_failed", self.agent_of_nobody())

    def good_segment_away(self):
        """Leaves only a planted copy of it in the directory; where that is."""
        os.makedirs(os.path.join(self.dir, "away"))
        away = shutil.move(self.only_segment(self.good.pid), os.path.join(self.dir, "away"))
        self.plant_copy(source=away)
        return self.path

    def test_a_segment_that_another_user_made_for_a_process_is_refused(self):
        # What a user would do to have a process of somebody else shown with figures of his own.
        if os.getuid() != 0:
            self.skipTest("a file can only be given to another user by root")
        real = self.only_segment(self.good.pid)
        self.path = real + ".1"
        self.plant_copy(source=real)
        os.chown(self.path, NOBODY, NOBODY)
        agent = self.start_agent("--retain-exited", "0s")
        harness.poll("a refusal", lambda: self.refused(agent))
        self.assertEqual(self.refused(agent), {"wrong_owner": 1})
        self.assertIn("segment %s rejected: wrong_owner: owner %d, whose process this is not" %
                      (os.path.basename(self.path), NOBODY), agent.log())
        agent.wait_for(self.good.pid)
        self.assertEqual([p["ref"]["pid"] for p in agent.processes()], [self.good.pid])
        self.assertTrue(os.path.lexists(self.path))

    def test_an_agent_of_root_shows_the_processes_of_every_user(self):
        if os.getuid() != 0:
            self.skipTest("a process of another user can only be started by root")
        env = harness.preload_env(self.readable_copy(self.options.library), self.shm)
        talk = harness.Conversation(["/bin/bash", "-c", "echo rest; read line"], env, user=NOBODY, group=NOBODY, extra_groups=[])
        self.addCleanup(talk.end)
        talk.read_until("rest")
        self.assertEqual(os.stat(self.only_segment(talk.pid)).st_uid, NOBODY)
        entry = self.start_agent().wait_for(talk.pid)
        self.assertEqual(entry["uid"], NOBODY)


if __name__ == "__main__":
    harness.main(argparse.ArgumentParser())
