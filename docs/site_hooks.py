"""Build hooks of the documentation site: generated pages and links that leave docs/."""

from __future__ import annotations

import ast
import enum
import html
import itertools
import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CODE_OF_CONDUCT.md": "project/code-of-conduct.md",
    "SECURITY.md": "project/security.md",
    "README.md": "index.md",
    **{
        f"benchmarks/results/{path.name}": f"results/{path.name}" for path in (ROOT / "benchmarks/results").glob("*.md")
    },
}
"""Files outside docs/ that are pages of the site, by their path in the repository."""
GENERATED = {"<!-- commands -->": "command_pages", "<!-- keywords -->": "keyword_tables"}
"""Functions of this module that write a part of a page, by the mark that stands for it."""
_LINK = re.compile(r"\[((?:[^\]\n]|\n(?!\s*\n))*)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")
_FENCE = re.compile(r"^```.*?^```", re.M | re.S)
_WRITTEN_BY = re.compile(r"`python (benchmarks/\w+\.py)")
_TABLE_ROW = re.compile(r"^\|.*\|$", re.M)
_CODE_SPAN = re.compile(r"`[^`]+`")
_CODE_ELEMENT = re.compile(r"<code>[^<]*</code>")
_FLAG = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
BOOSTS = {"architecture.md": 4.0, "reference/cli.md": 3.0}
"""How much more the search makes of some pages."""
NOTEBOOKS = "notebooks"
"""The folder in docs/ of the notebooks, each of which is shown as a page."""


def on_files(files: Any, config: Any) -> Any:
    """Add the pages whose sources lie outside docs/."""
    for source, page in OUTSIDE.items():
        if page != "index.md":
            text = (ROOT / source).read_text(encoding="utf-8")
            if source.startswith("benchmarks/"):
                text += _how(text)
            files.append(File.generated(config, page, content=relink(text, source, page, config.repo_url)))
    for path in sorted((ROOT / "docs" / NOTEBOOKS).glob("*.ipynb")):
        files.append(File.generated(config, f"{NOTEBOOKS}/{path.stem}.md", content=notebook_page(path)))
    return files


def _how(text: str) -> str:
    """Return a section with the docstring of the script by which a page of results is written; "" without one."""
    if (found := _WRITTEN_BY.search(text)) is None:
        return ""
    docstring = ast.get_docstring(ast.parse((ROOT / found[1]).read_text(encoding="utf-8"))) or ""
    return f"\n## How it is measured\n\nFrom `{found[1]}`:\n\n````text\n{docstring}\n````\n" if docstring else ""


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Fill in generated text, and lead links that leave docs/ to where the site has the file."""
    path = page.file.src_uri
    boost = 0.3 if path.startswith("results/") else BOOSTS.get(path, 1.0)
    page.meta.setdefault("search", {"boost": boost})  # who searches for a thing wants its place before its measurements
    if not page.file.generated_by:
        markdown = relink(markdown, f"docs/{path}", path, config.repo_url)
    for mark, function in GENERATED.items():
        if mark in markdown:
            markdown = markdown.replace(mark, globals()[function]())
    # On GitHub a bar within code ends a cell unless it is escaped; here the escape would be shown.
    return _TABLE_ROW.sub(
        lambda row: (
            _CODE_SPAN.sub(lambda code: f"<code>{_code_text(code[0])}</code>", row[0]) if "\\|" in row[0] else row[0]
        ),
        markdown,
    )


def on_page_content(content: str, page: Any, config: Any, files: Any) -> str:
    """Keep names of flags within code on one line; a browser breaks lines after hyphens."""

    def kept(element: re.Match[str]) -> str:
        return _FLAG.sub(r'<span class="flag">\g<0></span>', element[0])

    return _CODE_ELEMENT.sub(kept, content)


def notebook_page(path: Path) -> str:
    """Return a notebook as Markdown, with the outputs that it is stored with."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {"text/plain": output.get("text", "")})
            if "text/html" in data:
                parts.append(f'<div class="output">{"".join(data["text/html"])}</div>')
            else:
                parts.append(f"```text\n{''.join(data.get('text/plain', '')).rstrip()}\n```")
    link = f"[The notebook itself]({path.name}) can be run as it is."
    return "\n\n".join([parts[0], link, *parts[1:]]) + "\n"


def relink(markdown: str, source: str, page: str, repo_url: str | None) -> str:
    """Return the text with its relative links changed to those of the site.

    Args:
        markdown: text of a page; code blocks stay as they are.
        source: path of the file in the repository.
        page: path of the page in the site.
        repo_url: address of the repository, to which links to sources lead; without one they become plain text.
    """

    def link(match: re.Match[str]) -> str:
        text, target, anchor = (
            match[1],
            posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2])),
            match[3],
        )
        place = target.removeprefix("docs/") if target.startswith("docs/") else OUTSIDE.get(target)
        if place is not None and place.startswith(f"{NOTEBOOKS}/"):
            place = place.replace(".ipynb", ".md")
        if place is not None:
            return f"[{text}]({posixpath.relpath(place, posixpath.dirname(page) or '.')}{anchor or ''})"
        return f"[{text}]({repo_url.rstrip('/')}/blob/main/{target})" if repo_url else text

    pieces, end = [], 0
    for fence in _FENCE.finditer(markdown):
        pieces += [_LINK.sub(link, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    text = "".join([*pieces, _LINK.sub(link, markdown[end:])])
    return text.replace("][", "]\\[") if source.startswith("benchmarks/") else text  # regular expressions, not links


def command_pages() -> str:
    """Return the reference of the command line as Markdown, one section a command, from the typer app itself."""
    from seqgen.cli.common import session
    from seqgen.cli.main import build_commands
    from seqgen.plugins import Plugins, entry_point_candidates

    session.command = ""  # the flags of every command, not of the one that is parsed
    session.plugins = Plugins(print)
    session.plugins.load(entry_point_candidates(print))
    top: Any = build_commands()
    sections = []
    for name, command in top.commands.items():
        sections += _sections(f"seqgen {name}", command)
    return "\n".join(sections)


def keyword_tables() -> str:
    """Return a table of the typed keywords of each use case, from ``seqgen/keywords.py``."""
    lines = []
    for node in ast.parse((ROOT / "seqgen" / "keywords.py").read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id != "TypedDict"]
        more = f"The keywords of {bases[0]}, and:" if bases else ""
        lines += [f"### {node.name}", "", more, "", "| keyword | type | |", "|---|---|---|"]
        for field, text in itertools.pairwise(node.body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                kind = ast.unparse(field.annotation).removesuffix(" | None")
                description = _cell(" ".join(str(ast.literal_eval(text.value)).split()))
                lines.append(f"| `{ast.unparse(field.target)}` | {_code(kind)} | {description} |")
        lines.append("")
    return "\n".join(lines)


def _sections(name: str, command: Any) -> list[str]:
    lines = [f"## {name}", "", _prose(command.help), ""]
    arguments = " ".join(_usage(parameter) for parameter in command.params if parameter.param_type_name == "argument")
    children = getattr(command, "commands", {})
    usage = " ".join(filter(None, (name, "[OPTIONS]", arguments, "COMMAND" if children else "")))
    lines += ["```text", usage, "```", ""]
    panels: dict[str, list[Any]] = {}
    for parameter in command.params:
        if not getattr(parameter, "hidden", False):
            title = getattr(parameter, "rich_help_panel", None) or parameter.param_type_name.capitalize() + "s"
            panels.setdefault(title, []).append(parameter)
    panels.pop("Everywhere", None)
    for title, parameters in panels.items():
        lines += [f"| {title} | | |", "|---|---|---|", *(_row(parameter) for parameter in parameters), ""]
    for child, below in children.items():
        lines += ["#" + line if line.startswith("## ") else line for line in _sections(f"{name} {child}", below)]
    return lines


def _usage(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _row(parameter: Any) -> str:
    argument = parameter.param_type_name == "argument"
    names = f"`{parameter.name}`" if argument else ", ".join(f"`{name}`" for name in parameter.opts)
    flag = argument or parameter.is_flag
    value = "" if flag else parameter.metavar or _type(parameter)
    text = re.sub(r"\[default: (.*?)\]", r"Default: \1.", " ".join((parameter.help or "").split()))
    default = parameter.show_default
    if default is True and not flag and isinstance(parameter.default, str | int | float):
        default = getattr(parameter.default, "value", parameter.default)
    if isinstance(default, bool) or default is None:
        default = ""
    text += f" Default: {default}." * (default != "") + " Required." * (parameter.required and not argument)
    return f"| {names} | {_code(value)} | {_cell(text)} |"


def _type(parameter: Any) -> str:
    """Return what stands for the value of an option: its choices, or a word for its type."""
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "|".join(str(choice.value) for choice in kind)
    return {int: "N", float: "X", str: "TEXT"}.get(kind, "VALUE")  # type: ignore[arg-type]


def _code(text: str) -> str:
    return f"<code>{html.escape(text).replace('|', '&#124;')}</code>" if text else ""


def _code_text(span: str) -> str:
    """Return what a span of code in a table row shows, as HTML in which nothing is Markdown."""
    shown = html.escape(span.strip("`").replace("\\|", "|"))
    return re.sub(r"[*_\[\]|\\]", lambda mark: f"&#{ord(mark[0])};", shown)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


def _prose(text: str | None) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in (text or "").split("\n\n"))
