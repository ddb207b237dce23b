"""The hierarchy of labels: what each class of the classifier is a kind of.

The data files beside this module say which labels exist. A label's confidence is the summed
probability of the classes at and below it, as in WordNet's hypernyms: a picture that is 40 %
"Tabby" and 50 % "Egyptian Cat" is 90 % "Cat".
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files

CLASSES = 1000
_LINE = re.compile(
    r"(?P<name>[^<=:]+?)\s*(?:<(?P<parents>[^=:]+))?(?:=(?P<aliases>[^:]+))?(?::(?P<classes>.+))?"
)


class HierarchyError(ValueError):
    """The data file does not describe a hierarchy; the message names the line."""


@dataclass
class Label:
    """One label: its category, its direct parents, and what else it is called."""

    name: str
    category: str
    parents: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    classes: set[int] = field(default_factory=set)


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _numbers(text: str | None) -> Iterator[int]:
    for part in _split(text):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


class Hierarchy:
    """Labels by name, with their ancestors and the classes that make them up."""

    def __init__(self, taxonomy: str, class_names: Sequence[str]) -> None:
        """Read the text of ``taxonomy.txt`` and the names of the classes.

        Raises:
            HierarchyError: a malformed line, an unknown parent, a circle, or a class that no
                label claims.
        """
        if len(class_names) != CLASSES:
            raise HierarchyError(f"{len(class_names)} class names instead of {CLASSES}")
        self.labels: dict[str, Label] = {}
        members: list[tuple[str, int]] = []
        category = ""
        for number, raw in enumerate(taxonomy.splitlines(), 1):
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("[") and line.endswith("]"):
                category = line[1:-1]
                continue
            match = _LINE.fullmatch(line)
            if not match or not category or match["name"] in self.labels:
                raise HierarchyError(f"line {number}: not a new label under a category: {line}")
            name = match["name"]
            self.labels[name] = Label(
                name, category, _split(match["parents"]), _split(match["aliases"])
            )
            members += [(name, index) for index in _numbers(match["classes"])]
        for group, index in members:
            self._add_class(group, index, class_names[index])
        for label in list(self.labels.values()):
            for ancestor in self.ancestors(label.name):
                self.labels[ancestor].classes |= label.classes
        missing = set(range(CLASSES)) - {index for _, index in members}
        if missing:
            raise HierarchyError(f"no label claims the classes {sorted(missing)}")

    def _add_class(self, group: str, index: int, name: str) -> None:
        if name == group:
            self.labels[group].classes.add(index)
            return
        leaf = self.labels.setdefault(name, Label(name, self.labels[group].category))
        leaf.classes.add(index)
        if group not in leaf.parents:
            leaf.parents.append(group)

    def ancestors(self, name: str) -> list[str]:
        """Every label above ``name``, sorted by name, as ``Parents`` lists them.

        Raises:
            HierarchyError: a parent that is not a label, or a circle.
        """
        found: set[str] = set()
        queue = list(self.labels[name].parents)
        while queue:
            parent = queue.pop()
            if parent not in self.labels:
                raise HierarchyError(f"{parent}, above {name}, is not a label")
            if parent == name:
                raise HierarchyError(f"{name} is its own ancestor")
            if parent not in found:
                found.add(parent)
                queue += self.labels[parent].parents
        return sorted(found)

    @cached_property
    def categories(self) -> frozenset[str]:
        """Every category that a label can have."""
        return frozenset(label.category for label in self.labels.values())


def load_hierarchy() -> Hierarchy:
    """Return the hierarchy that ships with the plugin."""
    data = files("trigger_stack.rekognition") / "data"
    return Hierarchy(
        (data / "taxonomy.txt").read_text("utf-8"),
        (data / "classes.txt").read_text("utf-8").splitlines(),
    )
