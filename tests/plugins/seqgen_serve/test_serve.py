"""``seqgen serve``: rows and scores over HTTP are those of ``Run.sample`` and ``Run.score``."""

from __future__ import annotations

import asyncio
import concurrent.futures
import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from serving import Client, serving, wait_for

import seqgen
from browser import Browser, find_chromium
from conftest import WORDS
from seqgen_serve.choices import choices_of, count_returned, finished
from seqgen_serve.errors import ApiError
from seqgen_serve.job import Prompt, make_job
from seqgen_serve.limits import Limits
from seqgen_serve.metrics import Metrics
from seqgen_serve.schema import parse_request
from seqgen_serve.served import ServedRun
from seqgen_serve.server import listen
from seqgen_serve.stream import Stream
from seqgen_serve.together import _Open
from seqgen_serve.worker import Worker

pytest.importorskip("fastapi", reason="no FastAPI (extra: serve)")
pytest.importorskip("uvicorn", reason="no uvicorn (extra: serve)")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    table = folder / "two.csv"
    table.write_text("text,label\n" + "".join(f"{letter * n},{letter}\n" for letter in "ab" for n in range(2, 6)) * 4)
    return seqgen.train(
        table, cell="gru", hidden=12, steps=60, split="none", condition="label", text_field="text",
        label_field="label", out=folder / "labelled",
    )  # fmt: skip


@pytest.fixture(scope="module")
def long_text(tmp_path_factory):
    """A run that learned one long text, whose rows have no end."""
    folder = tmp_path_factory.mktemp("long")
    path = folder / "long.txt"
    path.write_text("\n".join(WORDS) * 30)
    return seqgen.train(path, cell="vanilla", hidden=16, steps=20, layout="stream", out=folder / "long")


@pytest.fixture(scope="module")
def client(tiny_run, labelled, long_text):
    with serving(tiny_run, labelled, long_text, timeout_s=30.0) as found:
        yield found


def plain(run, n=1, **settings):
    prefix = settings.get("prefix", "")
    return [row.text[len(prefix) :] for row in run.sample(n, **settings)]


# -- rows


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        ({"n": 5, "seed": 3}, {"n": 5, "seed": 3}),
        ({"prompt": "an", "n": 3, "seed": 0, "temperature": 0.5}, {"prefix": "an", "n": 3, "temperature": 0.5}),
        ({"n": 8, "seed": 1, "top_p": 0.7}, {"n": 8, "seed": 1, "top_p": 0.7}),
        ({"n": 4, "seed": 1, "top_k": 3, "min_p": 0.01}, {"n": 4, "seed": 1, "top_k": 3, "min_p": 0.01}),
        ({"prompt": "an", "n": 6, "seed": 2, "max_tokens": 3}, {"prefix": "an", "n": 6, "seed": 2, "max_length": 5}),
        ({"n": 5, "seed": 2, "contains": "n", "length": "3-6"}, {"n": 5, "seed": 2, "contains": "n", "length": "3-6"}),
        ({"n": 5, "seed": 2, "regex": "[a-m]+"}, {"n": 5, "seed": 2, "regex": "[a-m]+"}),
        ({"n": 30, "seed": 2, "unique": True, "novel": True}, {"n": 30, "seed": 2, "unique": True, "novel": True}),
        ({"n": 3, "seed": 2, "exact": True, "avoid": ["e"]}, {"n": 3, "seed": 2, "exact": True, "avoid": ["e"]}),
    ],
)
def test_rows_are_those_of_sample(client, tiny_run, body, settings):
    answer = client.post(model="run", **body)
    assert [choice["text"] for choice in answer["choices"]] == plain(tiny_run, **settings)
    assert [choice["index"] for choice in answer["choices"]] == list(range(body.get("n", 1)))
    rows = tiny_run.sample(**settings)
    reasons = [choice["finish_reason"] for choice in answer["choices"]]
    assert reasons == ["length" if row.cut else "stop" for row in rows]
    n_prompt = len(body.get("prompt", ""))
    n_sampled = sum(len(row.text) - n_prompt for row in rows)
    assert answer["usage"] == {
        "prompt_tokens": n_prompt, "completion_tokens": n_sampled, "total_tokens": n_prompt + n_sampled,
    }  # fmt: skip
    assert answer["model"] == "run" and answer["object"] == "text_completion" and answer["seed"] == body["seed"]
    echoed = client.texts(model="run", echo=True, **body)
    assert echoed == [row.text for row in rows]
    streamed = {}
    for chunk in client.stream(model="run", **body):
        for choice in chunk["choices"]:
            streamed.setdefault(choice["index"], []).append(choice)
    assert ["".join(one["text"] for one in streamed[index]) for index in sorted(streamed)] == plain(
        tiny_run, **settings
    )
    assert [streamed[index][-1]["finish_reason"] for index in sorted(streamed)] == reasons


def test_several_prompts_have_the_rows_of_each(client, tiny_run):
    found = client.texts(model="run", prompt=["an", "", "r"], n=3, seed=5)
    assert found == [text for prefix in ("an", "", "r") for text in plain(tiny_run, 3, prefix=prefix, seed=5)]


def test_labels(client, labelled):
    for label in "ab":
        body = {"model": "labelled", "n": 4, "seed": 1}
        assert client.texts(label=label, **body) == plain(labelled, 4, seed=1, label=label)
        assert client.texts(given={"label": label}, contains=label, **body) == plain(
            labelled, 4, seed=1, label=label, contains=label
        )
    assert "no condition 'label'" in client.error(400, model="run", label="a")
    unknown = client.post(status=400, model="run", given={"year": "1999"})["error"]
    assert "no condition 'year'" in unknown["message"] and unknown["param"] == "given"
    assert "known: a, b" in client.error(400, model="labelled", label="c")
    assert "has no label '7'; known: a, b" in client.error(400, model="labelled", given={"label": 7})


@pytest.mark.parametrize("more", [{}, {"prompt": "aa", "echo": True, "max_tokens": 0, "logprobs": 0}])
def test_two_labels_are_refused_in_sampling_and_scoring(more, client):
    for other in ("b", "c"):
        error = client.post(status=400, model="labelled", label="a", given={"label": other}, **more)["error"]
        assert f"cannot condition on two labels, 'a' and '{other}'" in error["message"] and error["param"] == "label"
    assert client.post(model="labelled", label="a", given={"label": "a"}, **more)["choices"]


def test_a_field_of_records_is_given_by_the_prompt(tmp_path):
    path = tmp_path / "units.csv"
    path.write_text("name,text\n" + "".join(f"Wolf{n},howls {n}\n" for n in range(20)))
    options = {"corpus.fields": "name,text"}
    run = seqgen.train(path, hidden=4, steps=1, options=options, out=tmp_path / "units")
    expected = r'no condition .name.: it was trained .*; if its records begin .* the prompt with "name=Wolf1\\n"$'
    with pytest.raises(ApiError, match=expected):
        ServedRun("units", run).check_conditions(None, {"name": "Wolf1"})


def test_a_seed_is_random_unless_given_and_repeats_the_rows(client):
    first, second = client.post(n=5), client.post(n=5)
    assert first["choices"] != second["choices"]
    assert client.post(n=5, seed=first["seed"])["choices"] == first["choices"]


@pytest.mark.full
def test_too_few_rows_are_returned_with_a_warning(client, tiny_run):
    answer = client.post(model="run", n=50, seed=0, length="1", unique=True)
    assert 0 < len(answer["choices"]) < 50 and any("cannot find" in line for line in answer["warnings"])
    assert "effort" not in "".join(answer["warnings"])  # which is no field of a request


def test_a_prompt_with_too_few_rows_leaves_the_numbers_of_the_next(client):
    answer = client.post(model="run", prompt=["", "a"], n=40, seed=0, length="1", unique=True)
    numbers = [choice["index"] // 40 for choice in answer["choices"]]
    assert set(numbers) == {0, 1} and numbers.count(1) == 1
    assert all(line.startswith(("prompt 1: ", "prompt 2: ")) for line in answer["warnings"])
    assert {line[7] for line in answer["warnings"] if "cannot find" in line} == {"1", "2"}


def test_warnings_name_the_fields_of_the_request(client, tiny_run):
    settings = {"n": 5, "seed": 2, "contains": "n", "length": "3-6"}
    of_run = []
    list(tiny_run.iter_samples(**settings, warn=of_run.append))
    warnings = client.post(model="run", **settings)["warnings"]
    assert warnings == [line.replace("--contains", "contains").replace("--length", "length") for line in of_run]
    assert warnings and warnings != of_run and "--" not in "".join(warnings)


# -- stops


@pytest.mark.parametrize("stop", ["n", ["x", "a"], ["an"]])
def test_a_stop_ends_rows(client, tiny_run, stop):
    body = {"model": "run", "prompt": "an", "n": 20, "seed": 4}
    stops = [stop] if isinstance(stop, str) else stop
    wanted = []
    for row in tiny_run.sample(20, prefix="an", seed=4):
        text, reason = row.text[2:], "length" if row.cut else "stop"
        found = [(text.index(one) + len(one), text.index(one)) for one in stops if one in text]
        wanted.append((text[: min(found)[1]], "stop") if found else (text, reason))
    answer = client.post(stop=stop, logprobs=0, **body)["choices"]
    assert [(choice["text"], choice["finish_reason"]) for choice in answer] == wanted
    assert ["".join(choice["logprobs"]["tokens"]) for choice in answer] == [text for text, _ in wanted]
    streamed = [""] * 20
    for chunk in client.stream(stop=stop, **body):
        for choice in chunk["choices"]:
            streamed[choice["index"]] += choice["text"]
    assert streamed == [text for text, _ in wanted]


def test_of_stops_within_one_another_the_one_that_is_complete_first_counts():
    """So an answer does not depend on how far a row was sampled before the stops were looked for."""
    text, stops = "CiIqae", ["Iqa", "q"]
    whole = finished(text, 0, stops, cut=False)
    for end in range(len(text) + 1):
        found = finished(text[:end], 0, stops, cut=True)
        assert found == (whole if found[1] == "stop" else (text[:end], "length"))
    assert whole == ("CiI", "stop") and finished("abc", 0, ["bc", "c"], cut=False) == ("a", "stop")


def growing(text, stop=()):
    """Return the job of a row that grows letter by letter, and the chunks that its streams post."""
    posted = []
    request = SimpleNamespace(stops=stop, echo=False, logprobs=None, stream=True)
    served = SimpleNamespace(name="run", grows=True)
    job = SimpleNamespace(n_rows=1, prompts=[Prompt("", 0, 99, False)], request=request, served=served, stream=None,
                          post=posted.append, identity="i", created=0, seed=0)  # fmt: skip
    return job, posted


def test_a_row_that_is_shorter_than_a_stop_is_held_back():
    """What begins a stop of eight letters must not be sent before the seventh."""
    job, posted = growing("abcdefgh", ["abcdefgh"])
    stream = Stream(job)
    for n in range(1, 9):
        stream.send([[seqgen.Sample(0, "abcdefgh"[:n], n < 8)]], n == 8)
    assert "".join(choice["text"] for chunk in posted for choice in chunk["choices"]) == ""


def test_rows_that_are_sampled_again_go_on_in_their_stream():
    """A batch in which another job is at fault is sampled anew."""
    job, posted = growing("abcd")
    for texts in (("a", "ab"), ("a", "abc", "abcd")):
        stream = _Open(SimpleNamespace(), job, []).stream
        for text in texts:
            stream.send([[seqgen.Sample(0, text, text != "abcd")]], text == "abcd")
    assert "".join(choice["text"] for chunk in posted for choice in chunk["choices"]) == "abcd"


def test_a_character_of_several_bytes_is_sent_once_it_is_whole():
    job, posted = growing("né")
    stream = Stream(job)
    for text in ("n", "n\N{REPLACEMENT CHARACTER}", "né"):
        stream.send([[seqgen.Sample(0, text, text != "né")]], text == "né")
    assert [choice["text"] for chunk in posted for choice in chunk["choices"]] == ["n", "é"]


def test_symbols_that_merge_with_the_prompt_are_not_counted_below_zero():
    sizes = np.array([3, 5])  # with the marks at both ends
    vocabulary = SimpleNamespace(frame_many=lambda texts: (None, sizes))
    job = SimpleNamespace(
        served=SimpleNamespace(vocabulary=vocabulary),
        prompts=[Prompt("Hann", 3, 99, False)],
        request=SimpleNamespace(stops=[]),
    )
    rows = [[seqgen.Sample(0, "Hannah", False), seqgen.Sample(1, "Hannab", False)]]
    assert count_returned(job, rows) == 0
    sizes += 3
    assert count_returned(job, rows) == 1 + 3


def test_a_row_with_bytes_that_are_no_character_has_no_log_probabilities(words, tmp_path):
    settings = {"cell": "vanilla", "hidden": 4, "steps": 2, "split": "none", "blend": "none", "tokenizer": "byte"}
    run = seqgen.train(words, out=tmp_path / "run", **settings)
    with serving(run) as client:
        choices = client.post(n=20, seed=0, temperature=20, logprobs=0)["choices"]
        replaced = ["\N{REPLACEMENT CHARACTER}" in choice["text"] for choice in choices]
        assert any(replaced) and [choice["logprobs"] is None for choice in choices] == replaced
        body = {"prompt": "\N{REPLACEMENT CHARACTER}", "echo": True, "max_tokens": 0, "logprobs": 0}
        assert len(client.post(**body)["choices"][0]["logprobs"]["tokens"]) == 3


def test_clients_that_have_gone_away_leave_the_queue(tiny_run):
    async def submit():
        served = ServedRun("run", tiny_run)
        worker = Worker(Limits(queue=2), Metrics(lambda line: None))  # not started: nothing leaves the queue by itself
        jobs = [make_job(parse_request(b'{"n": 1}'), served, Limits()) for _ in range(4)]
        for job in jobs[:2]:
            worker.submit(job)
        with pytest.raises(ApiError, match="the queue of 2 is full"):
            worker.submit(jobs[2])
        jobs[0].given_up = ApiError(499, "the client has gone away")
        worker.submit(jobs[3])
        assert worker.n_waiting == 2 and jobs[0].answered and not jobs[1].answered

    asyncio.run(submit())


def test_usage_counts_what_is_returned_and_not_what_a_stop_cuts_off(client):
    body = {"model": "run", "prompt": "an", "n": 20, "seed": 3, "stop": ["n", "e"], "max_tokens": 30}
    answer = client.post(**body)
    n_returned, n_whole = (sum(map(len, client.texts(**body | {"stop": stop}))) for stop in (body["stop"], []))
    assert answer["usage"]["completion_tokens"] == n_returned < n_whole
    chunks = client.stream(stream_options={"include_usage": True}, **body)
    assert chunks[-1]["usage"] == answer["usage"]


@pytest.mark.full
def test_a_long_text_grows_in_a_stream_and_ends_at_its_stop(client, long_text):
    body = {"model": "long", "seed": 1, "max_tokens": 1500}
    chunks = client.stream(stream_options={"include_usage": True}, **body)
    texts = [choice["text"] for chunk in chunks for choice in chunk["choices"]]
    assert len(texts) > 2 and "".join(texts) == plain(long_text, seed=1, max_length=1500)[0]
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["completion_tokens"] == 1500
    text = "".join(texts)
    answer = client.post(stop=text[20:24], **body)
    assert answer["choices"][0]["text"] == text.partition(text[20:24])[0]
    assert answer["usage"]["completion_tokens"] == len(answer["choices"][0]["text"])


# -- scores


@pytest.mark.parametrize("text", ["anna", "emilia", "k"])
def test_log_probabilities_are_those_of_score(client, tiny_run, text):
    (score,) = tiny_run.score(text)
    (choice,) = client.post(model="run", prompt=text, echo=True, max_tokens=0, logprobs=0, end=True)["choices"]
    assert choice["text"] == text and choice["logprobs"]["tokens"] == [*text, ""]
    assert [-value for value in choice["logprobs"]["token_logprobs"]] == list(score.nats_per_symbol)
    (choice,) = client.post(model="run", prompt=text, echo=True, max_tokens=0, logprobs=3)["choices"]
    assert [-value for value in choice["logprobs"]["token_logprobs"]] == list(score.nats_per_symbol[:-1])
    assert choice["logprobs"]["text_offset"] == list(range(len(text)))
    for at, top in enumerate(choice["logprobs"]["top_logprobs"]):
        best = tiny_run.next_symbols(text[:at], 3)
        assert list(top)[:3] == [one.text for one in best] and text[at] in top


def test_the_log_probabilities_of_rows_include_their_end(client, tiny_run, labelled):
    for run, more in ((tiny_run, {}), (labelled, {"label": "b"})):
        answer = client.post(model=run.path.name, n=30, seed=2, logprobs=0, **more)
        for choice, row in zip(answer["choices"], run.sample(30, seed=2, **more), strict=True):
            (score,) = run.score(row.text, given=more)
            assert -sum(choice["logprobs"]["token_logprobs"]) == pytest.approx(
                sum(score.nats_per_symbol[: len(row.text) + (not row.cut)]), abs=1e-9
            )


def test_no_end_is_shown_beyond_the_tokens_that_were_asked_for(client):
    answer = client.post(model="run", n=5, seed=1, max_tokens=4, length="4", logprobs=0)
    for choice in answer["choices"]:
        assert choice["finish_reason"] == "stop" and choice["logprobs"]["tokens"] == list(choice["text"])


def test_a_row_that_cannot_be_scored_leaves_the_others_their_log_probabilities(tiny_run):
    request = SimpleNamespace(logprobs=0, stops=(), echo=True)
    served = ServedRun("run", tiny_run)
    job = SimpleNamespace(n=1, request=request, served=served, conditions={}, prompts=[Prompt("", 0, 99, False)],
                          max_tokens=None)  # fmt: skip
    choices = choices_of(job, [[seqgen.Sample(0, "anna", False), seqgen.Sample(1, "\N{REPLACEMENT CHARACTER}", False)]])
    assert choices[1]["logprobs"] is None
    assert [-value for value in choices[0]["logprobs"]["token_logprobs"]] == list(
        tiny_run.score("anna")[0].nats_per_symbol
    )


@pytest.mark.full
@pytest.mark.parametrize("tokenizer", ["byte", "word"])
def test_symbols_that_are_not_characters(tmp_path, tokenizer):
    corpus = tmp_path / "words.txt"
    corpus.write_text("ein Ölfaß\nzwei Äpfel, naß\nkeine Ölfässer €\n" * 8, encoding="utf-8")
    run = seqgen.train(corpus, cell="gru", hidden=12, tokenizer=tokenizer, steps=60, split="none", out=tmp_path / "run")
    with serving(run) as client:
        text = "zwei Äpfel"
        (score,) = run.score(text, top=2)
        (choice,) = client.post(prompt=text, echo=True, max_tokens=0, logprobs=2, end=True)["choices"]
        found = choice["logprobs"]
        assert [-value for value in found["token_logprobs"]] == list(score.nats_per_symbol)
        whole = [
            (token, at) for token, at in zip(found["tokens"], found["text_offset"], strict=True) if "\\" not in token
        ]
        assert all(text[at:].startswith(token) for token, at in whole) and found["text_offset"][-1] == len(text)
        if tokenizer == "byte":
            at = found["tokens"].index("bytes:\\xc3")
            assert found["tokens"][at : at + 2] == ["bytes:\\xc3", "bytes:\\x84"] and found["text_offset"][
                at : at + 2
            ] == [5, 5]
            best = found["top_logprobs"]
            assert "bytes:\\xac" in set().union(*best) and "\N{REPLACEMENT CHARACTER}" not in set().union(*best)
            assert all(len(names) >= 2 for names in best[1:])
        rows = [row.text for row in run.sample(6, seed=1, prefix="zwei Ä", max_length=40)]
        n_tokens = len(run.vocabulary.encode("zwei Ä"))
        body = {"prompt": "zwei Ä", "n": 6, "seed": 1, "max_tokens": 40 - n_tokens, "echo": True}
        assert client.texts(**body) == rows
        streamed = [""] * 6
        for chunk in client.stream(**body):
            for one in chunk["choices"]:
                streamed[one["index"]] += one["text"]
        assert streamed == rows


def test_what_the_evaluation_harness_sends(client, tiny_run):
    """Its requests for a log-likelihood: tokens, one more of them than asked for, and the sum over a slice."""
    info = client.get("/tokenizer_info")
    begin = client.post("/tokenize", prompt=info["bos_token"], add_special_tokens=False)["tokens"]
    for context, continuation in (("an", "na"), ("", "anna"), ("emi", "l")):
        before = client.post("/tokenize", prompt=context)["tokens"] or begin
        after = client.post("/tokenize", prompt=continuation)["tokens"]
        for prompt in ([before + after], context + continuation):
            if isinstance(prompt, str) and not context:
                continue
            answer = client.post(
                model="run", prompt=prompt, temperature=0, max_tokens=1, logprobs=1, seed=1234, echo=True
            )
            (choice,) = answer["choices"]
            found = choice["logprobs"]["token_logprobs"][len(before) : -1]
            start = len(context)
            nats = tiny_run.score(context + continuation)[0].nats_per_symbol[start : start + len(continuation)]
            assert sum(found) == pytest.approx(-sum(nats), abs=1e-4)
            best = [max(top.values()) for top in choice["logprobs"]["top_logprobs"][len(before) : -1]]
            greedy = all(
                tiny_run.next_symbols((context + continuation)[:at], 1)[0].text == (context + continuation)[at]
                for at in range(start, start + len(continuation))
            )
            assert (found == best) == greedy
    assert client.post("/detokenize", tokens=[*begin, *before, *after])["prompt"] == context + continuation


def test_tokens_as_prompts(client, tiny_run):
    ids = tiny_run.vocabulary.encode("an").tolist()
    wanted = plain(tiny_run, 3, prefix="an", seed=1)
    assert client.texts(prompt=ids, n=3, seed=1) == client.texts(prompt=[[1, *ids]], n=3, seed=1) == wanted
    assert "are 3 to" in client.error(400, prompt=[0, 1])
    assert "are 3 to" in client.error(400, prompt=[10**9])


# -- together


@pytest.mark.parametrize("n_clients", [20, pytest.param(100, marks=pytest.mark.full)])
def test_rows_of_many_clients_are_those_of_each_alone(tiny_run, labelled, n_clients):
    """Clients of two runs, with prompts, seeds, temperatures, constraints and a mistake; many start together."""
    prompts, temperatures = ["", "a", "an", "r", "Ä"], [1.0, 0.5, 0.0]

    def wanted(number):
        run = labelled if number % 7 == 3 else tiny_run
        body = {"n": 1 + number % 13, "seed": number, "temperature": temperatures[number % 3]}
        body["prompt"] = prompts[number % 5] if run is tiny_run else ""
        return run, {**body, **({"contains": "n"} if number % 11 == 5 and run is tiny_run else {})}

    with serving(tiny_run, labelled, together_s=0.05) as client:

        def ask(number):
            run, body = wanted(number)
            status, _, answer = Client(client.port).call("POST", "/v1/completions", {"model": run.path.name, **body})
            return status, json.loads(answer)

        with concurrent.futures.ThreadPoolExecutor(n_clients) as threads:
            answers = list(threads.map(ask, range(n_clients)))
        metrics = client.call("GET", "/metrics")[2].decode()
    for number, (status, answer) in enumerate(answers):
        run, body = wanted(number)
        if body["prompt"] == "Ä":
            assert status == 400 and "unknown symbol" in answer["error"]["message"]
            continue
        assert status == 200, answer
        prefix = body.pop("prompt")
        assert [choice["text"] for choice in answer["choices"]] == plain(run, prefix=prefix, **body)
    counts = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    assert float(counts["seqgen_batched_requests_total"]) > float(counts["seqgen_batches_total"])


@pytest.mark.parametrize("limit", ["rows_together", "symbols"])
def test_no_more_rows_start_together_than_the_limits_allow(tiny_run, limit):
    limits = {limit: 1 if limit == "rows_together" else tiny_run.settings.max_length}
    with serving(tiny_run, together_s=0.05, **limits) as client:
        with concurrent.futures.ThreadPoolExecutor(3) as threads:
            assert all(threads.map(lambda seed: Client(client.port).texts(n=1, seed=seed), range(3)))
        metrics = client.call("GET", "/metrics")[2].decode()
    assert "\nseqgen_batches_total 3\n" in metrics and "\nseqgen_batched_requests_total 3\n" in metrics


# -- limits, keys, and clients that go away


def test_limits(tiny_run, long_text):
    with serving(tiny_run, long_text, rows=10, tokens=50, symbols=400, body=2000) as client:
        assert "10 rows" in client.error(413, n=11)
        assert "10 rows" in client.error(413, prompt=["a", "b"], n=6)
        assert "the most is 50 symbols" in client.error(413, max_tokens=51)
        assert "60 symbols" in client.error(413, prompt="a" * 60)
        assert "2,000 bytes" in client.error(413, prompt="a" * 3000)
        assert len(client.texts(model="long")[0]) == 50  # its own limit is larger
        assert "10 rows of 50 symbols" in client.error(413, model="long", n=10)
        status, _, body = client.call("POST", "/v1/completions", b"{}", {"Content-Type": "text/plain"})
        assert status == 415 and b"application/json" in body


@pytest.mark.full
def test_the_time_limit_and_the_queue(long_text):
    with serving(long_text, timeout_s=0.4, queue=2, tokens=100_000, symbols=10**9) as client:
        slow = {"n": 200, "max_tokens": 100_000}
        status, headers, body = client.call("POST", "/v1/completions", slow)
        assert status == 503 and b"time limit" in body and headers["retry-after"] == "1"

        def ask(number):
            return Client(client.port).call("POST", "/v1/completions", {**slow, "contains": "a"})[0]

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            found = list(threads.map(ask, range(8)))
        assert set(found) == {429, 503}
        assert client.texts(max_tokens=5, seed=1) == plain(long_text, seed=1, max_length=5)


def test_a_queue_holds_as_many_requests_as_its_limit():
    worker = Worker(replace(Limits(), queue=2), Metrics(print))
    for _ in range(2):
        worker.submit(SimpleNamespace(problem=lambda: None))
    with pytest.raises(ApiError, match="the queue of 2 is full") as caught:
        worker.submit(SimpleNamespace(problem=lambda: None))
    assert caught.value.status == 429 and worker.n_waiting == 2


def test_a_body_that_does_not_arrive(tiny_run):
    with serving(tiny_run, body_s=0.2) as client, socket.create_connection(("127.0.0.1", client.port)) as raw:
        head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        raw.sendall(head + b'Content-Length: 100\r\n\r\n{"n"')
        assert raw.recv(1000).startswith(b"HTTP/1.1 408")


def test_a_body_that_does_not_arrive_after_the_answer(tiny_run):
    with serving(tiny_run, body_s=1.0) as client, socket.create_connection(("127.0.0.1", client.port)) as raw:
        raw.settimeout(20)
        raw.sendall(b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        assert answer.status == 404 and b"no such path" in answer.read()  # headers and body may come one by one
        raw.sendall(b"{")  # a byte that ends the wait for a further request
        assert raw.recv(1000) == b""


@pytest.mark.parametrize("more", [{}, {"stream": True}, {"contains": "a"}, {"logprobs": 1}])
def test_a_client_that_goes_away_frees_its_rows(long_text, more):
    with serving(long_text, tokens=1_000_000, symbols=10**9, timeout_s=600.0) as client:
        body = json.dumps({"n": 500, "max_tokens": 1_000_000, **more}).encode()
        with socket.create_connection(("127.0.0.1", client.port)) as raw:
            head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            raw.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            wait_for(lambda: client.server._worker._computed)
            if "stream" in more:
                assert raw.recv(20).startswith(b"HTTP/1.1 200")
        (job,) = client.server._worker._computed
        wait_for(lambda: job.answered, 5)
        assert client.texts(max_tokens=3, seed=2) == plain(long_text, seed=2, max_length=3)


def test_a_server_that_stops_answers_first(long_text):
    with serving(long_text, tokens=1_000_000, symbols=10**9, timeout_s=600.0) as client:
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            asked = threads.submit(client.call, "POST", "/v1/completions", {"n": 500, "max_tokens": 1_000_000})
            wait_for(lambda: client.server._worker._computed)
            client.server._worker.stop()
            status, _, body = asked.result(20)
        assert status == 503 and b"the server stops" in body
        assert client.call("GET", "/health")[0] == 503
        assert client.error(503, n=1) == "the server stops"


def test_a_server_that_is_ended_answers_what_is_on_its_way(long_text, monkeypatch):
    monkeypatch.setattr("seqgen_serve.graceful_server.FINISH_S", 0.2)
    body = {"n": 500, "max_tokens": 1_000_000}
    with (
        serving(long_text, tokens=1_000_000, symbols=10**9, timeout_s=600.0) as client,
        concurrent.futures.ThreadPoolExecutor(3) as threads,
    ):
        asked = [threads.submit(client.call, "POST", "/v1/completions", body) for _ in range(3)]
        wait_for(lambda: client.server._worker._computed)
        client.server.stop()
        answers = [one.result(20) for one in asked]
    assert all(status == 503 and b"the server stops" in body for status, _, body in answers)


def test_the_curves_of_a_run_that_was_removed_are_no_unfinished_ones(tiny_run, tmp_path):
    shutil.copytree(tiny_run.path, tmp_path / "gone")
    with serving(seqgen.load(tmp_path / "gone")) as client:
        assert client.get("/v1/models")["data"][0]["seqgen"]["step"] == tiny_run.state["step"]
        shutil.rmtree(tmp_path / "gone")
        assert "is gone" in client.get("/v1/models/gone/curves", 404)["error"]["message"]
        assert client.call("HEAD", "/health")[0] == 200


def test_a_field_of_several_types_is_explained(client):
    assert "a list of texts" in client.error(400, prompt=5) and "a list of texts" in client.error(400, prompt=[])
    assert 'an object of values by name: {"year": "1999"}' in client.error(400, given="label=a")
    assert '"5-8"' in client.error(400, length=5)
    status, headers, body = client.call("GET", "/v1/completions")
    assert status == 405 and headers["allow"] == "POST" and b"GET is not allowed here, but POST is" in body


def test_a_proxy_may_pass_on_its_name(tiny_run):
    def ask(client, host):
        return client.call("GET", "/health", headers={"Host": host})

    with serving(tiny_run, hosts=["Names.example.org"]) as client:
        assert ask(client, "names.example.org")[0] == ask(client, "localhost:1")[0] == 200
        status, _, body = ask(client, "other.example.org")
        assert status == 403 and b"--allow-host" in body


def test_a_model_that_fails_costs_its_requests_only(tiny_run, labelled):
    broken = seqgen.load(labelled.path)
    next(broken.model.parameters()).data.fill_(float("nan"))
    with serving(broken, tiny_run, together_s=0.1) as client:

        def ask(number):
            return Client(client.port).call("POST", "/v1/completions", {"model": "labelled", "n": 2, "seed": number})

        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            found = list(threads.map(ask, range(4)))
        assert {status for status, _, _ in found} == {500}
        assert all(b"not finite" in body for _, _, body in found)
        assert client.texts(model="run", n=3, seed=1) == plain(tiny_run, 3, seed=1)


def test_a_plugin_that_ends_the_program_costs_its_request_only(words, tmp_path):
    (tmp_path / "leaving.py").write_text(
        "import pathlib\nimport seqgen\n\nclass Leaving:\n    def validate(self, text):\n"
        f"        if pathlib.Path({str(tmp_path / 'now')!r}).exists():\n            raise SystemExit(0)\n"
        "        return seqgen.Verdict(True)\n\n"
        "@seqgen.hookimpl\ndef register_validators(register):\n"
        "    register(seqgen.ValidatorSpec(name='leaving', summary='s', load=Leaving))\n\n"
        "@seqgen.hookimpl\ndef register_domains(register):\n"
        "    register(seqgen.DomainSpec(name='leaving', summary='s', validator='leaving'))\n"
    )
    plugins = seqgen.choose_plugins(tmp_path / "leaving.py")
    run = seqgen.train(words, domain="leaving", plugins=plugins, hidden=4, steps=1, out=tmp_path / "run")
    with serving(run, timeout_s=5.0) as client:
        (tmp_path / "now").touch()
        status, _, body = client.call("POST", "/v1/completions", {"n": 1, "valid": True})
        assert status == 500 and b"its log says more" in body
        assert len(client.texts(n=2)) == 2
        assert client.call("GET", "/health")[0] == 200


def test_keys(tiny_run):
    with serving(tiny_run, keys=("right", "other"), local=False) as client:
        assert len(client.texts(n=2)) == 2 and len(Client(client.port, "other").texts(n=2)) == 2
        of_any_case = {"Authorization": "bearer  right"}
        assert Client(client.port).call("GET", "/v1/models", headers=of_any_case)[0] == 200
        for key in (None, "wrong", "right "[:-2], ""):
            stranger = Client(client.port, key)
            for method, path in (("POST", "/v1/completions"), ("GET", "/v1/models"), ("GET", "/metrics")):
                status, headers, body = stranger.call(method, path, {} if method == "POST" else None)
                assert (
                    status == 401
                    and headers["www-authenticate"] == "Bearer"
                    and (b"a key is needed" if not key else b"the key in the header Authorization is wrong") in body
                )
            assert stranger.call("GET", "/")[0] == 200 and stranger.call("GET", "/health")[0] == 200


def test_errors_name_the_fields_of_the_request(client):
    long = {"prompt": "an" * 300}
    for fields, name in (({"length": "8-5"}, "length"), ({"regex": "("}, "regex"), (long, "raise max_tokens")):
        status, _, body = client.call("POST", "/v1/completions", {"model": "run", **fields})
        error = json.loads(body)["error"]
        message = error["message"]
        assert status == 400 and name in message and "--" not in message, message
        assert error["param"] == (None if fields is long else name)


def test_a_local_server_is_not_reached_by_another_name(client):
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::2]", "\xff"):
        status, _, body = client.call("GET", "/v1/models", headers={"Host": host})
        assert status == 403 and b"localhost" in body
    for host in ("localhost", "127.0.0.1:80", "[::1]:9"):
        assert client.call("GET", "/v1/models", headers={"Host": host})[0] == 200


# -- the rest of the interface


def test_models_and_curves(client, tiny_run, labelled):
    found = client.get("/v1/models")
    assert [one["id"] for one in found["data"]] == ["run", "labelled", "long"] and found["object"] == "list"
    one = client.get("/v1/models/labelled")
    assert one["object"] == "model" and one["seqgen"]["conditions"] == {"label": ["a", "b"]}
    assert one["created"] > 1_700_000_000
    curves = client.get("/v1/models/run/curves")
    assert curves["step"] == [20, 40, 60] and curves["ended"]
    assert curves["valid_bits_per_char"] == [row["valid_bits_per_char"] for row in tiny_run.metrics]
    assert "no model 'x'; there are: run, labelled, long" in client.get("/v1/models/x", 404)["error"]["message"]
    assert client.error(404, model="nobody").startswith("no model")


def test_the_page_and_its_policy(client):
    for path, kind in (("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css")):
        status, headers, body = client.call("GET", path)
        assert status == 200 and headers["content-type"].startswith(kind) and len(body) > 500
        assert "default-src 'none'" in headers["content-security-policy"]
        assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"") and b"https://" not in body
    page = client.call("GET", "/")[2].decode()
    assert "style=" not in page and "<script>" not in page and "onclick" not in page


def test_the_body_of_an_answer_does_not_wait_for_the_client_to_acknowledge_its_headers():
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_paths_and_methods_that_are_not_there(client):
    assert client.get("/nothing", 404)["error"]["type"] == "not_found_error"
    assert client.get("/v1/completions", 405)["error"]["type"] == "invalid_request_error"
    for path in ("/docs", "/openapi.json", "/redoc", "/../serving.py", "/%2e%2e/command.py"):
        assert client.call("GET", path)[0] == 404


def test_strangers_make_no_names_of_counters(client):
    for path in ("/of-a-stranger", "/v1/models/of-a-stranger"):
        client.get(path, 404)
    metrics = client.call("GET", "/metrics")[2].decode()
    assert "of-a-stranger" not in metrics
    assert '{path="other",status="404"}' in metrics and '{path="/v1/models/{name}",status="404"}' in metrics


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"n": 0}, "cannot use n 0: the least is 1"), ({"n": "2"}, 'cannot use n "2": it is not a whole number'),
        ({"n": True}, "cannot use n true: it is not a whole number"), ({"n": 10**4000}, "it must be below"),
        ({"temperature": -1}, "cannot use temperature -1: "), ({"top_p": 0}, "cannot use top_p 0: it must be above 0"),
        ({"seed": -1}, "cannot use seed -1: the least is 0"), ({"logprobs": 21}, "logprobs 21: the most is 20"),
        ({"echo": "x"}, 'cannot use echo "x": it is neither true nor false'),
        ({"stop": ["a", 5]}, 'cannot use stop ["a", 5]: send a text'), ({"stop": ["a"] * 17}, "at most 16 such texts"),
        ({"label": "x" * 20_000}, "x…: the most is 10,000 characters"),
        ({"nonsense": 1}, "unrecognized field 'nonsense'; known: model, "),
        ({"stream_options": {"x": 1}}, "unrecognized field 'x' of stream_options; known: include_usage, "),
        ({"stream_options": 5}, "cannot use stream_options 5: send an object, such as one with include_usage"),
        ({"stream_options": {"include_usage": 1}}, "cannot use stream_options.include_usage 1: it is neither"),
        ({"suffix": "x"}, 'cannot use suffix "x": it has no meaning'),
        ({"best_of": 3, "n": 2}, "cannot use best_of 3 with n 2: "),
        ({"logit_bias": {"5": 1}}, 'cannot use logit_bias {"5": 1}: '),
        ({"stop": "a", "length": "3"}, 'cannot use stop "a" with length "3": it would cut rows that satisfy length'),
        ({"stop": ["a"], "unique": True}, 'cannot use stop ["a"] with unique true: it would cut rows'),
        ({"given": ["a"]}, 'cannot use given ["a"]: send an object'),
        ({"given": {"a": True}}, "cannot use given true: send an object"),
        ({"prompt": []}, "cannot use prompt []: "), ({"prompt": [[]]}, "cannot use prompt [[]]: "),
        ({"prompt": [999]}, "cannot use token 999: the symbols of 'run' are "), ({"prompt": "Ä"}, "unknown symbol 'Ä'"),
        ({"prompt": "\ud800"}, "hex escape"), ({"length": "x"}, "length"), ({"regex": "("}, "regex"),
        ({"contains": "QQ"}, "contains: unknown symbol 'Q'"), ({"prompt": ["a", "Ä"]}, "prompt 2: unknown symbol 'Ä'"),
        ({"valid": True}, "has none"), ({"end": True}, "it is for scoring"),
        ({"max_tokens": 0, "novel": True}, "cannot use novel true with max_tokens 0: "),
        ({"contains": "an", "length": "1"}, "cannot sample"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(client, body, said):
    assert said in client.error(400, model="run", **body)


def test_what_the_server_lacks_is_not_the_mistake_of_the_client(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "outlines_core", None)
    message = client.error(501, model="run", regex="[a-m]+")
    assert "the server cannot do this: regex needs the extra 'constrain': pip install" in message
    assert client.post(status=501, model="run", regex="[a-m]+", stream=True)["error"]["type"] == "server_error"


@pytest.mark.full
def test_a_tokenizer_and_a_validator_that_lack_their_extra(words, tmp_path, monkeypatch):
    pytest.importorskip("tokenizers")
    pytest.importorskip("rdkit")
    settings = {"cell": "vanilla", "hidden": 6, "steps": 2, "split": "none", "blend": "none"}
    pairs = seqgen.train(words, tokenizer="bpe", out=tmp_path / "pairs", **settings)
    smiles = seqgen.train(words, tokenizer="char", domain="smiles", out=tmp_path / "smiles", **settings)
    for name in ("tokenizers", "rdkit"):
        monkeypatch.setitem(sys.modules, name, None)
    with serving(seqgen.load(pairs.path), seqgen.load(smiles.path)) as client:
        for path, prompt in (("/v1/completions", "an"), ("/v1/completions", [4, 5]), ("/tokenize", "an")):
            error = client.post(path, status=501, model="pairs", prompt=prompt)["error"]
            assert "needs the extra 'bpe'" in error["message"] and error["param"] == "prompt"
        assert "needs the extra 'chem'" in client.error(501, model="smiles", valid=True)
        (warning,) = client.post(model="smiles", unique=True)["warnings"]
        assert "needs the extra 'chem'" in warning and "rows are compared as they stand" in warning


def test_a_corpus_that_is_gone_is_not_named(words, tmp_path):
    run = seqgen.train(words, cell="vanilla", hidden=6, steps=2, split="80/10/10", out=tmp_path / "run")
    words.unlink()
    with serving(seqgen.load(run.path)) as client:
        assert "the corpus of this model is not here" in client.error(400, novel=True)
        assert len(client.texts(n=3, unique=True)) == 3


@pytest.mark.full
def test_the_page_compares_with_other_runs_and_names_the_loss_of_the_network(labelled, words, tmp_path):
    program = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("chromium is not installed")
    blended = seqgen.train(
        words, cell="vanilla", hidden=8, steps=40, blend="ngram", split="60/40/0", out=tmp_path / "blended",
        options={"best_by": "loss"},
    )  # fmt: skip
    with serving(blended, labelled) as client:
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}"]
        address = f"http://127.0.0.1:{client.port}/"
        shown = subprocess.run([*command, "--virtual-time-budget=3000", "--dump-dom", address], capture_output=True)
    page = shown.stdout.decode()
    (others,) = re.findall(r'<select[^>]*id="other".*?</select>', page, re.S)
    assert re.findall(r'value="(.*?)"', others) == ["", labelled.path.name]
    assert "blended, training (network alone): " in page


@pytest.mark.full
@pytest.mark.parametrize("width", [1200, 390])
def test_a_refused_request_leaves_no_rows_and_names_are_shown_whole(width, tiny_run, labelled, tmp_path):
    if find_chromium() is None:
        pytest.skip("chromium is not installed")
    name = "names-transformer-longer-001"
    shutil.copytree(tiny_run.path, tmp_path / name)
    with serving(tiny_run, seqgen.load(tmp_path / name), labelled) as client, Browser(width, 900) as browser:
        browser.call("Page.navigate", url=f"http://127.0.0.1:{client.port}/")
        browser.wait_for("document.getElementById('other')?.options.length === 3")

        def sample(**values):
            for field, value in values.items():
                browser.evaluate(f"document.getElementById({field!r}).value = {value!r}")
            browser.evaluate("document.getElementById('model').dispatchEvent(new Event('change'))")
            browser.evaluate("document.getElementById('sample-form').requestSubmit()")
            browser.wait_for("state.request === null")
            return browser.evaluate("document.getElementById('status').textContent")

        assert "10 rows" in sample(other=name, n="5")
        browser.wait_for("document.querySelectorAll('#curves circle').length > 0")
        n_curves = browser.evaluate("document.querySelectorAll('#curves polyline').length")
        assert browser.evaluate("document.querySelectorAll('#curves circle').length") == n_curves
        browser.evaluate("document.getElementById('curves').replaceChildren(), dispatchEvent(new Event('resize'))")
        assert browser.evaluate("document.querySelectorAll('#curves circle').length") == n_curves
        once = "{ id: 'a', step: [0, 50], valid_bits_per_char: [4.6, 4.2], train_bits_per_char: [null, 4.4] }"
        marks = "((drawn) => ['circle', 'rect'].map((name) => drawn[0].querySelectorAll(name).length))"
        for step in (0, 50):
            assert browser.evaluate(f"{marks}(drawCurves([{once}], [{step}]))") == [1, 1], "no dot for the one point"
        assert browser.evaluate("document.querySelectorAll('#results tbody tr').length") == 10
        assert browser.evaluate("document.getElementById('other').title") == name
        assert name in browser.evaluate("document.getElementById('about').textContent")
        assert browser.evaluate(
            """(() => {
            const list = document.getElementById("other"), copy = list.cloneNode();
            copy.append(new Option(list.value));
            Object.assign(copy.style, { width: "auto", position: "absolute" });
            list.after(copy);
            const [own, whole] = [list, copy].map((one) => one.getBoundingClientRect().width);
            copy.remove();
            return whole <= own;
        })()"""
        )
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        used = next(row for row in tiny_run.metrics if row["step"] == tiny_run.state["step"])
        legend = browser.evaluate("document.querySelector('#curves .legend').textContent")
        assert f"held-out: {used['valid_bits_per_char']:.3f} at step {used['step']}" in legend
        assert "10 rows" in sample(prefix="an\n"), "the end of a pasted line is no part of a prefix"
        assert "unknown symbol '€'" in sample(prefix="€")
        assert browser.evaluate("document.getElementById('results').childElementCount") == 0
        assert browser.evaluate("document.getElementById('csv').disabled")
        assert "10 rows" in sample(prefix="")
        assert browser.evaluate("document.querySelectorAll('#results tbody tr').length") == 10


@pytest.mark.full
def test_a_prefix_of_the_page_may_have_lines_and_return_samples(tiny_run, tmp_path):
    if find_chromium() is None:
        pytest.skip("chromium is not installed")
    with serving(tiny_run) as client, Browser() as browser:
        browser.call("Page.navigate", url=f"http://127.0.0.1:{client.port}/")
        browser.wait_for("document.getElementById('model')?.options.length === 1")
        browser.evaluate("document.getElementById('prefix').focus()")

        def press(modifiers):
            for kind in ("keyDown", "keyUp"):
                browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                             windowsVirtualKeyCode=13, modifiers=modifiers)  # fmt: skip

        browser.call("Input.insertText", text="a")
        press(8)  # shift
        browser.call("Input.insertText", text="b")
        assert browser.evaluate("wanted({ id: 'x', seqgen: {} }, 1).prompt") == "a\nb"
        assert browser.evaluate("document.getElementById('results').childElementCount") == 0
        browser.evaluate("document.getElementById('prefix').value = 'a'")
        press(0)
        browser.wait_for("document.querySelectorAll('#results tbody tr').length === 20")
        assert browser.evaluate("document.getElementById('prefix').value") == "a"


# -- the command


@pytest.mark.full
def test_addresses_and_keys_of_the_command(cli, tiny_run, tmp_path, monkeypatch):
    monkeypatch.delenv("SEQGEN_API_KEY", raising=False)
    result = cli("serve", tiny_run.path, "--host", "0.0.0.0")
    assert result.code == 2 and "without a key" in result.err and result.err.count("\n") == 1
    empty = tmp_path / "keys"
    empty.write_text("# none\n\n")
    assert "there is none" in cli("serve", tiny_run.path, "--keys", empty).err
    empty.write_text("clé\n")
    assert "printable ASCII" in cli("serve", tiny_run.path, "--keys", empty).err
    for path, reason in ((tmp_path / "nothing", "No such file or directory"), (tmp_path, "Is a directory")):
        assert cli("serve", tiny_run.path, "--keys", path).err == (
            f"seqgen: cannot read the keys in {str(path)!r}: {reason}\n"
        )
    monkeypatch.setenv("SEQGEN_API_KEY", " ")
    assert "SEQGEN_API_KEY is empty" in cli("serve", tiny_run.path).err
    monkeypatch.delenv("SEQGEN_API_KEY")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = cli("serve", tiny_run.path, "--port", taken.getsockname()[1])
    assert result.code == 2 and ": Address already in use; pass another --port" in result.err
    assert cli("serve", "no-such-run").code == 2
    for device in ("nonsense", "cuda:99"):
        result = cli("serve", tiny_run.path, "--device", device)
        assert (
            result.code == 2 and f"cannot compute on --device '{device}'" in result.err and result.err.count("\n") == 1
        )


def test_without_its_extra_it_says_what_to_install(cli, tiny_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = cli("serve", tiny_run.path)
    assert result.code == 2 and "pip install 'seqgen-lm[serve]'" in result.err and result.err.count("\n") == 1
