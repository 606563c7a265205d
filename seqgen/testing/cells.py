"""Temporary."""

from seqgen.testing import old_cells as o


def cell(subject):
    o.check_cell(subject.spec, **subject.options)


def model(subject):
    o.check_model(subject.spec, **subject.options)
