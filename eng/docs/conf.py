"""Sphinx settings. ``tox -e docs`` builds the site; every warning is an error, and every own name must resolve."""

from __future__ import annotations

import importlib
import itertools
import re
import zlib
from pathlib import Path
from typing import Any

from sphinx.pycode import ModuleAnalyzer

PACKAGE = "azure.keyvault.administration"
MODULES = (
    PACKAGE,
    f"{PACKAGE}.aio",
    f"{PACKAGE}.emulator",
    f"{PACKAGE}.emulator.faults",
)
HERE = Path(__file__).parent

project = "azure-keyvault-administration"
author = "The azure-keyvault-administration developers"
project_copyright = author
version = release = importlib.import_module(PACKAGE).__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# An included part of another document keeps the levels of its headings.
suppress_warnings = ["myst.header"]

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_domain_indices = False
html_show_sourcelink = False
pygments_style = "default"
pygments_dark_style = "github-dark"
copybutton_exclude = ".linenos, .gp, .go"

python_maximum_signature_line_length = 88
add_module_names = False
autodoc_member_order = "bysource"
# Types are shown in the description of parameters, and nowhere else.
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_typehints_format = "short"
autodoc_default_options = {
    "members": True,
    "inherited-members": "str,Sequence,Collection",
}

nitpicky = True
# Type variables, and types that only the library itself uses.
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(.*\.)?(T_co|T|PollingReturnType_co|CaseInsensitiveEnumMeta|PathLike)",
    )
]

# Link targets of included files, and their pages on the site.
PAGES = {
    "azure/keyvault/administration/emulator/README.md": "emulator.md",
    "samples": "samples.md",
    "#parity": "parity.md",
}


def inventories() -> dict[str, tuple[str, str]]:
    """Convert the inventories of other projects, which are text files here, to intersphinx's format.

    Those on the network change, and a build must work offline. azure-core has none.
    """
    found: dict[str, tuple[str, str]] = {}
    for source in sorted((HERE / "inventories").glob("*.txt")):
        url, *lines = source.read_text(encoding="utf-8").splitlines()
        header = f"# Sphinx inventory version 2\n# Project: {source.stem}\n# Version: \n# zlib\n"
        target = HERE / "_build" / f"{source.stem}.inv"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(
            header.encode() + zlib.compress(("\n".join(lines) + "\n").encode())
        )
        found[source.stem] = (url, str(target))
    return found


intersphinx_mapping = inventories()
intersphinx_disabled_reftypes = ["std:*"]


def link_to_pages(_app: Any, _path: Any, _parent: Any, content: list[str]) -> None:
    """Make the links of an included file point to pages of the site. Sphinx warns of dead ones."""
    text = content[0]
    for file, page in PAGES.items():
        text = text.replace(f"]({file})", f"]({page})")
    # Only the name of a test, which is enough to find it.
    text = re.sub(r"`tests/(\S+?)\.py::(\w+)`", r"`\2`", text)
    content[0] = re.sub(r"\]\(eng/docs/([\w-]+\.md)\)", r"](\1)", text)


def forget_overloads(_app: Any) -> None:
    """Give methods of the backup client one signature: the page shows the overloads under their own headings."""
    analyzer = ModuleAnalyzer.for_module(f"{PACKAGE}.aio._backup_client")
    analyzer.analyze()
    analyzer.overloads.clear()


def hide_parentheses(
    _app: Any,
    what: str,
    _name: str,
    _object: Any,
    _options: Any,
    signature: str,
    *_: Any,
) -> tuple[str, str] | None:
    """Show no parentheses after a class without arguments: only the library makes its instances."""
    return ("", "") if what == "class" and signature == "()" else None


def tidy(
    _app: Any, what: str, name: str, _object: Any, _options: Any, lines: list[str]
) -> None:
    """Leave out the type of a property, which its heading has; let keywords of the emulator get their types."""
    if what == "property":
        lines[:] = itertools.takewhile(
            lambda line: not line.startswith(":rtype"), lines
        )
    elif name.startswith(f"{PACKAGE}.emulator"):
        # Sphinx adds annotations to parameters only.
        lines[:] = [line.replace(":keyword ", ":param ") for line in lines]


def resolve_by_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Resolve a class by its name: annotations use the private module that defines it."""
    if node.get("refdomain") != "py":
        return None
    name = re.split(r"\W", node["reftarget"])[-1]
    python = env.get_domain("py")
    homes = {
        name: module
        for module in MODULES
        for name in importlib.import_module(module).__all__
    }
    if name in homes:
        target = f"{homes[name]}.{name}"
        return python.resolve_xref(
            env, node["refdoc"], app.builder, "class", target, node, content
        )
    return None


def setup(app: Any) -> None:
    """Connect these functions to Sphinx."""
    app.connect("builder-inited", forget_overloads)
    app.connect("include-read", link_to_pages)
    app.connect("missing-reference", resolve_by_name)
    app.connect("autodoc-process-signature", hide_parentheses)
    app.connect("autodoc-process-docstring", tidy)
