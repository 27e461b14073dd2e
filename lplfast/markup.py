"""HTML for notebooks: a table with a caption, every text escaped, readable on light and dark pages."""

import html
import math

__all__ = ["number", "table_html"]

# Colours are those of the page, or parts of them: a notebook may be light or dark.
STYLE = "border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0.3em 0"
CAPTION = ("caption-side: top; text-align: left; white-space: nowrap; font-weight: bold; padding: 0.2em 0; "
           "color: inherit")
LEFT = "text-align: left; padding: 0.15em 0.9em 0.15em 0;"
HEAD = f"{LEFT} white-space: nowrap; font-weight: bold; border-bottom: 1px solid currentColor"
CELL = f"{LEFT} vertical-align: top; background: transparent; color: inherit"


def table_html(caption, rows, heads=(), note=""):
    """Return a table of rows of texts, with names of columns and a sentence below, if there are any."""
    parts = [f'<table style="{STYLE}"><caption style="{CAPTION}">{html.escape(caption)}</caption>']
    if heads:
        parts.append(_row("th", HEAD, heads))
    parts += [_row("td", CELL, row) for row in rows]
    parts.append("</table>")
    if note:
        parts.append(f'<div style="max-width: 60em">{html.escape(note)}</div>')
    return "".join(parts)


def _row(tag, style, cells):
    return "<tr>" + "".join(f'<{tag} style="{style}">{html.escape(str(cell))}</{tag}>' for cell in cells) + "</tr>"


def number(value):
    """Return a number as a table shows it: four digits, and nothing for what is not known."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.4g}"
