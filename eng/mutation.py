"""Change the modules that decide in small ways, one at a time, and see whether their tests notice.

mutmut alone would run every test that passes through a change. For code on the path of each request these are nearly
all tests, so each module is a run of its own, with the tests that are about it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_PACKAGE = "azure/keyvault/administration"
_DOMAIN = "emulator/_domain"
# Each module's tests: the files below tests/, without test_ and .py.
_TESTS = {
    "_identifiers": "unit/identifiers unit/retry",
    "_challenge": "unit/challenge",
    "_storage": "unit/storage clients/backup_arguments",
    "_mapping": "unit/mapping clients/access_control_requests clients/backup_arguments",
    f"{_DOMAIN}/rbac": "emulator/rbac_rules emulator/rbac_model emulator/role_assignments emulator/role_definitions",
    f"{_DOMAIN}/tokens": "emulator/authentication emulator/revocation",
    f"{_DOMAIN}/sas": "emulator/sas",
    f"{_DOMAIN}/jobs": "emulator/failures emulator/faults emulator/backup",
    f"{_DOMAIN}/keys": "emulator/keys emulator/key_import",
    f"{_DOMAIN}/paging": "emulator/role_definitions emulator/keys emulator/faults",
    f"{_DOMAIN}/versions": "emulator/strictness",
    f"{_DOMAIN}/patterns": "emulator/faults",
    f"{_DOMAIN}/hosts": "emulator/containers",
    f"{_DOMAIN}/containers": "emulator/containers",
    f"{_DOMAIN}/rate_limits": "emulator/rate_limits",
    f"{_DOMAIN}/archive": "emulator/archive emulator/failures",
    f"{_DOMAIN}/sealing": "emulator/archive emulator/key_backup",
    f"{_DOMAIN}/documents": "emulator/sqlite_store emulator/archive",
    f"{_DOMAIN}/rotation": "emulator/key_rotation",
    f"{_DOMAIN}/faults": "emulator/faults emulator/control",
    f"{_DOMAIN}/base64url": "emulator/key_operations emulator/key_import",
    f"{_DOMAIN}/key_material": "emulator/key_import emulator/keys",
    f"{_DOMAIN}/algorithms": "emulator/key_operations",
    f"{_DOMAIN}/builtin_roles": "emulator/built_in_roles",
    f"{_DOMAIN}/errors": "emulator/role_assignments emulator/role_definitions emulator/keys emulator/storage",
    "_runtime/retry": "unit/retry clients/polling",
    "_runtime/tokens": "unit/tokens clients/authentication",
    "_runtime/redaction": "unit/redaction unit/transport_errors clients/logging clients/service_errors",
    "_runtime/auth": "clients/authentication clients/revoked_tokens",
    "_runtime/throttling": "clients/throttling",
    "_runtime/polling": "clients/polling clients/backup_client clients/logging clients/under_faults",
}
# Texts of errors and logs, and casts, which only type checkers see.
_UNCHANGED = [r"^\s*raise (ValueError|DecodeError)\(", r'^\s*wanted = "', r"\b_LOGGER\.", r"\bcast\("]
# Left out: what would take seconds per change, such as drawn examples, huge input, thousands of calls, large RSA keys.
_SELECTION = ["-m", "not soak and not hypothesis", "-k", "not (million or thousands or huge or 4096)"]

# Waiting for garbage would take most of the time of a run.
_PLUGINS = ["-p", "no:cacheprovider", "-p", "no:unraisableexception"]


def main(folder: Path, patterns: list[str]) -> None:
    """Run the modules that match any of the patterns, and print which changes survived."""
    total: Counter[str] = Counter()
    for module, tests in _TESTS.items():
        if any(fnmatch(module, pattern) for pattern in patterns):
            work = folder / module.replace("/", ".")
            _prepare(work, module, [f"tests/{'/test_'.join(file.split('/'))}.py" for file in tests.split()])
            for command in (["run", "--max-children", "1"], ["results"], ["export-cicd-stats"]):
                subprocess.run(["mutmut", *command], cwd=work, check=True)  # noqa: S603, S607 - on tox's PATH
            counts = json.loads((work / "mutants/mutmut-cicd-stats.json").read_text())
            print(module, counts)
            total.update(counts)
    print("total", dict(total))


def _prepare(work: Path, module: str, tests: list[str]) -> None:
    shutil.rmtree(work, ignore_errors=True)
    for folder in ("azure", "eng", "tests"):
        shutil.copytree(_ROOT / folder, work / folder, ignore=shutil.ignore_patterns("__pycache__"))
    settings = {
        "source_paths": ["azure"],
        "only_mutate": [f"{_PACKAGE}/{module}.py"],
        "do_not_mutate_patterns": _UNCHANGED,
        "also_copy": ["eng"],
        "pytest_add_cli_args": [*_PLUGINS, *_SELECTION],
        "pytest_add_cli_args_test_selection": tests,
        "timeout_multiplier": 4,
    }
    # JSON's strings, lists and numbers are TOML's, too.
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    project = (_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (work / "pyproject.toml").write_text(f"{project}\n[tool.mutmut]\n{''.join(lines)}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ["*"])
