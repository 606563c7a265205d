"""The settings of a study, stored in its folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import seqgen
from seqgen_tune.dimension import Dimension
from seqgen_tune.ranges import read_tables

STUDY = "study.json"
_FORMAT = 1


@dataclass(frozen=True)
class Definition:
    """The settings of a study, the content of study.json.

    Attributes:
        corpus: as ``seqgen.train`` takes it; None: as the settings name it.
        settings: the fixed settings, keywords of ``seqgen.train``.
        space: the settings that are searched.
        pruner: the name of the pruner.
        trials: number of trials.
        title: the title of the corpus.
        digest: the digest of the corpus.
        first: values of the first trial by key: those of a run without a search, where they are in the space.
        seed: the seed of all trials and of the sampler, wherever it is given.
        config_digest: the ``digest_config`` of the file that ``settings`` has as config; "": none, or it is not known.
    """

    corpus: str | list[str] | None
    settings: Mapping[str, Any]
    space: tuple[Dimension, ...]
    pruner: str
    trials: int
    title: str
    digest: str
    first: Mapping[str, Any]
    seed: int
    config_digest: str = ""

    def check_corpus(self, plan: seqgen.TrainingPlan) -> None:
        """Refuse the plan of a run on another corpus than the one that the study began with.

        Raises:
            CorpusError: it has changed.
        """
        if plan.settings.corpus.digest != self.digest:
            raise seqgen.CorpusError(f"corpus {self.title!r} has changed since the study began: begin a new one")

    def check_config(self, folder: Path) -> None:
        """Refuse to train with another content of the configuration file than the one that the study began with.

        Args:
            folder: of the study, for the message.

        Raises:
            UsageError: it has changed, or cannot be read.
        """
        path = self.settings.get("config")
        if self.config_digest and digest_config(path) != self.config_digest:
            raise seqgen.UsageError(
                f"cannot continue the study {str(folder)!r}: the configuration {path!r} has changed since it began; "
                "restore the file, or pass another --out"
            )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return json.loads(json.dumps({"format": _FORMAT, **dataclasses.asdict(self)}))  # type: ignore[no-any-return]

    @classmethod
    def read(cls, folder: seqgen.WorkFolder) -> Definition:
        """Return the definition of the study in a folder.

        Raises:
            UsageError: it holds no study.
            CheckpointError: study.json is damaged, a link, or of a newer format.
        """
        try:
            found = json.loads(folder.read(STUDY))
            if found.pop("format") != _FORMAT:
                raise seqgen.CheckpointError(f"cannot read {str(folder.path / STUDY)!r}: it is of a newer format")
            space: list[dict[str, Any]] = [
                {name: tuple(value) if isinstance(value, list) else value for name, value in one.items()}
                for one in found.pop("space")
            ]
            if "seed" not in found:  # as in older studies, whose sampler knew that of the keyword only
                found["seed"] = int(found["settings"].get("seed") or 0)
            return cls(**found, space=tuple(Dimension(**one) for one in space))
        except OSError:
            raise seqgen.UsageError(f"{str(folder.path)!r} is not the folder of a study; name a new one") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise seqgen.CheckpointError(f"cannot read {str(folder.path / STUDY)!r}: {error}") from None


def digest_config(path: str | None) -> str:
    """Return the SHA-256 of the tables of a configuration file, whatever its comments and order; "" for none.

    Raises:
        UsageError: the file cannot be read, or is no TOML.
    """
    if not path:
        return ""
    tables = json.dumps(read_tables(Path(path), "configuration"), sort_keys=True, default=str)
    return hashlib.sha256(tables.encode()).hexdigest()
