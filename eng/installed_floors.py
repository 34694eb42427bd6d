"""Fail unless Python and each dependency are the oldest that the installed package allows.

``tox -e lowest`` runs this first, so that its tests cannot pass on newer versions than the package promises.
"""

from __future__ import annotations

import sys
from importlib.metadata import metadata, requires, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

_PACKAGE = "azure-keyvault-administration"


def _floor(allowed: SpecifierSet) -> Version:
    # Without a ">=" there is no floor to test, and min raises ValueError.
    return min(Version(specifier.version) for specifier in allowed if specifier.operator == ">=")


def main() -> None:
    """Compare the installed versions with the metadata of the package.

    :raises SystemExit: Something is installed in another version than its floor.
    """
    python = "{}.{}".format(*sys.version_info)
    compared = [("Python", python, _floor(SpecifierSet(metadata(_PACKAGE)["Requires-Python"])))]
    compared += [
        (requirement.name, version(requirement.name), _floor(requirement.specifier))
        for requirement in map(Requirement, requires(_PACKAGE) or [])
    ]
    for name, installed, floor in compared:
        print(f"{name} {installed}, floor {floor}")
    wrong = [name for name, installed, floor in compared if Version(installed) != floor]
    if wrong:
        sys.exit(f"not installed in the oldest version that the package allows: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
