"""Publishing an export: written under a temporary name, compared with its run, and only then renamed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from seqgen.errors import ExportRefused, UsageError
from seqgen.files import check_folder_of, check_suffix, is_special, staged
from seqgen.protocols import Exported


def publish(exporter: Any, run: Any, path: Path) -> Exported:
    """Export a run to a path; an existing file there is replaced only by one that agrees with the run.

    Args:
        exporter: implements :class:`seqgen.Exporter`.
        run: a :class:`seqgen.Run`.
        path: the file or folder to make.

    Returns:
        The result of the exporter, with its files under their final names.

    Raises:
        BadOption: the path has the suffix of another kind of files than the exporter writes.
        UsageError: the path is a device, a pipe, a folder that holds something, or a folder where a file is written.
        ExportRefused: the form cannot hold the run, or what was written differs from it.
        DiskError: writing failed.
    """
    check_suffix(path, getattr(exporter, "suffixes", ()))
    check_folder_of(path)
    if path.is_dir() and any(path.iterdir()):
        raise UsageError(f"cannot export to {str(path)!r}: it is a folder with files in it; name another")
    if is_special(path) and not path.is_dir():
        raise UsageError(f"cannot export to {str(path)!r}: it is a device or a pipe; name a file or a folder")
    with staged(path) as new:
        found: Exported = exporter.export(run, new)
        if not found.difference <= found.tolerance:  # also where it is not a number
            raise ExportRefused(
                f"cannot export {run.folder.name!r} to {str(path)!r}: the {found.compared} differ by up to "
                f"{found.difference:.3g}, and {found.tolerance:.3g} is allowed; nothing was written"
            )
        if path.exists() and path.is_dir() != new.is_dir():
            there, written = ("folder", "file") if path.is_dir() else ("file", "folder")
            raise UsageError(
                f"cannot export to {str(path)!r}: it is a {there}, and a {written} is written; name another"
            )
    files = [path / Path(file).relative_to(new) for file in found.files]
    return dataclasses.replace(found, files=files)
