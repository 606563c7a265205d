"""Sampler and pruner of a study; importing this module imports optuna."""

from __future__ import annotations

import copy
import math
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import optuna

import seqgen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

N_PARTS = 20
"""Parts of a run by which trials are compared, so that those of different numbers of steps can be."""
AGAIN = "again"
"""The attribute of a trial that repeats one that was cut short: the number of that one."""
_FEWEST = 6  # finished trials of which a setting's importance is said
PRUNERS = ("median", "hyperband", "none")


class SeededSampler(optuna.samplers.BaseSampler):
    """TPE whose random numbers depend on the seed, the trial and the setting only.

    So a study that was stopped goes on as it would have. Trials that repeat one that was cut short are not counted.

    Args:
        seed: of the study.

    Attributes:
        whole: the study, set when it is there: a pruner with brackets shows a sampler those of one only, by which
            trials of different brackets would have the same number.
    """

    whole: optuna.Study

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the settings that are sampled together."""
        return self._tpe(trial, "").infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return values of settings that are sampled together."""
        return self._tpe(trial, "").sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a value of a setting."""
        return self._tpe(trial, param_name).sample_independent(study, trial, param_name, param_distribution)

    def _tpe(self, trial: FrozenTrial, name: str) -> optuna.samplers.TPESampler:
        number = _number(trial, self.whole.get_trials(deepcopy=False))
        return optuna.samplers.TPESampler(seed=zlib.crc32(f"{self._seed} {number} {name}".encode()))


class _Hyperband(optuna.pruners.HyperbandPruner):
    """Hyperband whose brackets do not depend on trials that repeat one that was cut short, nor on what these reported.

    Attributes:
        whole: as ``SeededSampler`` has it.
    """

    whole: optuna.Study

    _numbers: Sequence[int] = ()

    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        if trial.number >= len(self._numbers):  # what repeats what is known when a trial is made
            trials = self.whole.get_trials(deepcopy=False)
            repeated = {one.user_attrs.get(AGAIN) for one in trials}
            self._numbers = [-1 if one.number in repeated else _number(one, trials) for one in trials]
        counted = copy.copy(trial)
        counted.number = self._numbers[trial.number]
        return -1 if counted.number < 0 else super()._get_bracket_id(study, counted)  # -1: in none


def _number(trial: FrozenTrial, trials: list[FrozenTrial]) -> int:
    """Return the number of a trial among those that repeat none; of one that repeats another, that of the other."""
    while AGAIN in trial.user_attrs:
        trial = trials[trial.user_attrs[AGAIN]]
    return sum(AGAIN not in one.user_attrs for one in trials[: trial.number])


def make_pruner(name: str) -> optuna.pruners.BasePruner:
    """Return a pruner of trials that report once in each of 20 parts of a run.

    Args:
        name: "median": prune what is worse than the median of earlier trials, from a fifth of a run on, after five
            trials; "hyperband": keep the best third after 1, 3 and 9 parts; "none".

    Raises:
        BadOption: another name.
    """
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=N_PARTS // 5)
    if name == "hyperband":
        return _Hyperband(min_resource=1, max_resource=N_PARTS, reduction_factor=3)
    if name == "none":
        return optuna.pruners.NopPruner()
    raise seqgen.BadOption(f"no pruner {name!r}: --pruner is {', '.join(PRUNERS)}")


def importance(study: optuna.Study) -> dict[str, float]:
    """Return the share of each setting in what makes trials good, by PED-ANOVA (arXiv:2304.10255); {} for too few.

    The good ones are the best tenth of the finished trials, or as many as make five, but at most half of them.
    """
    finished = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    n_finite = sum(math.isfinite(trial.value) for trial in finished if trial.value is not None)
    if n_finite < _FEWEST:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # until optuna 5
        warnings.filterwarnings("ignore", "Some regimes", UserWarning)  # an option of one cell has few trials
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=min(0.5, max(0.1, 5 / n_finite)))
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
