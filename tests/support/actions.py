"""The actions that the product logs, collected from its source.

    audit.Entry(action="looked")                      the text itself
    Entry(action=action) in _log(…, action, …)        what every call of ``_log`` in that module hands over
    f"device_{state}"                                 one for each state

What cannot be told from the source fails the collection: write it so that it can.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.domain.homes import DeviceState

ROOTS: Final = ("services", "gateway")
FILLED_IN: Final = {"state": [state.value for state in DeviceState]}
"""What stands in braces in an f-string."""


class UntoldError(Exception):
    """An action that nobody can read off the source."""

    def __init__(self, path: Path, node: ast.expr) -> None:
        super().__init__(f"{path}:{node.lineno}: cannot tell the action from {ast.unparse(node)[:80]!r}")


@dataclass(frozen=True, slots=True)
class _Helper:
    """A function that logs what it is handed."""

    name: str
    parameters: list[str]
    action: str


def actions(root: Path) -> dict[str, str]:
    """Every action, and where it is logged."""
    paths = [path for folder in ROOTS for path in sorted((root / folder).rglob("*.py"))]
    modules = [_Module(path) for path in paths]
    found: dict[str, str] = {}
    for module in modules:
        module.others = modules
    for module in modules:
        for action, node in module.actions():
            found.setdefault(action, f"{module.path.relative_to(root)}:{node.lineno}")
    return found


class _Module:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.others: list[_Module] = []
        """Every module, this one too: helpers may be called from elsewhere."""
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        self._calls = [node for node in nodes if isinstance(node, ast.Call)]
        self._functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    def actions(self) -> Iterator[tuple[str, ast.expr]]:
        """Every action, and where it stands."""
        for call in self._calls:
            if ast.unparse(call.func).rpartition(".")[2] == "Entry":
                for keyword in call.keywords:
                    if keyword.arg == "action":
                        yield from self._of(keyword.value, self._around(call))

    def _of(
        self, node: ast.expr, around: ast.FunctionDef | ast.AsyncFunctionDef | None
    ) -> Iterator[tuple[str, ast.expr]]:
        match node:
            case ast.Constant(value=str(text)):
                yield text, node
            case ast.IfExp(body=body, orelse=other):
                yield from self._of(body, around)
                yield from self._of(other, around)
            case ast.JoinedStr(
                values=[ast.Constant(value=str(begin)), ast.FormattedValue(value=ast.Name(id=name))]
            ):
                for text in FILLED_IN[name]:
                    yield f"{begin}{text}", node
            case ast.Name(id=name) if around is not None:
                yield from self._of_name(node, name, around)
            case _:
                raise UntoldError(self.path, node)

    def _of_name(
        self, node: ast.expr, name: str, around: ast.FunctionDef | ast.AsyncFunctionDef
    ) -> Iterator[tuple[str, ast.expr]]:
        parameters = [argument.arg for argument in [*around.args.args, *around.args.kwonlyargs]]
        values = [
            inner.value
            for inner in ast.walk(around)
            if isinstance(inner, ast.Assign) and any(ast.unparse(target) == name for target in inner.targets)
        ]
        found = [(self, value) for value in values]
        if name in parameters:
            helper = _Helper(around.name, [argument.arg for argument in around.args.args], name)
            found += [(module, value) for module in self.others for value in module.handed(helper, self)]
        if not found:
            raise UntoldError(self.path, node)
        for module, value in found:
            yield from module._of(value, module._around(value))

    def handed(self, helper: _Helper, owner: "_Module") -> Iterator[ast.expr]:
        """What each call of a helper here hands over as the action."""
        names = (
            {helper.name, f"self.{helper.name}"} if owner is self else {f"{owner.path.stem}.{helper.name}"}
        )
        parameters = [name for name in helper.parameters if name != "self"]
        for call in self._calls:
            called, handed = ast.unparse(call.func), list(call.args)
            if called == "partial" and handed:
                called = ast.unparse(handed.pop(0))
            if called not in names:
                continue
            by_name = {keyword.arg: keyword.value for keyword in call.keywords}
            by_place = dict(zip(parameters, handed, strict=False))
            value = by_name.get(helper.action) or by_place.get(helper.action)
            if value is None:
                raise UntoldError(self.path, call)
            yield value

    def _around(self, node: ast.expr) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The innermost function that a node is in."""
        holding = [
            function
            for function in self._functions
            if function.lineno <= node.lineno <= (function.end_lineno or 0)
        ]
        return max(holding, key=lambda function: function.lineno, default=None)
