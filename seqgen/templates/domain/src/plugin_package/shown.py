"""The renderer of times."""

import seqgen
from rich.text import Text

from plugin_package.times import parse


class TimeRenderer:
    """A renderer that shows valid times on a 12-hour clock in green and other texts in red."""

    def __call__(self, text: str) -> Text:
        """Return something that rich can print; never a string with markup."""
        try:
            hour, minute = parse(text)
        except ValueError:
            return Text(seqgen.visible(text), "red")
        return Text(f"{hour % 12 or 12}:{minute:02} {'am' if hour < 12 else 'pm'}", "green")
