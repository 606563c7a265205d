"""How a time is shown."""

import seqgen
from rich.text import Text

from plugin_package.times import parse


class TimeRenderer:
    """Twelve hours, in colour; what is no time in red."""

    def __call__(self, text: str) -> Text:
        """Something that rich can print; never a string with markup."""
        try:
            hour, minute = parse(text)
        except ValueError:
            return Text(seqgen.visible(text), "red")
        return Text(f"{hour % 12 or 12}:{minute:02} {'am' if hour < 12 else 'pm'}", "green")
