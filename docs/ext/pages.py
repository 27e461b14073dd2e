"""What the pages are for Sphinx alone: their order, and what stands for files outside of docs/.

So it is not in their text, which is also read as it is.
"""

import re

# page -> the pages below it, in their order
TREE = {
    "index": ["start", "guide/index", "Gallery <generated/gallery/index>", "Theory <theory-in-ten-minutes>",
              "reference", "comparison", "project"],
    "guide/index": ["data", "choosing", "reading", "before", "losses", "adapters", "disk", "../studies", "own",
                    "../torch", "reproducibility"],
    "guide/own": ["../examples/cython_loss/README", "../extending"],
    "theory-in-ten-minutes": ["theory"],
    "reference": ["api", "rules", "history", "files", "command-line"],
    "project": ["architecture", "experiments", "benchmarks", "contributing", "releasing", "changelog"],
}

# what is in the root of the repository -> the page that includes it
INCLUDED = {"CONTRIBUTING.md": "contributing", "CHANGELOG.md": "changelog"}


def setup(app):
    """Register with Sphinx."""
    app.connect("source-read", complete)
    return {"parallel_read_safe": True}


def complete(app, page, source):
    """Add to the text of a page, before it is read."""
    for name, included in INCLUDED.items():
        if page == included:
            source[0] = f"```{{include}} ../{name}\n:relative-docs: docs/\n```\n"
        source[0] = source[0].replace(f"](../{name}", f"]({included}.md")
    # the gallery's page is made of its folder
    source[0] = re.sub(r"\]\(((?:\.\./)?)gallery/README\.rst", r"](\1generated/gallery/index.rst", source[0])
    if page in TREE:
        below = "\n".join(TREE[page])
        source[0] += f"\n```{{toctree}}\n:hidden:\n\n{below}\n```\n"
