"""Sphinx's configuration: `python -m sphinx -W docs docs/_build`, with the extra `docs`."""

import os
import pathlib
import sys

import lplfast

sys.path.insert(0, str(pathlib.Path(__file__).parent / "ext"))

project, author, copyright = "lplfast", "the lplfast contributors", "the lplfast contributors"
version = release = lplfast.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "pages",
    "links",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "gallery", "examples/*/build"]
root_doc = "index"

html_theme = "pydata_sphinx_theme"
html_title = "lplfast"
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2, "header_links_before_dropdown": 8}
html_static_path = ["_static"]
html_css_files = ["lplfast.css"]

# formulas of the short path; a copy on disk in place of the default address: for machines without a network
if "LPLFAST_MATHJAX" in os.environ:
    mathjax_path = os.environ["LPLFAST_MATHJAX"]


myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

# what stands in single backticks is a name of ours, or code
default_role = "py:obj"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "generated/gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "plot_gallery": "True",
    "show_memory": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "matplotlib_animations": False,
}
suppress_warnings = ["config.cache"]
