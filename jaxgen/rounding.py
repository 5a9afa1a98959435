"""Numbers and settings as a reader is shown them."""

import json
import math
from typing import Any, TypeGuard


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value from JSON is a number that a float can hold (true and false are not)."""
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**1023)


def number(value: float) -> str:
    """Three significant digits, or all digits of the integer part where there are more: 0.693, 12.3, 4,081, 2.1e-05."""
    if value != 0 and not 1e-3 <= abs(value) < 1e9:
        return f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def rounded(mean: Any, error: Any = None) -> tuple[str, str]:
    """A mean with as many places as its error, which has two digits; four digits where none is known."""
    if not is_number(mean):
        return show(mean), ""
    if is_number(error) and math.isfinite(mean) and 0 < error < math.inf:
        places = min(max(0, 1 - math.floor(math.log10(error))), 6)
        return f"{mean:,.{places}f}", f"{error:,.{places}f}"
    return f"{mean:,.4g}" if 1e-3 <= abs(mean) < 1e4 else number(mean), ""


def show(value: Any) -> str:
    """A setting as a reader would type it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
