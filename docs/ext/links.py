"""Names in code font lead to the reference and the code, and "section 7" leads to the theory.

So the pages stay plain Markdown, which reads well where they are, and docstrings need no markup.
"""

import re

from docutils import nodes
from repository import address, definitions, file_of, page

THEORY = "theory"
EXPLAINED_IN_CODE = (THEORY, "theory-in-ten-minutes", "architecture")     # where functions lead to their code
CALLED = {"run": "Run", "problem": "Problem", "network": "Network", "observer": "Observer"}
NUMBERS = r"(\d+(?:\.\d+)?(?:(?:, | and | to )\d+(?:\.\d+)?)*)(?! of Xu)"
HERE = re.compile(r"(?<!\(2023\), )\bsections?\s+" + NUMBERS)
ELSEWHERE = re.compile(r"\btheory(?:\.md)?,\s+sections?\s+" + NUMBERS)


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-resolved", resolve)
    app.connect("html-collect-pages", code_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": False}


def resolve(app, doctree, name):
    """Make links of what a page mentions."""
    if app.builder.format != "html":
        return
    for literal in list(doctree.findall(nodes.literal)):
        if not within(literal, nodes.reference, nodes.title):
            target = target_of(app, literal.astext(), name)
            if target:
                # of a test, its name will do
                shown = nodes.literal("", literal.astext().rpartition("::")[2], classes=literal["classes"])
                literal.replace_self(link(app, name, target, shown))
    headings = sections(app)
    pattern = HERE if name == THEORY else ELSEWHERE
    for text in list(doctree.findall(nodes.Text)):
        if not within(text, nodes.reference, nodes.title, nodes.literal, nodes.literal_block):
            split = [*linked(app, name, text, pattern, headings)]
            if len(split) > 1:
                text.parent.replace(text, split)


def within(node, *kinds):
    """Return whether a node is inside one of these kinds."""
    while node := node.parent:
        if isinstance(node, kinds):
            return True
    return False


def link(app, name, target, inside):
    """Return a reference from the page `name` to a page and an anchor."""
    uri = app.builder.get_relative_uri(name, target[0]) + target[1]
    return nodes.reference("", "", inside, internal=True, refuri=uri)


def target_of(app, text, name):
    """Return the page and the anchor that a text in code font stands for, or None."""
    called, _, attribute = re.sub(r"\(.*\)$", "", text).removeprefix("lplfast.").partition(".")
    called = CALLED.get(called, called) if attribute else called
    known = reference(app)
    # what a class has, but no entry of its own, stands with the class
    entry = known.get(f"{called}.{attribute}" if attribute else called) or (attribute and known.get(called))
    if entry:
        return None if entry[0] == name else entry
    found = re.fullmatch(r"([\w/]+\.(?:py|pyx|pxd|h))(?:::(\w+))?", text)
    if found and file_of(found[1]):
        return wanted(app, address(file_of(found[1]), found[2]))
    if name in EXPLAINED_IN_CODE and text in definitions():
        return wanted(app, address(definitions()[text], text))
    return None


def wanted(app, target):
    """Have the page of a file made."""
    app.env.code_pages = getattr(app.env, "code_pages", set()) | {target[0]}
    return target


def code_pages(app):
    """Return the pages of files that others lead to."""
    for name in sorted(getattr(app.env, "code_pages", ())):
        title, body = page(name)
        yield name, {"title": title, "body": body}, "page.html"


def reference(app):
    """Return the entries of the reference, by the names that they are called by: page and anchor."""
    if not hasattr(app, "lplfast_reference"):
        found = {}
        for full, entry in app.env.domains.python_domain.objects.items():
            short = full.removeprefix("lplfast.")
            for called in (short, short.removeprefix("steps.").removeprefix("data.")):
                found.setdefault(called, (entry.docname, f"#{entry.node_id}"))
        app.lplfast_reference = found
    return app.lplfast_reference


def sections(app):
    """Return the anchors of the theory's sections by their numbers."""
    if not hasattr(app, "lplfast_sections"):
        app.lplfast_sections = {
            number[1]: f"#{section['ids'][0]}" for section in app.env.get_doctree(THEORY).findall(nodes.section)
            if (number := re.match(r"(\d+(?:\.\d+)?)\.? ", section.next_node(nodes.title).astext()))}
    return app.lplfast_sections


def linked(app, name, text, pattern, headings):
    """Yield the parts of a text, with the numbers of sections as links."""
    text, done = text.astext(), 0
    for found in pattern.finditer(text):
        for number in re.finditer(r"\d+(?:\.\d+)?", found[1]):
            at = found.start(1) + number.start()
            if number[0] in headings:
                yield nodes.Text(text[done:at])
                yield link(app, name, (THEORY, headings[number[0]]), nodes.Text(number[0]))
                done = at + len(number[0])
    yield nodes.Text(text[done:])
