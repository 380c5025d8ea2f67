#!/usr/bin/python3
# install_test.py - installs a build tree to a temporary prefix and uses it as others would.
# Must never write into the build tree's sources or a system directory.

import argparse
import os
import shlex
import shutil
import subprocess
import tempfile
import unittest

OPTIONS = None


def run(*command, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          timeout=170, **more)
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise AssertionError("%s: exit code %d\n%s" % (shlex.join(command), done.returncode, text))
    return text


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="liballoc-install.")
        cls.prefix = os.path.join(cls.dir, "prefix")
        run(OPTIONS.cmake, "--install", OPTIONS.build_dir, "--prefix", cls.prefix)
        found = run("find", cls.prefix, "-name", "liballoc.so")
        cls.library = found.split()[0] if found else ""
        cls.libdir = os.path.dirname(cls.library)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir, ignore_errors=True)

    def env(self, **more):
        shm = os.path.join(self.dir, "shm")
        os.makedirs(shm, exist_ok=True)
        env = {k: v for k, v in os.environ.items() if not k.startswith("LIBALLOC_") and k != "LD_PRELOAD"}
        env["LIBALLOC_SHM_DIR"] = shm
        env.update(more)
        return env

    def expect_works(self, program, **env):
        text = run(program, env=self.env(**env))
        self.assertIn("usable 48", text)

    def test_puts_files_where_the_names_say(self):
        wanted = ["lib/liballoc.so", "lib/liballoc.a", "include/liballoc/telemetry_abi.h", "include/liballoc/alloc.h",
                  "include/liballoc/noscan_allocator.h", "lib/pkgconfig/liballoc.pc",
                  "lib/cmake/liballoc/liballoc-config.cmake", "share/liballoc/dashboards", "share/liballoc/prometheus"]
        if OPTIONS.with_agent:
            wanted += ["bin/alloc-agent", "bin/allocctl"]
        missing = [name for name in wanted if not os.path.exists(os.path.join(self.prefix, name))]
        self.assertEqual(missing, [])

    def test_find_package_gives_a_target_that_works(self):
        build = os.path.join(self.dir, "cmake-build")
        run(OPTIONS.cmake, "-G", "Ninja", "-S", OPTIONS.consumer, "-B", build, "-DCMAKE_PREFIX_PATH=" + self.prefix,
            "-DCMAKE_CXX_COMPILER=" + OPTIONS.cxx, "-DWANTED_VERSION=" + OPTIONS.version)
        run(OPTIONS.cmake, "--build", build)
        self.expect_works(os.path.join(build, "consumer"))

    def test_find_package_refuses_a_newer_version_than_is_installed(self):
        with self.assertRaises(AssertionError) as caught:
            run(OPTIONS.cmake, "-G", "Ninja", "-S", OPTIONS.consumer, "-B", os.path.join(self.dir, "too-new"),
                "-DCMAKE_PREFIX_PATH=" + self.prefix, "-DWANTED_VERSION=99.0")
        self.assertRegex(str(caught.exception), r"requested\s+version\s+\"99.0\"")

    def pkg_config(self, *words):
        env = dict(os.environ, PKG_CONFIG_PATH=os.path.join(self.libdir, "pkgconfig"), PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1")
        return shlex.split(run("pkg-config", *words, "liballoc", env=env))

    def test_pkg_config_flags_compile_and_link(self):
        program = os.path.join(self.dir, "by-pkg-config")
        run(OPTIONS.cxx, "-std=c++20", os.path.join(OPTIONS.consumer, "consumer.cc"), "-o", program,
            *self.pkg_config("--cflags", "--libs"))
        self.assertIn("liballoc.so", run("readelf", "-d", program))
        self.expect_works(program, LD_LIBRARY_PATH=self.libdir)
        self.assertEqual(self.pkg_config("--modversion"), [OPTIONS.version])

    def test_linking_with_l_works(self):
        program = os.path.join(self.dir, "by-l")
        run(OPTIONS.cxx, "-std=c++20", "-I" + os.path.join(self.prefix, "include"),
            os.path.join(OPTIONS.consumer, "consumer.cc"), "-o", program, "-L" + self.libdir, "-Wl,--no-as-needed", "-lalloc")
        self.expect_works(program, LD_LIBRARY_PATH=self.libdir)

    def test_static_library_works(self):
        program = os.path.join(self.dir, "static")
        run(OPTIONS.cxx, "-std=c++20", "-I" + os.path.join(self.prefix, "include"),
            os.path.join(OPTIONS.consumer, "consumer.cc"), "-o", program, os.path.join(self.libdir, "liballoc.a"), "-pthread")
        self.assertNotIn("liballoc.so", run("readelf", "-d", program))
        self.expect_works(program)
        # A linker takes single files out of an archive: the one that makes the segment must be among them.
        for options in (["-pthread"], ["-pthread", "-static"]):
            run(OPTIONS.cxx, "-std=c++20", "-I" + os.path.join(self.prefix, "include"),
                os.path.join(OPTIONS.consumer, "consumer.cc"), "-o", program, os.path.join(self.libdir, "liballoc.a"), *options)
            with tempfile.TemporaryDirectory() as segments:
                self.expect_works(program, LIBALLOC_SHM_DIR=segments, LIBALLOC_KEEP_SEGMENT="1")
                self.assertEqual(len(os.listdir(segments)), 1, options)

    def test_weak_labels_of_a_program_with_the_static_library_are_there(self):
        source, program = os.path.join(self.dir, "labels.c"), os.path.join(self.dir, "labels")
        with open(source, "w", encoding="ascii") as stream:
            stream.write('#define LIBALLOC_LABELS_OPTIONAL\n#include "liballoc/labels.h"\n#include <stdlib.h>\n'
                         'int main(void) { return malloc(1) == NULL || !liballoc_set_label || liballoc_set_label("k", "v") != 0; }\n')
        run(OPTIONS.cc, "-std=c11", "-Wall", "-I" + os.path.join(self.prefix, "include"), source, "-o", program,
            os.path.join(self.libdir, "liballoc.a"), "-pthread")
        run(program)

    def test_preloading_the_installed_library_works(self):
        program = os.path.join(self.dir, "preloaded")
        run(OPTIONS.cxx, "-std=c++20", "-I" + os.path.join(self.prefix, "include"),
            os.path.join(OPTIONS.consumer, "consumer.cc"), "-o", program)
        self.expect_works(program, LD_PRELOAD=self.library)

    def test_the_public_headers_are_c_too(self):
        source = os.path.join(self.dir, "abi.c")
        with open(source, "w", encoding="ascii") as stream:
            stream.write('#include "liballoc/alloc.h"\n#include "liballoc/labels.h"\n#include "liballoc/telemetry_abi.h"\n'
                         'int main(void) { return LIBALLOC_ABI_MAJOR - 1; }\n')
        program = os.path.join(self.dir, "abi")
        run(OPTIONS.cc, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I" + os.path.join(self.prefix, "include"),
            source, "-o", program)
        run(program)

    def test_installed_programs_run_from_the_prefix(self):
        if not OPTIONS.with_agent:
            self.skipTest("built without the agent")
        for name in ("alloc-agent", "allocctl"):
            self.assertIn(OPTIONS.version, run(os.path.join(self.prefix, "bin", name), "--version"))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    for option in ("build-dir", "consumer", "cmake", "version", "cxx", "cc"):
        arguments.add_argument("--" + option, required=True)
    arguments.add_argument("--with-agent", action="store_true")
    arguments.add_argument("test", help="name of the test function")
    OPTIONS = arguments.parse_args()
    suite = unittest.TestSuite([InstallTest(OPTIONS.test)])  # a suite, so that setUpClass runs
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    raise SystemExit(0 if result.wasSuccessful() else 1)
