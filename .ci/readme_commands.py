"""Print the commands of a README: the lines of its ```sh blocks."""

import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
for block in re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
    print(block.strip())
