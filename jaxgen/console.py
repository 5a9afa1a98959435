"""What is printed of names and texts that strangers chose: it moves no cursor, rings no bell and hides nothing."""

import re
import sys
from typing import Any

import rich.console
from rich.text import Text

# Control characters but for tab and newline; marks that turn the direction of text; halves of characters, as Python
# makes of bytes in a file's name that are no text.
_NOT_SHOWN = re.compile(r"[\0-\b\v-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with what a terminal would obey and not show as an escape sequence, as in "\\x1b[2J"."""
    return _NOT_SHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def plain(text: str) -> Text:
    """The text for a cell of a table, with brackets as they are."""
    return Text(printable(text))


def say(sentence: object) -> None:
    """Prints a sentence where errors go."""
    print(f"jaxgen: {printable(str(sentence))}", file=sys.stderr)


class Console(rich.console.Console):
    """rich's, which passes on escape sequences in what it is given."""

    def render_str(self, text: str, **kwargs: Any) -> Text:
        return super().render_str(printable(text), **kwargs)
