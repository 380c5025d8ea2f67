#!/usr/bin/python3
# endings_test.py - how a process ended, as the agent tells it: clean, killed or replaced by exec, whoever watched and when.
# What the allocator itself ends is in faults_test.py, the kernel's OOM killer in oom_test.py. Must never guess from timing.

import argparse
import os
import signal

import harness

EXITED, KILLED = "PROCESS_STATE_EXITED", "PROCESS_STATE_KILLED"
PERL = "/usr/bin/perl -MPOSIX -e '$| = 1; print qq(rest\\n); <>; "


class EndingsTest(harness.IntegrationTest):
    def go_on(self, talk):
        talk.process.stdin.write(b"\n")
        talk.process.stdin.flush()

    def states(self, agent, pid):
        return [p["ref"]["state"] for p in agent.processes() if p["ref"]["pid"] == pid]

    def test_a_clean_exit_is_told_though_its_segment_is_gone(self):
        agent = self.start_agent()
        talk = self.sleeper()
        agent.wait_for(talk.pid)
        self.assertEqual(talk.finish(), 1)
        self.assertEqual(os.listdir(self.shm), [])
        agent.wait_for(talk.pid, EXITED)

    def test_death_by_any_signal_counts_as_killed(self):
        agent = self.start_agent()
        for number in (signal.SIGABRT, signal.SIGSEGV, signal.SIGTERM, signal.SIGXCPU):
            with self.subTest(signal=number.name):
                talk = self.sleeper()
                agent.wait_for(talk.pid)
                talk.process.send_signal(number)
                self.assertEqual(talk.process.wait(timeout=harness.DEADLINE_S), -number)
                self.only_segment(talk.pid)
                agent.wait_for(talk.pid, KILLED)

    def perl(self, end):
        talk = self.converse(["/bin/bash", "-c", "exec " + PERL + end + "'"])
        talk.read_until("rest")
        return talk

    def test_a_program_that_calls_abort_counts_as_killed_and_leaves_its_figures(self):
        agent = self.start_agent()
        talk = self.perl("POSIX::abort()")
        agent.wait_for(talk.pid, executable="/perl")
        before = agent.allocctl_json("stats", str(talk.pid))["memstats"]
        self.assertEqual(talk.finish(), -signal.SIGABRT)
        agent.wait_for(talk.pid, KILLED, "/perl")
        after = agent.allocctl_json("stats", str(talk.pid))["memstats"]
        self.assertGreaterEqual(int(after["mallocs"]), int(before["mallocs"]))

    def test_underscore_exit_is_a_clean_exit(self):
        agent = self.start_agent()
        talk = self.perl("POSIX::_exit(3)")
        agent.wait_for(talk.pid, executable="/perl")
        self.assertEqual(talk.finish(), 3)
        self.assertEqual(os.listdir(self.shm), [])
        agent.wait_for(talk.pid, EXITED, "/perl")

    def test_an_exit_by_the_bare_system_call_counts_as_killed(self):
        # Nothing of the library runs then, so it cannot be told from a kill: process.proto says so.
        agent = self.start_agent()
        talk = self.perl("syscall(%d, 3)" % (231 if os.uname().machine == "x86_64" else 94))  # exit_group
        self.assertEqual(talk.finish(), 3)
        self.only_segment(talk.pid)
        agent.wait_for(talk.pid, KILLED, "/perl")

    def test_an_image_that_exec_replaces_has_exited_and_was_not_killed(self):
        agent = self.start_agent()
        talk = self.sleeper("read line; exec " + PERL + "'")
        agent.wait_for(talk.pid, executable="/bash")
        self.go_on(talk)
        talk.read_until("rest")
        agent.wait_for(talk.pid, executable="/perl")
        agent.wait_for(talk.pid, EXITED, "/bash")
        self.assertEqual(sorted(self.states(agent, talk.pid)), [EXITED, "PROCESS_STATE_RUNNING"])
        self.only_segment(talk.pid)

    def test_exec_of_a_program_without_liballoc_is_no_kill_either(self):
        agent = self.start_agent()
        talk = self.sleeper("read line; unset LD_PRELOAD; exec " + PERL + "'")
        agent.wait_for(talk.pid, executable="/bash")
        self.go_on(talk)
        talk.read_until("rest")
        agent.wait_for(talk.pid, EXITED, "/bash")
        self.assertEqual(self.states(agent, talk.pid), [EXITED])

    def test_an_agent_that_was_killed_learns_after_its_restart_what_happened_meanwhile(self):
        first = self.start_agent()
        killed, exits, lives = self.sleeper(), self.sleeper(LIBALLOC_KEEP_SEGMENT="1"), self.sleeper()
        for talk in (killed, exits, lives):
            first.wait_for(talk.pid)
        first.process.kill()
        first.process.wait()
        killed.process.kill()
        killed.process.wait()
        exits.finish()
        second = self.start_agent()
        second.wait_for(killed.pid, KILLED)
        second.wait_for(exits.pid, EXITED)
        second.wait_for(lives.pid)

    def test_two_agents_at_once_tell_the_same(self):
        agents = [self.start_agent(), self.start_agent()]
        killed, exits = self.sleeper(LIBALLOC_SAMPLE_RATE="4096"), self.sleeper()
        for agent in agents:
            agent.wait_for(killed.pid)
            agent.wait_for(exits.pid)
        killed.process.kill()
        killed.process.wait()
        exits.finish()
        told = []
        for agent in agents:
            agent.wait_for(killed.pid, KILLED)
            agent.wait_for(exits.pid, EXITED)
            told.append(agent.allocctl_json("stats", str(killed.pid))["memstats"])
        for field in ("mallocs", "frees", "heapAlloc", "samplesTaken"):
            self.assertEqual(told[0][field], told[1][field], field)

    def while_it_cannot_look(self, agent, meanwhile):
        agent.process.send_signal(signal.SIGSTOP)
        try:
            meanwhile()
        finally:
            agent.process.send_signal(signal.SIGCONT)

    def test_an_agent_that_removes_a_segment_takes_nothing_from_another_that_has_seen_the_end(self):
        keeper, remover = self.start_agent(), self.start_agent("--retain-exited", "1s")
        talk = self.sleeper()
        keeper.wait_for(talk.pid)
        remover.wait_for(talk.pid)

        def end():
            talk.process.kill()
            talk.process.wait()
            keeper.wait_for(talk.pid, KILLED)
        self.while_it_cannot_look(remover, end)
        harness.poll("the segment's removal", lambda: not harness.segments(self.shm))
        self.assertEqual(self.states(keeper, talk.pid), [KILLED])
        self.assertGreater(int(keeper.allocctl_json("stats", str(talk.pid))["memstats"]["heapAlloc"]), 200000)

    def test_a_kill_is_told_though_another_agent_removed_the_segment_first(self):
        late, remover = self.start_agent(), self.start_agent("--retain-exited", "0s")
        talk = self.sleeper()
        late.wait_for(talk.pid)
        remover.wait_for(talk.pid)

        def end():
            talk.process.kill()
            talk.process.wait()
            harness.poll("the segment's removal", lambda: not harness.segments(self.shm))
        self.while_it_cannot_look(late, end)
        late.wait_for(talk.pid, KILLED)

    def test_an_exec_is_told_though_the_new_program_is_over_too(self):
        agent = self.start_agent()
        talk = self.sleeper("read line; exec " + PERL + "'")
        agent.wait_for(talk.pid, executable="/bash")

        def go_on_and_end():
            self.go_on(talk)
            talk.read_until("rest")
            talk.finish()
        self.while_it_cannot_look(agent, go_on_and_end)
        agent.wait_for(talk.pid, EXITED, "/bash")

    def test_what_ended_is_retained_for_the_stated_time_and_no_longer(self):
        long_dead, just_dead = self.sleeper(), self.sleeper()
        for talk, minutes in ((long_dead, 61), (just_dead, 30)):
            talk.process.kill()
            talk.process.wait()
            harness.grow_old(self.only_segment(talk.pid), minutes * 60)
        agent = self.start_agent("--retain-exited", "1h")
        agent.wait_for(just_dead.pid, KILLED)
        self.assertEqual(agent.pids(), {just_dead.pid})
        self.assertEqual(harness.segments(self.shm, long_dead.pid), [])
        self.only_segment(just_dead.pid)

    def test_each_process_of_a_fork_tree_names_its_parent(self):
        script = ("exec 3<&0; s=; for i in {1..5000}; do s+=xxxxxxxx; done; "
                  "node() { t=$s$s; local me=$BASHPID; echo node $me $2; "
                  "if (($1 > 0)); then node $(($1 - 1)) $me & node $(($1 - 1)) $me & fi; read -u 3 line; wait; }; "
                  "node 2 0")
        talk = self.converse(["/bin/bash", "-c", script])
        parents = {}
        while len(parents) < 7:
            _, me, parent = talk.read_until("node")[-1].split()
            parents[int(me)] = int(parent)
        agent = self.start_agent()
        found = {pid: int(agent.wait_for(pid).get("forkedFrom", 0)) for pid in parents}
        self.assertEqual(found, parents)
        for pid in parents:
            self.only_segment(pid)
        talk.finish()
        self.assertEqual(os.listdir(self.shm), [])


if __name__ == "__main__":
    harness.main(argparse.ArgumentParser())
