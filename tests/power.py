"""A model of power loss: the disk states that are possible after a crash.

After POSIX, and as in Pillai et al., OSDI 2014: the content of a file is durable once the file has been fsynced, the
names in a folder once the folder has been. Of all the rest any part may have reached the disk, in any order: a write
whole, half or not at all, a new or changed name or its former state. A rename is atomic, also from one folder to
another, which has to be fsynced.
"""

# ruff: noqa: PTH119, PTH120

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from watched import Operation

ROOT = 0


@dataclass
class Nodes:
    """Files and folders by number, whatever their names.

    Attributes:
        files: content.
        folders: the number of each name.
    """

    files: dict[int, bytes] = field(default_factory=dict)
    folders: dict[int, dict[str, int]] = field(default_factory=dict)

    def copy(self) -> Nodes:
        return Nodes(dict(self.files), {number: dict(names) for number, names in self.folders.items()})

    def read(self, path: Path, numbers: Iterator[int]) -> int:
        """Take in what is at a path; gives its number."""
        number = next(numbers)
        if path.is_file():
            self.files[number] = path.read_bytes()
        else:
            self.folders[number] = {child.name: self.read(child, numbers) for child in path.iterdir()}
        return number

    def write(self, path: Path, number: int = ROOT) -> None:
        """Put it on a real disk."""
        if number in self.files:
            path.write_bytes(self.files[number])
            return
        path.mkdir()
        for name, child in self.folders[number].items():
            self.write(path / name, child)


@dataclass
class Change:
    """A change to the bytes of one file, or to the names in one folder.

    Attributes:
        node: the number of that file or folder.
        operation: what is done.
        name: the name that comes or goes.
        child: the number of what the name stands for.
        left: the number of another folder that the name leaves, or -1.
        durable: whether it was synced.
    """

    node: int
    operation: Operation
    name: str = ""
    child: int = -1
    left: int = -1
    durable: bool = False

    def apply(self, nodes: Nodes, share: float = 1.0) -> None:
        """Make it; ``share``: how much of a write."""
        kind, offset = self.operation.kind, self.operation.offset
        if self.node in nodes.files:
            old, data = nodes.files[self.node], self.operation.data
            data = data[: int(len(data) * share)]
            if kind == "write":
                new = old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :]
            else:  # truncated, or opened anew
                new = old[:offset].ljust(offset, b"\0")
            nodes.files[self.node] = new
            return
        names = nodes.folders[self.node]
        if kind in ("open", "mkdir"):
            names[self.name] = self.child
        else:
            nodes.folders.get(self.left, names).pop(self.name, None)
        if kind == "replace":
            names[os.path.basename(self.operation.target)] = self.child


class Power:
    """Operations on a folder, which may be cut off by a power loss.

    Args:
        before: the folder as it was before them, all of it durable: see :meth:`look`.
        root: its path.
        operations: what was done in it, in order.
    """

    def __init__(self, before: Nodes, root: Path, operations: Sequence[Operation]) -> None:
        self._before, self._root, self.operations = before, os.path.realpath(root), operations

    @staticmethod
    def look(root: Path) -> Nodes:
        """A folder as it is."""
        nodes = Nodes()
        nodes.read(root, itertools.count(ROOT))
        return nodes

    def states(self, at: int, most: int, rng: random.Random) -> Iterator[tuple[str, Nodes]]:
        """Yield the possible disk states after a power loss after ``at`` operations, up to a limit.

        All and none of what is not durable, each of it missing or half there alone, each of it there alone, and then
        subsets at random.
        """
        blank, changes = self._changes(at)
        loose = [number for number, change in enumerate(changes) if not change.durable]
        nothing, all_ = dict.fromkeys(loose, 0.0), dict.fromkeys(loose, 1.0)
        subsets = [nothing, all_, *(all_ | {number: share} for number in loose for share in (0.0, 0.5))]
        subsets += [nothing | {number: 1.0} for number in loose]
        while len(subsets) < most and len(loose) > 2:
            subsets.append({number: rng.choice((0.0, 0.5, 1.0)) for number in loose})
        for kept in subsets[:most] if loose else subsets[:1]:
            yield f"after {at} operations, kept {kept}", self._replay(blank, changes, kept)

    def _changes(self, at: int) -> tuple[Nodes, list[Change]]:
        """What the operations change, and the nodes before, those still to be made among them, without names."""
        now, blank = self._before.copy(), self._before.copy()
        changes: list[Change] = []
        for operation in self.operations[:at]:
            folder, name = os.path.split(operation.path)
            parent, node = self._find(now, folder), self._find(now, operation.path)
            if operation.kind == "fsync":
                for change in changes:
                    change.durable |= change.node == node
                continue
            if operation.kind in ("write", "truncate") or (operation.kind == "open" and node is not None):
                if operation.kind == "open" and not operation.new:
                    continue
                assert node is not None
                change = Change(node, operation)
            else:
                assert parent is not None
                if node is None:
                    node = 1 + max(itertools.chain(now.files, now.folders))
                    for nodes in (now, blank):
                        nodes.folders.update({node: {}} if operation.kind == "mkdir" else {})
                        nodes.files.update({node: b""} if operation.kind == "open" else {})
                change = Change(parent, operation, name, node)
                if operation.target and (other := self._find(now, os.path.dirname(operation.target))) != parent:
                    assert other is not None
                    change = Change(other, operation, name, node, left=parent)
            changes.append(change)
            change.apply(now)
        return blank, changes

    @staticmethod
    def _replay(blank: Nodes, changes: Sequence[Change], kept: Mapping[int, float]) -> Nodes:
        nodes = blank.copy()
        for number, change in enumerate(changes):
            share = 1.0 if change.durable else kept[number]
            if share:
                change.apply(nodes, share)
        return nodes

    def _find(self, nodes: Nodes, path: str) -> int | None:
        number: int | None = ROOT
        relative = os.path.relpath(path, self._root)
        for part in () if relative == "." else Path(relative).parts:
            number = nodes.folders.get(number, {}).get(part) if number is not None else None
        return number
