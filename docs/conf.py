"""How Sphinx builds the documentation; `make docs` runs it with every warning an error."""

from importlib.metadata import version as installed_version

project = "shopaccounts"
author = "the shopaccounts authors"
copyright = "2026, the shopaccounts authors"
release = version = installed_version("shopaccounts")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "examples"]

html_theme = "furo"
html_title = "shopaccounts"

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False

nitpicky = True
nitpick_ignore_regex = [
    # Names of Python and of other packages: looking them up would need a network, and the docs build without one.
    (r"py:.*", r"(?!shopaccounts\.).*"),
    # Type variables and aliases stand in annotations without being documented objects.
    (r"py:(class|obj|data)", r"shopaccounts\.(.*\.)?(T|T_co|Answer|[A-Z][A-Za-z]*Id)"),
]
