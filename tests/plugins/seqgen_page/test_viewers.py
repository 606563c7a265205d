"""The viewers: molecules, tunes and cards are read as by the plugins of their domains, and atoms do not overlap."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import seqgen
import seqgen_page
from seqgen_page.comparison import find_node
from seqgen_page.viewers import viewer_of

pytestmark = pytest.mark.skipif(find_node() is None, reason="node 18 or newer is not installed")
FOLDER = Path(seqgen_page.__file__).parent
MOLECULE = [f"viewers/{name}.js" for name in ("smiles_reader", "molecule_rings", "ring_layout", "molecule_layout")]
TUNE = ["abc_lexer.js", "viewers/tune_reader.js", "viewers/tune_player.js"]


def in_node(files, expression, texts):
    """The values of an expression of ``text``, for each text, or {"error": its message}."""
    script = "\n".join((FOLDER / file).read_text().replace('"use strict";\n', "") for file in files)
    program = f"""{script}
    const texts = JSON.parse(require("fs").readFileSync(0, "utf-8"));
    const found = texts.map((text) => {{
      try {{ return {expression}; }} catch (error) {{ return {{ error: error.message }}; }}
    }});
    process.stdout.write(JSON.stringify(found));"""
    done = subprocess.run(
        [find_node(), "-e", program], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


# -- scripts of others


def test_a_script_of_somebody_is_a_viewer(tmp_path):
    script = tmp_path / "waves.js"
    script.write_text('"use strict";\nconst viewer = { name: "wave", draw: (text) => text };\n')
    viewer = viewer_of(None, str(script))
    assert viewer.name == "waves" and viewer.script.startswith("(() => {")
    for content, reason in (("draw()", "const viewer"), ("const viewer = {}; // </script>", "</script")):
        script.write_text(content)
        with pytest.raises(seqgen.BadOption, match=reason):
            viewer_of(None, str(script))
    with pytest.raises(seqgen.BadOption, match="cannot read the viewer"):
        viewer_of(None, str(tmp_path / "none.js"))
