"""Uploading of a hub folder by huggingface_hub."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import seqgen

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REPLACED = ["checkpoints/*", "ngram.safetensors"]
"""Files of an earlier upload that are removed where this one has none of the same name."""

_ADVICE: dict[Any, str] = {
    401: "; run hf auth login, or set HF_TOKEN",
    403: "; the token needs the right to write there",
}
"""What to do, by the status of the answer of the hub."""


def check_repository(repo: str) -> None:
    """Refuse a repository that is not OWNER/NAME, and to upload where huggingface_hub is not installed.

    Raises:
        BadOption: it is not.
        MissingExtra: it is not installed.
    """
    if not _REPOSITORY.fullmatch(repo):
        raise seqgen.BadOption(f"cannot upload to {repo!r}: it is no repository; write --push OWNER/NAME")
    if importlib.util.find_spec("huggingface_hub") is None:
        raise seqgen.MissingExtra("hub", "--push")


def check_login(repo: str) -> None:
    """Refuse to upload where huggingface_hub knows no token, from HF_TOKEN or its login.

    Args:
        repo: the repository, OWNER/NAME, for the message.

    Raises:
        UsageError: there is none.
    """
    from huggingface_hub import get_token

    if get_token() is None:
        raise seqgen.UsageError(
            f"cannot upload to {repo!r}: no token of the hub is known; run hf auth login, or set HF_TOKEN"
        )


def upload(folder: Path, repo: str, *, public: bool) -> str:
    """Upload the files of a folder to a repository for a model, which is made if it does not exist.

    Args:
        folder: the folder; files of an earlier checkpoint in the repository are removed.
        repo: OWNER/NAME.
        public: whether a new repository is public, and an existing one may be.

    Returns:
        A line with the address of the repository, and whether it is private.

    Raises:
        UsageError: the hub refuses, is not reached, or has the repository already, and public against ``public``.
    """
    from huggingface_hub import HfApi

    api = HfApi(library_name="seqgen", library_version=seqgen.__version__)
    with _in_one_line(repo), _without_bars():
        url = api.create_repo(repo, private=not public, exist_ok=True)
        is_private = api.model_info(repo).private
        if not is_private and not public:
            raise seqgen.UsageError(
                f"cannot upload to {repo!r}: the repository exists and is public; add --public to upload all the same"
            )
        message = f"Upload {folder.name} by seqgen {seqgen.__version__}"
        api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message, delete_patterns=_REPLACED)
    return f"uploaded to {url} ({'private' if is_private else 'public'})"


@contextlib.contextmanager
def _in_one_line(repo: str) -> Iterator[None]:
    """Make of an error of the hub one line, without the token."""
    from huggingface_hub import get_token

    try:
        yield
    except (seqgen.SeqgenError, MemoryError):
        raise
    except Exception as error:  # of huggingface_hub, of the library below it, and of the network
        status = getattr(getattr(error, "response", None), "status_code", None)
        advice = _ADVICE.get(status, "")
        reason = " ".join(str(getattr(error, "server_message", None) or error).split()) or type(error).__name__
        if token := get_token():
            reason = reason.replace(token, "TOKEN")
        if status is not None:
            shown = f"HTTP {status}: {reason}"
        elif "connect" in type(error).__name__.lower():
            shown = f"the hub is not reached: {re.sub(r'^.Errno -?[0-9]+. ', '', reason)}"
        else:
            shown = reason
        raise seqgen.UsageError(f"cannot upload to {repo!r}: {shown[:300]}{advice}") from None


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
    """Let huggingface_hub show no progress bars and no warnings."""
    utils: Any = importlib.import_module("huggingface_hub.utils")
    verbosity, had_bars = utils.logging.get_verbosity(), not utils.are_progress_bars_disabled()
    utils.logging.set_verbosity_error()
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.logging.set_verbosity(verbosity)
        if had_bars:
            utils.enable_progress_bars()
