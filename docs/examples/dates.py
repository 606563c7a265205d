import datetime
import random

from rich.text import Text

import seqgen


def load():
    first, days = datetime.date(1900, 1, 1), random.Random(0).sample(range(36_524), 4000)
    return [seqgen.Record(str(first + datetime.timedelta(days=n)), label="date") for n in days]


class DateValidator:
    def validate(self, text):
        try:
            return seqgen.Verdict(True, canonical=datetime.date.fromisoformat(text).isoformat())
        except ValueError as error:
            return seqgen.Verdict(False, str(error))


class DateRenderer:
    def __call__(self, text):
        try:
            return Text(datetime.date.fromisoformat(text).strftime("%d %b %Y"), "green")
        except ValueError:
            return Text(seqgen.visible(text), "red")


def weekdays(samples, reference):
    valid = [datetime.date.fromisoformat(text) for text in samples if DateValidator().validate(text).ok]
    return {"sundays": sum(date.weekday() == 6 for date in valid) / max(1, len(valid))}


@seqgen.hookimpl
def register_corpora(register):
    register(
        seqgen.CorpusSpec(
            name="dates", summary="4,000 days", source="the calendar", licence="CC0-1.0", load=load, domain="date"
        )
    )


@seqgen.hookimpl
def register_domains(register):
    register(
        seqgen.DomainSpec(
            name="date", summary="dates", source="ISO 8601", validator="date", renderer="date", metrics=("weekdays",)
        )
    )


@seqgen.hookimpl
def register_validators(register):
    register(seqgen.ValidatorSpec(name="date", summary="an existing date", source="ISO 8601", load=DateValidator))


@seqgen.hookimpl
def register_renderers(register):
    register(seqgen.RendererSpec(name="date", summary="a date in words", source="English", load=DateRenderer))


@seqgen.hookimpl
def register_metrics(register):
    register(seqgen.MetricSpec(name="weekdays", summary="share of Sundays", source="ISO 8601", load=lambda: weekdays))
