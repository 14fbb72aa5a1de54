# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx makes the site of a tree that tests/setup/docs.sh has laid out."""

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "modelops.hf_mirror"
copyright = "modelops.hf_mirror contributors"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
exclude_patterns = ["docs/docsite"]

# anchors as on GitHub, where most people read these pages
myst_heading_anchors = 6

# pages of Ansible's own documentation, to which the generated ones refer
nitpick_ignore = [("std:ref", "ansible_configuration_settings"), ("std:ref", "common_return_values")]

html_theme = "alabaster"
html_theme_options = {"page_width": "1200px", "fixed_sidebar": True}
html_show_sphinx = False
html_copy_source = False


def setup(app: Sphinx) -> None:
    """Take diagrams as text: what draws them is a script of somebody else's host."""
    app.add_lexer("mermaid", TextLexer)
