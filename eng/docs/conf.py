"""Sphinx settings. ``tox -e docs`` builds the site; every warning is an error, and every own name must resolve."""

from __future__ import annotations

import importlib
import re
from typing import Any

PACKAGE = "azure.keyvault.administration"
MODULES = (PACKAGE, f"{PACKAGE}.aio", f"{PACKAGE}.emulator", f"{PACKAGE}.emulator.faults")

project = "azure-keyvault-administration"
author = "The azure-keyvault-administration developers"
project_copyright = author
version = release = importlib.import_module(PACKAGE).__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "inherited-members": "str,Sequence"}

nitpicky = True
# What other projects document: their inventories are on the network, which a build must not need.
_MODULES_ELSEWHERE = r"azure\.core|azure\.identity|collections\.abc|datetime|enum|os|pathlib|types|typing|uuid"
_NAMES_ELSEWHERE = """
    Any BaseException Callable Enum Iterable Literal Mapping None OSError Path PathLike RuntimeError Self Sequence
    TracebackType TypeError ValueError any bool bytes datetime dict float int list object str tuple type
    AccessToken AccessTokenInfo AsyncHttpResponse AsyncItemPaged AsyncLROPoller AsyncTokenCredential
    CaseInsensitiveEnumMeta HttpRequest TokenRequestOptions
"""
nitpick_ignore_regex = [
    (r"py:.*", rf"(.* )?~?({_MODULES_ELSEWHERE})\..*"),
    (r"py:.*", rf"({'|'.join(_NAMES_ELSEWHERE.split())})"),
    (r"py:.*", r"Callable\[.*"),
    # A type variable, and what only the emulator itself uses.
    (r"py:.*", r"(.*\.)?(T_co|TokenAuthority)"),
]

# Where a page of the site shows what the README links to.
PAGES = {"azure/keyvault/administration/emulator/README.md": "emulator.md", "samples": "samples.md"}


def link_to_pages(_app: Any, _path: Any, _parent: Any, content: list[str]) -> None:
    """Let the links of an included file lead to pages of the site. One that leads nowhere is a warning."""
    for file, page in PAGES.items():
        content[0] = content[0].replace(f"]({file})", f"]({page})")


def resolve_by_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Find a class by its name: an annotation may know it by the module that defines it."""
    homes = {name: module for module in MODULES for name in importlib.import_module(module).__all__}
    name = re.split(r"\W", node["reftarget"])[-1]
    if node.get("refdomain") != "py" or name not in homes:
        return None
    python = env.get_domain("py")
    return python.resolve_xref(env, node["refdoc"], app.builder, "class", f"{homes[name]}.{name}", node, content)


def setup(app: Any) -> None:
    """Connect what is above to Sphinx."""
    app.connect("include-read", link_to_pages)
    app.connect("missing-reference", resolve_by_name)
