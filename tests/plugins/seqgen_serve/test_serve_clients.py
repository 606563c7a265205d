"""OpenAI's own client against ``seqgen serve``."""

from __future__ import annotations

import pytest
from serving import serving

import seqgen

pytest.importorskip("fastapi", reason="no FastAPI (extra: serve)")
openai = pytest.importorskip("openai", reason="no openai")


@pytest.fixture(scope="module")
def server(tiny_run):
    with serving(tiny_run, keys=("secret",), rows=50) as found:
        yield found


@pytest.fixture
def client(server):
    with openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="secret", max_retries=0) as found:
        yield found


def test_models(client):
    assert [one.id for one in client.models.list()] == ["run"]
    assert client.models.retrieve("run").owned_by == "seqgen"
    with pytest.raises(openai.NotFoundError, match="there are: run"):
        client.models.retrieve("other")


def test_completions(client, tiny_run):
    answer = client.completions.create(model="run", prompt="an", n=4, seed=3, temperature=0.8, logprobs=2)
    rows = tiny_run.sample(4, prefix="an", seed=3, temperature=0.8)
    assert ["an" + choice.text for choice in answer.choices] == [row.text for row in rows]
    (score,) = tiny_run.score(rows[0].text)
    assert answer.choices[0].logprobs.token_logprobs == [-nats for nats in score.nats_per_symbol[2:]]
    assert answer.usage.prompt_tokens == 2
    more = client.completions.create(model="run", prompt="", n=5, seed=1, extra_body={"contains": "an", "unique": True})
    assert [choice.text for choice in more.choices] == [
        row.text for row in tiny_run.sample(5, seed=1, contains="an", unique=True)
    ]


def test_a_stream(client, tiny_run):
    texts = [""] * 3
    with client.completions.create(model="run", prompt="r", n=3, seed=2, stream=True, echo=True) as chunks:
        for chunk in chunks:
            for choice in chunk.choices:
                texts[choice.index] += choice.text
    assert texts == [row.text for row in tiny_run.sample(3, prefix="r", seed=2)]


def test_errors(client, server):
    with pytest.raises(openai.BadRequestError, match="unknown symbol"):
        client.completions.create(model="run", prompt="Ä")
    with pytest.raises(openai.APIStatusError, match="50 rows") as caught:
        client.completions.create(model="run", prompt="", n=51)
    assert caught.value.status_code == 413
    with (
        openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError, match=r"the key .* is wrong"),
    ):
        stranger.models.list()


def test_scores(client, tiny_run):
    for text in ("anna", "ruth"):
        answer = client.completions.create(
            model="run", prompt=text, max_tokens=0, echo=True, logprobs=1, extra_body={"end": True}
        )
        found = answer.choices[0].logprobs.token_logprobs
        (score,) = seqgen.load(tiny_run.path).score(text)
        assert -sum(found) == pytest.approx(score.nats, abs=1e-4)
