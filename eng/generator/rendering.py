"""From the `Contract` to source code, one template a file. The texts are correct but unformatted."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from .contract import Contract, Operation, placeholders, snake_case

_FILES = ("__init__.py", "types.py", "operations.py")


def render(contract: Contract, source: str) -> dict[str, str]:
    """Write the files for a contract; *source* is what their first line names as origin."""
    environment = Environment(
        loader=PackageLoader("generator"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is Python
    )
    context = {
        "source": source,
        "contract": contract,
        "operation_types": sorted({name for operation in contract.operations for name in operation.types}),
        "snake_case": snake_case,
        "path_expression": path_expression,
        "parameters": parameters,
    }
    return {name: environment.get_template(f"{name}.jinja").render(context) for name in _FILES}


def path_expression(operation: Operation) -> str:
    """Write the path as a string literal, its parameters encoded."""
    path = operation.path
    for name in placeholders(path):
        path = path.replace(f"{{{name}}}", f"{{quote({snake_case(name)}, safe='')}}")
    if operation.scoped:
        path = f"{{_prefix(scope)}}{path}"
    return f'f"{path}"' if "{" in path else f'"{path}"'


def parameters(operation: Operation) -> list[str]:
    """Declare the parameters of the operation's function."""
    declared = [f"{name}: str" for name in operation.arguments]
    if operation.body:
        declared.append(f"body: {operation.body}")
    if operation.optional_query:
        declared += ["*", *(f"{snake_case(name)}: str | None = None" for name in operation.optional_query)]
    return declared
