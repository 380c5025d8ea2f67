#!/usr/bin/python3
# check_layers_test.py - shows that check_layers.py refuses each kind of wrong include and accepts right ones.
# Works on texts and temporary trees; never looks at the real sources except docs/architecture.md.

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_layers  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def reasons(path, *lines):
    return [v[3] for v in check_layers.check_file(path, "\n".join(lines) + "\n")]


class CheckLayersTest(unittest.TestCase):
    def test_accepts_includes_that_point_down(self):
        self.assertEqual(reasons("liballoc/api/malloc.cc", '#include "liballoc/core/allocator.h"',
                                 '#include "liballoc/base/bits.h"', '#include "liballoc/telemetry_abi.h"',
                                 "#include <atomic>", "#include <sys/mman.h>"), [])
        self.assertEqual(reasons("agent/http/server.cc", '#include "agent/metrics/catalog.h"',
                                 '#include "liballoc/telemetry/v1/stats.pb.h"', "#include <vector>"), [])

    def test_refuses_an_include_that_points_up(self):
        self.assertIn("may only include", reasons("liballoc/os/a.h", '#include "liballoc/heap/span.h"')[0])
        self.assertIn("may only include", reasons("agent/model/a.h", '#include "agent/reader/b.h"')[0])
        self.assertIn("may only include", reasons("liballoc/base/a.h", '#include "liballoc/os/b.h"')[0])

    def test_refuses_siblings(self):
        for path, header in (("liballoc/heap/a.cc", "liballoc/profile/b.h"),
                             ("liballoc/telemetry/a.cc", "liballoc/heap/b.h"),
                             ("agent/pprof/a.cc", "agent/symbolize/b.h"),
                             ("agent/service/a.cc", "agent/http/b.h"),
                             ("agent/metrics/a.cc", "agent/http/b.h"),
                             ("agent/daemon/a.cc", "agent/cli/b.h")):
            self.assertEqual(len(reasons(path, '#include "%s"' % header)), 1, path)

    def test_refuses_a_bridge_between_library_and_agent(self):
        self.assertEqual(reasons("liballoc/core/a.cc", '#include "agent/base/result.h"'),
                         ["liballoc never includes agent"])
        self.assertEqual(reasons("agent/reader/a.cc", '#include "liballoc/base/bits.h"'),
                         ["agent never includes liballoc"])
        self.assertEqual(len(reasons("agent/reader/a.cc", '#include "liballoc/alloc.h"')), 1)

    def test_refuses_proto_and_grpc_outside_their_users(self):
        self.assertEqual(len(reasons("agent/model/a.cc", '#include "liballoc/telemetry/v1/stats.pb.h"')), 1)
        self.assertEqual(len(reasons("agent/metrics/a.cc", "#include <grpcpp/grpcpp.h>")), 1)
        self.assertEqual(len(reasons("agent/pprof/a.cc", "#include <google/protobuf/message.h>")), 1)

    def test_refuses_standard_headers_that_need_libstdcxx(self):
        for header in ("string", "vector", "mutex", "thread", "iostream", "memory", "stdio.h", "libunwind.h"):
            self.assertEqual(len(reasons("liballoc/heap/a.cc", "#include <%s>" % header)), 1, header)

    def test_refuses_relative_and_unrooted_includes(self):
        for header in ("span.h", "heap/span.h", "../heap/span.h", "liballoc/heap/../os/a.h"):
            self.assertEqual(len(reasons("liballoc/heap/a.cc", '#include "%s"' % header)), 1, header)

    def test_refuses_a_file_outside_every_layer(self):
        self.assertIn("lies in no layer", reasons("liballoc/misc/a.cc")[0])
        self.assertIn("lies in no layer", reasons("agent/a.cc")[0])

    def test_sees_includes_however_they_are_spaced_and_skips_comments(self):
        self.assertEqual(len(reasons("liballoc/os/a.cc", '  #  include   "liballoc/heap/span.h"')), 1)
        self.assertEqual(reasons("liballoc/os/a.cc", "/* was:", '#include "liballoc/heap/span.h"', "*/"), [])
        self.assertEqual(len(reasons("liballoc/os/a.cc", "/* a */", '#include "liballoc/heap/span.h"')), 1)

    def test_finds_include_cycles(self):
        cycles = check_layers.find_cycles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})
        self.assertEqual(cycles, [["a", "b", "c", "a"]])
        self.assertEqual(check_layers.find_cycles({"a": ["b"], "b": [], "c": ["a", "b"]}), [])

    def test_exit_code_tells_a_clean_tree_from_a_broken_and_an_empty_one(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "liballoc/os"))
            self.assertEqual(check_layers.main(["x", root]), 1)
            path = os.path.join(root, "liballoc/os/a.h")
            with open(path, "w") as stream:
                stream.write('#include "liballoc/base/bits.h"\n')
            self.assertEqual(check_layers.main(["x", root]), 0)
            with open(path, "w") as stream:
                stream.write('#include "liballoc/api/bits.h"\n')
            self.assertEqual(check_layers.main(["x", root]), 1)

    def test_knows_the_layers_of_the_architecture_page(self):
        with open(os.path.join(ROOT, "docs/architecture.md"), encoding="utf-8") as stream:
            page = stream.read()
        table = page.split("## Layers", 1)[1].split("```")[1]
        for layer in list(check_layers.LIBALLOC) + list(check_layers.AGENT):
            self.assertIn(layer + "/", table, "docs/architecture.md does not show layer %s" % layer)


if __name__ == "__main__":
    unittest.main()
