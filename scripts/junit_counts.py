#!/usr/bin/python3
# junit_counts.py - reads what ctest wrote with --output-junit and counts it for scripts/test.
# First line: passed and failed. Then one line per failed or skipped test. Exit code 1 when no test ran.

import sys
import xml.etree.ElementTree as ElementTree


def count(path, preset):
    passed, failed, lines = 0, 0, []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        status, name = case.get("status"), case.get("name")
        if status == "run":
            passed += 1
        elif status == "disabled" or (status == "notrun" and case.find("skipped") is not None and
                                      "SKIP" in (case.find("skipped").get("message") or "")):
            lines.append("skipped: %s (%s)" % (name, preset))
        else:
            failed += 1
            lines.append("FAILED: %s (%s)" % (name, preset))
    return passed, failed, lines


def main(argv):
    try:
        passed, failed, lines = count(argv[1], argv[2])
    except (OSError, ElementTree.ParseError) as error:
        print("junit_counts: %s: %s" % (argv[1], error), file=sys.stderr)
        return 1
    print(passed, failed)
    print("\n".join(lines + ["%s: %d passed, %d failed" % (argv[2], passed, failed)]))
    return 0 if passed + failed > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
