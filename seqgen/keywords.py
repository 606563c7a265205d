"""Typed keywords of ``seqgen.train``, ``Run.sample`` and ``Run.evaluate``.

Written by ``tools/write_keywords.py`` from the configurations; a new setting is declared there, never here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypedDict

from seqgen.specs import AugmentationSpec, CellSpec, DomainSpec, ModelSpec, TokenizerSpec


class TrainKeywords(TypedDict, total=False):
    """Keywords of :class:`seqgen.config.TrainConfig`."""

    seed: int | None
    """Seed of all random numbers: the same seed gives the same run."""
    split: str | Sequence[float] | None
    """Shares like 80/10/10 of training, validation and test records, by a hash of the text."""
    split_seed: int | None
    """Seed of the split, independent of seed."""
    steps: int | None
    """Stop after this many optimizer steps."""
    epochs: float | None
    """Stop after this many passes over the training records."""
    time: str | float | None
    """Stop after this much training and evaluation, like 60s, 5m or 1h, summed over resumes."""
    batch_size: int | None
    """Records per step, of a file 32 to 128 by its size; for one long text, lanes side by side."""
    window: int | None
    """Symbols per lane and step, for one long text."""
    lr: float | None
    """Peak learning rate; a run of a few hundred steps decays before it is reached."""
    warmup_steps: int | None
    """Steps over which the learning rate rises from zero."""
    decay: Literal["cosine", "none"] | None
    """Fall of the learning rate over the whole run, warm-up included."""
    final_lr_ratio: float | None
    """Final learning rate as a share of the peak, with decay."""
    weight_decay: float | None
    """Decoupled weight decay of AdamW (arXiv:1711.05101)."""
    clip_norm: float | None
    """Largest gradient norm; 0 does not clip."""
    eval_every: int | None
    """Steps between evaluations; default: about 20 evaluations a run, every 10 steps for few records."""
    eval_records: int | None
    """Maximum held-out records per evaluation; with time_s, as many as fit in a twentieth of it."""
    patience: int | None
    """Evaluations without improvement before the run stops; 0: never stop early."""
    best_by: Literal["loss", "copies"] | None
    """Criterion of the best step: lowest held-out loss, or the last step that copies few records; default: copies
    for fewer than 200 records."""
    blend: Literal["auto", "ngram", "none"] | None
    """Blend with n-gram counts: always (ngram), never (none), or if it lowers the held-out loss (auto); default:
    auto; none below 200 records or with conditions; beyond four million symbols auto counts only a part."""
    exponents: Literal["fitted", "sharp", "words"] | None
    """Exponents of network and counts in a blend: fitted to held-out symbols; sharp: 0.9 for the network, and only
    those of the counts are fitted, which keeps a syntax; or words: sharp, but fitted among letters, digits and
    underscores; default: fitted; for texts with a syntax sharp, or words as the domain says."""
    repeats: Literal["auto", "on", "none"] | None
    """Predict repetition within a record (a cache model): on, none, or if that lowers the held-out loss (auto);
    default: auto; with --blend none, none."""
    refit: bool | None
    """Then train a second run, on training and validation records, for as many passes as were best."""
    pieces: int | None
    """Pieces of a batch whose gradients are summed along a tree; with workers 8, which share them."""
    timeout_s: float | None
    """Seconds after which a worker that does not answer ends the run."""
    save_every_s: float | None
    """Maximum seconds between checkpoints."""
    samples: int | None
    """Samples shown at each evaluation."""
    track: str | Sequence[str] | None
    """Send metrics and samples to this tracker, like tensorboard=DIR; may be repeated."""
    device: str | None
    """Device to compute on: auto, cpu, cuda or mps."""
    engine: Literal["auto", "fused", "scan", "compiled", "eager"] | None
    """Engine that runs steps over time: auto, fused, scan, compiled or eager."""
    compile_ahead: bool | None
    """Compile the steps in the background, for later runs of the same sizes with the engine compiled."""
    precision: Literal["float32", "bfloat16"] | None
    """Precision of matrix products; bfloat16 is used only where the device computes in it."""
    threads: int | None
    """CPU threads; default: by the sizes of model and batch."""
    cell: str | type | CellSpec | Sequence[str | type | CellSpec] | None
    """Recurrent cell of each layer (seqgen list cells); a stack has one a layer: gru,mlp,gru."""
    model: str | type | ModelSpec | None
    """Model around the cells (seqgen list models)."""
    hidden: int | None
    """Units of each layer."""
    layers: int | None
    """Number of recurrent layers."""
    embedding: int | None
    """Size of the embedding of each symbol."""
    dropout: float | None
    """Dropout probability between layers and before the head."""
    params: int | str | None
    """Choose --hidden so that the model has at most this many parameters, like 50k."""
    tokenizer: str | type | TokenizerSpec | None
    """Tokenizer that cuts texts into symbols (seqgen list tokenizers)."""
    domain: str | DomainSpec | None
    """Domain of the texts, such as smiles (seqgen list domains)."""
    layout: Literal["lines", "stream"] | None
    """lines: one record per line; stream: one long text, such as a novel."""
    text_field: str | None
    """Field that holds the text, in a JSON or CSV file."""
    label_field: str | None
    """Field that holds the label, in a JSON or CSV file."""
    condition: str | Sequence[str] | None
    """Condition the model on the label or on these fields (comma-separated)."""
    augment: str | AugmentationSpec | None
    """Augmentation that rewrites each record anew in every epoch."""
    valid: str | Path | None
    """File of validation records, instead of a split."""
    test: str | Path | None
    """File of test records, beside which the default split is 95/5/0."""
    start: str | PathLike[str] | None
    """Start from the weights of this run, with its settings unless others are given."""
    workers: int | None
    """Processes that share each batch, a power of two; the result is the same for 1, 2, 4 and 8."""
    on: str | None
    """Executor that runs the other workers, with options as -o executor.NAME=VALUE."""
    out: str | Path | None
    """Folder of the new run."""
    config: str | Path | None
    """TOML file with the tables train, model, cell, tokenizer, corpus and augmentation."""
    options: Mapping[str, Any] | None
    """Any other setting, like zoneout=0.1 or cell.activation=tanh, several values as NAME=A,B (see seqgen show
    train, show model recurrent, show cell vanilla); may be repeated."""


class DecodeKeywords(TypedDict, total=False):
    """Keywords of :class:`seqgen.config.DecodeConfig`."""

    prefix: str | None
    """Text that every row starts with."""
    contains: str | Sequence[str] | None
    """Text that every row contains; may be repeated."""
    contains_any: str | Sequence[str] | None
    """File of texts, one per line; every row contains at least one of them."""
    avoid: str | Sequence[str] | None
    """Text that no row contains; may be repeated."""
    ends: str | None
    """Text that every row ends with."""
    template: str | None
    """Text that every row is, with a star for each text to fill in."""
    length: str | int | tuple[int, int] | None
    """Length of every row in characters: 5-8, 5, 5- or -8."""
    regex: str | None
    """Regular expression that matches every whole row (extra: constrain)."""
    ignore_case: bool | None
    """Ignore case in --contains, --avoid, --ends, --template and --regex."""
    label: str | None
    """Label of the rows, for runs trained with --condition label."""
    given: Mapping[str, Any] | None
    """Value of a condition, or of a field that rows begin with; may be repeated."""
    max_length: int | None
    """Number of symbols at which a row is cut, which tables mark by …."""
    temperature: float | None
    """Below 1 rows are safer, above 1 bolder; 0 is greedy."""
    top_k: int | None
    """Sample among the k most probable symbols only."""
    top_p: float | None
    """Sample among the most probable symbols that together reach this probability."""
    min_p: float | None
    """Drop symbols less probable than this share of the most probable one."""
    repetition_penalty: float | None
    """Above 1, symbols that the row already contains are less likely (arXiv:1909.05858)."""
    ban: str | None
    """Characters that no sampled symbol contains."""
    guidance: float | None
    """Above 1, --label and --given have a stronger effect than in training."""
    processors: Mapping[str, Mapping[str, Any]] | Sequence[str] | None
    """Processor of the logits, by its registered name; may be repeated."""
    seed: int | None
    """Seed of the rows: another one gives other rows; row i is the same for every number of rows."""
    exact: bool | None
    """Keep the model's distribution: sample freely and reject rows that break a constraint."""
    batch_size: int | None
    """Rows sampled together; does not change the rows."""


class SampleKeywords(DecodeKeywords, total=False):
    """Keywords of :class:`seqgen.config.SampleConfig`."""

    decode: Literal["sample", "beam", "gumbel"] | None
    """Sample; beam: beam search as wide as -n; gumbel: sample without replacement."""
    fast: bool | None
    """Guide rows by a constraint, or a grammar with --valid, which changes their distribution."""
    unique: bool | None
    """Reject duplicate rows."""
    novel: bool | None
    """Reject rows that are training records; held-out ones may remain."""
    valid: bool | None
    """Reject rows that the domain's validator does not accept."""
    min_edit: int | None
    """Minimum edit distance from every training record (extra: evaluate)."""
    effort: int | None
    """Maximum rows sampled to find those that pass the filters."""
    rows: str | range | tuple[int, int] | None
    """Sample the rows numbered A to B - 1 in place of the first -n; filters then apply; 0:1e6."""


class EvaluateKeywords(TypedDict, total=False):
    """Keywords of :class:`seqgen.config.EvaluateConfig`."""

    seed: int | None
    """Seed of the samples."""
    reference: str | Path | None
    """Corpus that metrics compare the samples with; default: the held-out records."""
    metrics: str | Sequence[str] | None
    """Also compute this metric, beside those of the domain (seqgen list metrics); may be repeated."""
    options: Mapping[str, Any] | None
    """Option of the reference corpus, a metric or a report; may be repeated."""
    workers: int | None
    """Processes that share the held-out losses and the samples."""
    on: str | None
    """Executor of the workers, with options as -o executor.NAME=VALUE."""
    html: str | Path | None
    """Also write a self-contained HTML page with plots; FILE is overwritten (extra: plot)."""
    reports: Mapping[str, str | Path] | None
    """Also write another report; FILE is overwritten (seqgen list reports); may be repeated."""
