#!/usr/bin/python3
# check_tools_test.py - shows that check_library.py and check_sources.py refuse what they are there to refuse.
# Works on texts only; never runs nm or reads the repository.

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_library  # noqa: E402
import check_sources  # noqa: E402

NM = """\
                 U __cxa_atexit@GLIBC_2.2.5
                 w __cxa_finalize@GLIBC_2.2.5
                 w _ZSt17__throw_bad_allocv
                 U memcpy@GLIBC_2.14
"""


class CheckLibraryTest(unittest.TestCase):
    def test_accepts_libc_and_the_loader_alone(self):
        text = " 0x1 (NEEDED)             Shared library: [libc.so.6]\n 0x1 (NEEDED)  Shared library: [ld-linux-x86-64.so.2]\n"
        self.assertEqual(check_library.parse_needed(text), ["libc.so.6", "ld-linux-x86-64.so.2"])
        self.assertEqual(check_library.check_needed(check_library.parse_needed(text)), [])

    def test_refuses_every_other_needed_library(self):
        for name in ("libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6.evil"):
            self.assertEqual(len(check_library.check_needed([name])), 1, name)

    def test_accepts_weak_runtime_symbols_and_libcs_own(self):
        self.assertEqual(check_library.check_undefined(NM), [])

    def test_refuses_strong_runtime_symbols(self):
        for name in ("_ZNSs4_Rep9_S_createEmmRKSaIcE", "__cxa_throw", "__gxx_personality_v0", "_Unwind_Resume"):
            found = check_library.check_undefined(NM + "                 U %s\n" % name)
            self.assertEqual(len(found), 1, name)

    def test_compares_exports_in_both_directions(self):
        names = check_library.exported("0000000000001000 T malloc@@V1\n0000000000001000 W _Znwm\n"
                                       "                 U memcpy\n0000000000000000 A V1\n")
        self.assertEqual(names, ["_Znwm", "malloc"])
        self.assertEqual(check_library.check_exports(names, ["_Znwm", "malloc"]), [])
        self.assertEqual(len(check_library.check_exports(names, ["malloc"])), 1)
        self.assertEqual(len(check_library.check_exports(names, ["_Znwm", "free", "malloc"])), 1)


class CheckSourcesTest(unittest.TestCase):
    def found(self, path, text):
        return check_sources.check_text(path, text, check_sources.comment_of(path, text.split("\n")[0]))

    def test_accepts_a_file_that_keeps_the_rules(self):
        self.assertEqual(self.found("liballoc/os/a.h", "// a.h - what it is.\n#pragma once\n"), [])
        self.assertEqual(self.found("scripts/test", "#!/bin/bash\n# test - runs the tests.\n"), [])

    def test_refuses_each_broken_rule(self):
        for path, text in (
                ("agent/a.cc", "#include <x.h>\n"),
                ("agent/a.h", "// a.h - x.\nint a();\n"),
                ("agent/a.cc", "// a.cc\n" + "int a;\n" * check_sources.MAX_LINES),
                ("agent/a.cc", "// a.cc \u2192\n"),
                ("agent/a.cc", "// a.cc\nint a; \n"),
                ("agent/a.cc", "// a.cc\n\tint a;\n"),
                ("agent/a.cc", "// a.cc\nint a;"),
                ("scripts/x", "#!/bin/bash\nset -e\n")):
            self.assertEqual(len(self.found(path, text)), 1, (path, text[:30]))

    def test_covers_sources_and_leaves_data_alone(self):
        self.assertIsNone(check_sources.comment_of("tests/golden/exports.txt", "malloc"))
        self.assertIsNone(check_sources.comment_of("dashboards/x.json", "{"))


if __name__ == "__main__":
    unittest.main()
