"""The syntax trees of the functions: what their code says, as far as it says it plainly.

Only Python is read, only files of the project, and only what is certain from the text: a value
that is computed is unknown, and no rule says anything about it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.checks.findings import Place
from bootstrap.template import Resource

_MAX_BYTES = 1_000_000
_MAX_MODULES = 500
#: What a file raises that is no Python.
UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)

type Definition = ast.FunctionDef | ast.AsyncFunctionDef


#: The nodes that :class:`_Reader` learns something from.
_TOLD = frozenset(
    (
        ast.Assign,
        ast.AsyncFunctionDef,
        ast.Attribute,
        ast.Call,
        ast.Constant,
        ast.FunctionDef,
        ast.If,
        ast.Import,
        ast.ImportFrom,
        ast.Name,
        ast.keyword,
    )
)
#: Fields whose nodes say nothing: loads and stores, operators.
_SILENT = frozenset(("ctx", "op", "ops"))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for name in node._fields:
        value = None if name in _SILENT else getattr(node, name, None)
        if isinstance(value, list):
            yield from (item for item in value if isinstance(item, ast.AST))
        elif isinstance(value, ast.AST):
            yield value


def _is_docstring(node: ast.AST) -> bool:
    value = getattr(node, "value", None)
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


@dataclass(frozen=True)
class Call:
    """A call of a method: ``<receiver>.<method>(…)``.

    Attributes:
        inside: the innermost definition that it stands in.
        parent: the node that it is a part of.
    """

    module: Module
    node: ast.Call
    method: str
    receiver: ast.expr
    inside: Definition | None
    parent: ast.AST

    @property
    def place(self) -> Place:
        """Where the name of the method stands."""
        end = self.node.func
        line = end.end_lineno or end.lineno
        column = (end.end_col_offset or 0) - len(self.method)
        return Place(self.module.name, line, max(column, 0) + 1)

    def argument(self, name: str) -> ast.expr | None:
        """A keyword argument."""
        return next((k.value for k in self.node.keywords if k.arg == name), None)


@dataclass
class Module:
    """A file of a function.

    Attributes:
        name: its path below the project's folder.
        texts: every text in it, docstrings left out.
        names: every name that is read, called or looked up in it.
        values: the names that one assignment at the top level binds, with what they are bound to.
        imports: the names that are imported, as module and name in it (none for a whole module).
        variables: any name that is assigned anywhere, with what it was assigned last.
        attributes: the names that are assigned to as ``self.<name>``, with all that they are.
    """

    file: Path
    name: str
    text: str
    tree: ast.Module
    texts: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    values: dict[str, ast.expr] = field(default_factory=dict)
    variables: dict[str, ast.expr] = field(default_factory=dict)
    attributes: dict[str, list[ast.expr]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    typing_imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    @property
    def parts(self) -> tuple[str, ...]:
        """The dotted name's parts."""
        parts = Path(self.name).with_suffix("").parts
        return parts[:-1] if parts[-1:] == ("__init__",) else parts

    @property
    def package(self) -> tuple[str, ...]:
        """The parts of the package that relative imports start from."""
        return self.parts if self.file.name == "__init__.py" else self.parts[:-1]


class _Reader:
    """Collects what a module says, in one walk."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def read(self) -> None:
        for statement in self.module.tree.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self.module.values[name] = value
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self.module.values[name] = value
        self.walk(self.module.tree, None, typing_only=False)

    def walk(self, node: ast.AST, inside: Definition | None, *, typing_only: bool) -> None:
        for child in _children(node):
            below, only = inside, typing_only
            kind = type(child)
            if kind is ast.Expr and _is_docstring(child):
                continue
            if kind in _TOLD:
                match child:
                    case ast.If(
                        test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")
                    ):
                        only = True
                    case ast.FunctionDef() | ast.AsyncFunctionDef():
                        below = child
                    case ast.Constant(value=str(text)):
                        self.module.texts.add(text)
                    case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                        self.module.names.add(name)
                    case ast.Assign(targets=[ast.Name(id=name)], value=value):
                        self.module.variables[name] = value
                    case ast.Assign(
                        targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value
                    ):
                        self.module.attributes.setdefault(name, []).append(value)
                    case ast.Import() | ast.ImportFrom():
                        self.imports(child, typing_only=typing_only)
                    case ast.Call(func=ast.Attribute(attr=method, value=receiver)):
                        self.module.calls.append(
                            Call(self.module, child, method, receiver, inside, node)
                        )
            self.walk(child, below, typing_only=only)

    def imports(self, node: ast.Import | ast.ImportFrom, *, typing_only: bool) -> None:
        found = self.module.typing_imports if typing_only else self.module.imports
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name] = (alias.name, None)
            return
        base = node.module or ""
        if node.level:
            package = self.module.package
            kept = package[: len(package) - node.level + 1]
            base = ".".join((*kept, *filter(None, [node.module])))
        for alias in node.names:
            self.module.names.add(alias.name)
            found[alias.asname or alias.name] = (base, alias.name)


@dataclass
class Code:
    """All modules that a function's handler imports, its own first.

    Attributes:
        broken: files that are no Python: nothing is certain about the rest then.
    """

    modules: list[Module] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def calls(self) -> Iterator[Call]:
        """Every call of a method."""
        for module in self.modules:
            yield from module.calls

    def says(self, *texts: str) -> bool:
        """Whether one of the texts, or of the names, stands anywhere in the code."""
        return any(t in m.texts or t in m.names for m in self.modules for t in texts)


class Sources:
    """Reads the code of functions; each file once."""

    def __init__(self, root: Path) -> None:
        """Read below ``root``, the folder of the definition."""
        self.root = root
        self._modules: dict[Path, Module | None] = {}
        self._code: dict[str, Code] = {}
        self._files: dict[str, Path | None] = {}
        self._trees: dict[Path, ast.Module | Exception] = {}
        self._here: dict[str, bool] = {}

    def code(self, function: Resource) -> Code:
        """The code of a function; empty when it is not Python or not there."""
        found = self._code.get(function.logical_id)
        if found is None:
            found = self._code[function.logical_id] = self._collect(function)
        return found

    @property
    def modules(self) -> list[Module]:
        """Every module that was read, in the order of their names."""
        return sorted(filter(None, self._modules.values()), key=lambda module: module.name)

    def _collect(self, function: Resource) -> Code:
        handler, runtime = function.properties.get("Handler"), function.properties.get("Runtime")
        code = Code()
        if not isinstance(handler, str) or not str(runtime).startswith("python"):
            return code
        folder = (function.properties.get("Code") or {}).get("Module")
        handler = f"{folder}/{handler}" if folder else handler
        name = handler.rpartition(".")[0].replace("/", ".")
        first = self._find(name)
        queue, seen = [first] if first else [], set(filter(None, [first]))
        while queue and len(code.modules) < _MAX_MODULES:
            file = queue.pop(0)
            module = self._module(file)
            if module is None:
                code.broken.append(file.relative_to(self.root).as_posix())
                continue
            code.modules.append(module)
            for base, member in module.imports.values():
                for dotted in filter(None, [base, f"{base}.{member}" if member else ""]):
                    found = self._find(dotted)
                    if found and found not in seen:
                        seen.add(found)
                        queue.append(found)
        return code

    def _find(self, dotted: str) -> Path | None:
        """The file of a module by its dotted name; None when it is none of the project's."""
        if dotted not in self._files:
            # Most imports are of packages that are not in the project at all.
            first = dotted.partition(".")[0]
            known = dotted == first or self._is_here(first)
            self._files[dotted] = self._look_for(dotted) if known else None
        return self._files[dotted]

    def _is_here(self, name: str) -> bool:
        if name not in self._here:
            self._here[name] = "\0" not in name and (self.root / name).is_dir()
        return self._here[name]

    def _look_for(self, dotted: str) -> Path | None:
        parts = [part for part in dotted.split(".") if part]
        if not parts or any("\0" in part for part in parts):
            return None
        base = self.root.joinpath(*parts)
        try:
            for file in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
                if file.is_file() and file.resolve().is_relative_to(self.root):
                    return file
        except (OSError, ValueError):
            pass  # no name of a file
        return None

    def _module(self, file: Path) -> Module | None:
        if file not in self._modules:
            self._modules[file] = self._read(file)
        return self._modules[file]

    def tree(self, file: Path) -> ast.Module:
        """The syntax tree of a file.

        Raises:
            OSError: it cannot be read.
            SyntaxError, ValueError, RecursionError, MemoryError: it is no Python; the last is what
                CPython raises when source is nested too deeply for its parser.
        """
        if file not in self._trees:
            try:
                self._trees[file] = ast.parse(file.read_bytes())
            except UNPARSABLE as error:
                self._trees[file] = error
        found = self._trees[file]
        if isinstance(found, Exception):
            raise found
        return found

    def _read(self, file: Path) -> Module | None:
        try:
            content = file.read_bytes()
            if len(content) > _MAX_BYTES:
                return None
            module = Module(
                file,
                file.relative_to(self.root).as_posix(),
                content.decode(errors="replace"),
                self.tree(file),
            )
            _Reader(module).read()
        except (OSError, *UNPARSABLE):
            return None
        return module

    # --- Values

    def follow(self, module: Module, node: ast.expr) -> tuple[Module, ast.expr]:
        """What a name at the top level stands for, through imports of the project's modules."""
        for _ in range(10):
            if not isinstance(node, ast.Name):
                break
            if node.id in module.values:
                node = module.values[node.id]
                continue
            base, member = module.imports.get(node.id, ("", None))
            file = self._find(base) if member else None
            other = self._module(file) if file else None
            if other is None or member not in other.values:
                break
            module, node = other, other.values[member]
        return module, node

    def constant(self, module: Module, node: ast.expr | None) -> str | None:
        """The text that an expression certainly is, or None."""
        if node is None:
            return None
        _, node = self.follow(module, node)
        match node:
            case ast.Constant(value=str(text)):
                return text
        return None


def parameters(definition: Definition | None) -> dict[str, tuple[ast.expr | None, ast.expr | None]]:
    """The parameters of a function, each with its annotation and default."""
    if definition is None:
        return {}
    given = definition.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    pairs = [*zip(plain, defaults, strict=True)]
    pairs += zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return {argument.arg: (argument.annotation, default) for argument, default in pairs}


def environment_name(node: ast.expr) -> str | None:
    """The variable that ``os.environ["X"]``, ``.get("X")`` of it or ``os.getenv("X")`` reads."""
    match node:
        case ast.Subscript(
            value=ast.Attribute(attr="environ") | ast.Name(id="environ"),
            slice=ast.Constant(value=str(name)),
        ):
            return name
        case ast.Call(
            func=ast.Attribute(
                value=ast.Attribute(attr="environ") | ast.Name(id="environ"), attr="get"
            ),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return name
        case ast.Call(
            func=ast.Attribute(attr="getenv") | ast.Name(id="getenv"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return name
    return None
