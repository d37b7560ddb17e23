"""`python -m api_tests.web.minified` rewrites what `/wsx.js` sends, from the source that people read. It needs node and npm."""

import subprocess
from pathlib import Path

from api_tests.npm import node, package
from app.web.assets import CLIENT, CLIENT_SOURCE

WITHIN_S = 60


def minified(source: Path) -> str:
    """The same script with short names, and without what only its readers need, by UglifyJS."""
    program = package("uglify") / "bin" / "uglifyjs"
    asked = [node(), program, "--compress", "--mangle", "--", source]
    return subprocess.run(asked, capture_output=True, check=True, text=True, timeout=WITHIN_S).stdout


if __name__ == "__main__":
    CLIENT.write_text(minified(CLIENT_SOURCE))
