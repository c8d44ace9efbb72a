"""Why a file is refused, in words that say what to change."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any, Optional

from .blame import exit_text
from .errors import to_wire, user_frames
from .jsonable import name_of
from .modules import TOP, path_of

_EXAMPLES = {
    "step": '{"type": "api", "name": "MyStep", "path": "/my-step", "method": "GET", "emits": []}',
    "stream": '{"name": "myStream", "schema": {…}, "baseConfig": {"storageType": "default"}}',
    "config": '{"streams": {…}}',
}

#: Packages that are not called like what is imported of them.
_PACKAGES = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "chess": "chess",
    "Crypto": "pycryptodome",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "PyMuPDF",
    "git": "GitPython",
    "github": "PyGithub",
    "google.generativeai": "google-generativeai",
    "jose": "python-jose",
    "jwt": "PyJWT",
    "magic": "python-magic",
    "MySQLdb": "mysqlclient",
    "multipart": "python-multipart",
    "OpenSSL": "pyOpenSSL",
    "PIL": "pillow",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slack_sdk": "slack-sdk",
    "telegram": "python-telegram-bot",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
}


class Unsuitable(Exception):
    """A file without what its kind of file needs. It says all there is to say: where it was noticed is of no use."""


def describe(error: BaseException, root: Path) -> dict[str, Any]:
    if isinstance(error, Unsuitable):
        return {"message": str(error)}
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        return {**to_wire(error), "message": f"{exit_text(error)} while the file was imported{_place(error, root)}"}
    wire = to_wire(error)
    if isinstance(error, SyntaxError) and error.filename is not None:
        wire["message"] = f"{error.msg} ({_shown(error.filename, root)}, line {error.lineno})"
    if isinstance(error, ModuleNotFoundError) and error.name:
        wire["message"] = _missing(error.name, str(error), _place(error, root), root)
    return wire


def no_config(source: str, kind: str) -> str:
    return f"{source} has no config. Add: config = {_EXAMPLES.get(kind, _EXAMPLES['step'])}"


def not_a_dict(source: str, config: Any, path: Path) -> str:
    line = _assignment(path)
    where = "" if line is None else f" (line {line})"
    return f"{source}: config is {name_of(config)}{where}, it must be a dict"


def _assignment(path: Path) -> Optional[int]:
    """The line of the last `config = …` outside of functions."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "config" and isinstance(node.ctx, ast.Store)
    ]
    return max(lines, default=None)


def _place(error: BaseException, root: Path) -> str:
    """Where it was raised: in the project, if it was there at all, and else in a package."""
    frames = user_frames(error)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(root) and "-packages" not in frame.filename]
    if not frames:
        return ""
    frame = (own or frames)[-1]
    return f" ({_shown(frame.filename, root)}, line {frame.lineno})"


def _missing(name: str, message: str, place: str, root: Path) -> str:
    if name.startswith(f"{TOP}."):
        plain = name[len(TOP) + 1 :]
        return f"there is no module {plain} in the project{place}: a relative import looks for {path_of(plain)}.py"
    message += place
    top = name.partition(".")[0]
    if top in sys.modules or (root / top).exists() or (root / f"{top}.py").exists():
        return message
    package = _PACKAGES.get(name) or _PACKAGES.get(top) or top
    if _is_required(package, root):
        return f"{message}. requirements.txt lists {package}: run `motia install`"
    return (
        f"{message}. If it is a package, add {package} to requirements.txt and run `motia install`; "
        "modules of the project are looked for in its root, in steps and in src"
    )


def _is_required(package: str, root: Path) -> bool:
    try:
        lines = (root / "requirements.txt").read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(_normal(re.split(r"[\s\[<>=!~;@#]", line.strip(), maxsplit=1)[0]) == _normal(package) for line in lines)


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def _shown(filename: str, root: Path) -> str:
    try:
        return str(Path(filename).relative_to(root))
    except ValueError:
        return filename
