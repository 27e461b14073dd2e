"""Fail on what pytest lets pass: a skipped test, or a property test that throws away over a tenth of its cases."""

import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    log = file.read()
problems = re.findall(r"^(?:SKIPPED|XPASS|XFAIL).*", log, flags=re.MULTILINE)
if not re.search(r"^=+ .*\d+ passed", log, flags=re.MULTILINE):
    problems.append("no test passed")
generated = re.findall(r"(\d+) passing[^,]*, (\d+) failing[^,]*, (?:and )?(\d+) invalid", log)
if not generated:
    problems.append("no statistics of property tests found")
for passing, failing, invalid in (map(int, counts) for counts in generated):
    if invalid > 0.1 * (passing + failing + invalid):
        problems.append(f"a property test threw away {invalid} of {passing + failing + invalid} cases")
sys.exit("\n".join(problems) or None)
