"""check_links.py FOLDER: every link between the HTML files of a folder leads to a file, and to an anchor in it."""

import pathlib
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page links to, and what can be linked to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        """Note the links and anchors of a tag."""
        found = dict(attributes)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        self.links += [found[key] for key in ("href", "src") if found.get(key)]


folder = pathlib.Path(sys.argv[1]).resolve()
pages = {path: Page(path) for path in folder.rglob("*.html") if "_static" not in path.parts}
count, broken = 0, [] if pages else ["no pages"]
for path, page in pages.items():
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or link.startswith("data:"):
            continue
        count += 1
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.exists() or (target in pages and unquote(parts.fragment) not in pages[target].anchors):
            broken.append(f"{path.relative_to(folder)}: {link}")
print(f"{count} links in {len(pages)} pages, {len(broken)} broken")
sys.exit("\n".join(sorted(set(broken))) or 0)
