#!/usr/bin/python3
# check_model.py - check_model.py MODEL.pml [MUTANT]: has spin look at every state of a model. Without a mutant no assertion may fail
# and every state must have been searched; with one, an assertion must fail, which shows that the model can. Exit code 77: no spin.

import argparse
import re
import shutil
import subprocess
import sys
import tempfile


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("mutant", nargs="?")
    options = parser.parse_args()
    if shutil.which("spin") is None:
        print("SKIPPED: spin is not installed")
        return 77
    with tempfile.TemporaryDirectory(prefix="liballoc-model.") as scratch:
        defines = ["-D" + options.mutant] if options.mutant else []
        run = subprocess.run(["spin", *defines, "-run", "-safety", "-m1000000", options.model], cwd=scratch,
                             capture_output=True, text=True, timeout=600, check=False)
    print(run.stdout + run.stderr)
    errors = re.search(r"errors: (\d+)", run.stdout)
    states = re.search(r"(\d+(?:\.\d+)?(?:e\+\d+)?) states, stored", run.stdout)
    if errors is None or states is None:
        print("spin did not search the model")
        return 1
    failed = int(errors.group(1)) != 0
    complete = "Search not completed" not in run.stdout and "max search depth too small" not in run.stdout
    print("%s states, %s errors" % (states.group(1), errors.group(1)))
    if options.mutant:
        return 0 if failed and "assertion violated" in run.stdout else 1
    return 0 if not failed and complete and float(states.group(1)) > 1000 else 1


if __name__ == "__main__":
    sys.exit(main())
