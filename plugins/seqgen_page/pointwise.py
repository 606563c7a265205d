"""Operations of torch that work entry by entry, as expressions of JavaScript."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def number(value: Any) -> str:
    """Return a number of Python as a literal; an expression as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "(-Infinity)"
    return f"({value!r})" if value < 0 else repr(value)


def _call(name: str) -> Callable[..., str]:
    return lambda *values: f"{name}({', '.join(values)})"


def _infix(sign: str) -> Callable[..., str]:
    def write(a: str, b: str, alpha: str = "1") -> str:
        return f"({a} {sign} {b})" if alpha == "1" else f"({a} {sign} {alpha} * {b})"

    return write


def _quotient(a: str, b: str, rounding_mode: str = "") -> str:
    return f"Math.{rounding_mode}({a} / {b})" if rounding_mode else f"({a} / {b})"


def _clamp(x: str, low: str = "", high: str = "") -> str:
    x = f"Math.max({x}, {low})" if low else x
    return f"Math.min({x}, {high})" if high else x


def _gelu(x: str, approximate: str = '"none"') -> str:
    return f"geluTanh({x})" if "tanh" in approximate else f"gelu({x})"


def _power(x: str, exponent: str) -> str:
    return f"square({x})" if exponent in ("2", "2.0") else f"Math.pow({x}, {exponent})"


_CALLS = {
    "tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu", "exp": "Math.exp", "log": "Math.log", "log1p": "Math.log1p",
    "expm1": "Math.expm1", "sin": "Math.sin", "cos": "Math.cos", "sqrt": "Math.sqrt", "abs": "Math.abs",
    "floor": "Math.floor", "ceil": "Math.ceil", "sign": "Math.sign", "trunc": "Math.trunc", "log2": "Math.log2",
    "log10": "Math.log10", "sinh": "Math.sinh", "cosh": "Math.cosh", "tan": "Math.tan", "atan": "Math.atan",
    "asin": "Math.asin", "acos": "Math.acos", "erf": "erf", "round": "roundEven", "isnan": "Number.isNaN",
    "maximum": "Math.max", "minimum": "Math.min", "clamp_min": "Math.max", "clamp_max": "Math.min",
    "remainder": "remainder", "atan2": "Math.atan2",
}  # fmt: skip
_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "ge": ">=", "gt": ">", "le": "<=", "lt": "<", "eq": "==", "ne": "!=",
    "fmod": "%", "bitwise_and": "&", "bitwise_or": "|",
}  # fmt: skip
POINTWISE: dict[str, Callable[..., str]] = {
    **{name: _call(function) for name, function in _CALLS.items()},
    **{name: _infix(sign) for name, sign in _INFIX.items()},
    "rsub": lambda a, b, alpha="1": f"({b} - {alpha} * {a})",
    "div": _quotient,
    "neg": lambda x: f"(-{x})",
    "reciprocal": lambda x: f"(1 / {x})",
    "rsqrt": lambda x: f"(1 / Math.sqrt({x}))",
    "pow": _power,
    "where": lambda test, a, b: f"({test} ? {a} : {b})",
    "clamp": _clamp,
    "gelu": _gelu,
    "leaky_relu": lambda x, slope="0.01": f"leakyRelu({x}, {slope})",
    "elu": lambda x, alpha="1", scale="1", input_scale="1": f"elu({x}, {alpha}, {scale}, {input_scale})",
    "hardtanh": lambda x, low="-1", high="1": _clamp(x, low, high),
    "isinf": lambda x: f"(Math.abs({x}) === Infinity)",
    "logical_not": lambda x: f"(!{x})",
    "bitwise_not": lambda x: f"(!{x})",
    "logical_and": lambda a, b: f"({a} && {b} ? 1 : 0)",
    "logical_or": lambda a, b: f"({a} || {b} ? 1 : 0)",
    "logical_xor": lambda a, b: f"(!{a} !== !{b})",
}
"""By the name of the operation, the expression of an entry of its result from those of its arguments."""
