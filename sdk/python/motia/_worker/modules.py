"""How modules of the project are found: by name as Python does, relative to each other up to the project's root, and
step files by path, whatever their names are.

0.x put the folder above the project on the path, so that `from ..services import db` in `steps/a_step.py` meant
`services` of the root. Here the root is the package `motia_root`. Its members are those that `import services` finds:
one module with two names, not two modules.
"""

from __future__ import annotations

import linecache
import os
import sys
import time
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

TOP = "motia_root"
_PREFIX = TOP + "."
#: Stands in a module's name for a dot of a file's or a folder's, as those between packages are not. It looks like one.
_DOT = "\u2024"
#: The environment variable by which processes that steps start know the project, see `install_in_child`.
_ROOT = "MOTIA_ROOT"
#: Seconds after which a file that changed once more has another time of change.
_SETTLED = 3
_SDK = str(Path(__file__).resolve().parent.parent.parent)


class RootFinder(MetaPathFinder):
    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self._folder = str(self.root) + os.sep
        #: Step files by the name that an import would use.
        self.steps: dict[str, ModuleType] = {}
        top = ModuleType(TOP)
        top.__path__ = [str(self.root)]
        top.__spec__ = ModuleSpec(TOP, None, is_package=True)
        sys.modules[TOP] = top

    def install(self) -> None:
        # Before the one that looks in sys.path, behind those of built-in and frozen modules.
        finders = [at for at, finder in enumerate(sys.meta_path) if finder is PathFinder]
        sys.meta_path.insert(finders[0] if finders else len(sys.meta_path), self)
        _add_to_path([self.root, self.root / "steps", self.root / "src"])
        os.environ[_ROOT] = str(self.root)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        if name.startswith(_PREFIX):
            return self._relative(name)
        step = self.steps.get(name)
        if step is not None:
            return _alias(name, step)
        if path is None and name != "motia":
            # Tests and benchmarks lie beside the SDK, not in the project.
            path = [entry for entry in sys.path if entry != _SDK]
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None or not spec.origin.startswith(self._folder):
            return spec
        if type(spec.loader) is SourceFileLoader:
            spec.loader = _Source(spec.loader.name, spec.loader.path)
        return _RootSpec.of(spec) if self._is_at(spec, name) else spec

    def _relative(self, name: str) -> Optional[ModuleSpec]:
        """`motia_root.services` is `services`, if that is the one in the root; else a module of its own."""
        plain = name[len(_PREFIX) :]
        step = self.steps.get(plain)
        if step is not None:
            return _alias(name, step)
        place = self.root / path_of(plain)
        spec = PathFinder.find_spec(name, [str(place.parent)]) or _dotted(name, place)
        if spec is None:
            return None
        known = sys.modules.get(plain)
        if known is not None:
            same = _location(getattr(known, "__spec__", None)) == _location(spec)
            return _alias(name, known) if same else spec
        try:
            found = find_spec(plain)
        except (ImportError, AttributeError, ValueError):
            return spec
        if found is None or _location(found) != _location(spec):
            # The name means something else to Python: `types.py` does not replace `types`.
            return spec
        return ModuleSpec(name, _AliasLoader(plain), origin=found.origin, is_package=_is_package(found))

    def _is_at(self, spec: ModuleSpec, name: str) -> bool:
        """Whether a module lies where its name says, seen from the root."""
        place = self.root.joinpath(*name.split("."))
        return str(spec.origin).startswith((f"{place}.", f"{place}{os.sep}__init__."))


class _RootSpec(ModuleSpec):
    """The spec of a module of the root. Its relative imports may go up to the root."""

    @classmethod
    def of(cls, spec: ModuleSpec) -> _RootSpec:
        rooted = cls(spec.name, spec.loader, origin=spec.origin, is_package=_is_package(spec))
        rooted.submodule_search_locations = spec.submodule_search_locations
        rooted.has_location = spec.has_location
        return rooted

    @property
    def parent(self) -> str:
        own = super().parent
        return f"{_PREFIX}{own}" if own else TOP


class _AliasLoader(Loader):
    """Gives a module a second name."""

    def __init__(self, name: str, module: Optional[ModuleType] = None) -> None:
        self._name = name
        self._module = module

    def create_module(self, _: ModuleSpec) -> ModuleType:
        if self._module is None:
            __import__(self._name)
            self._module = sys.modules[self._name]
        self._spec = self._module.__spec__
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        # It has run, or runs just now. Python has put the alias's spec into it.
        module.__spec__ = self._spec


def _dotted(name: str, place: Path) -> Optional[ModuleSpec]:
    """A folder or a file whose name has a dot. Python does not look for those."""
    if "." not in place.name:
        return None
    file = place / "__init__.py" if place.is_dir() else place.with_name(f"{place.name}.py")
    if file.is_file():
        return spec_from_file_location(name, file, loader=_Source(name, str(file)))
    if not place.is_dir():
        return None
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(place)]
    return spec


def _alias(name: str, module: ModuleType) -> ModuleSpec:
    loader = _AliasLoader(module.__name__, module)
    return ModuleSpec(name, loader, origin=getattr(module, "__file__", None), is_package=hasattr(module, "__path__"))


def _is_package(spec: ModuleSpec) -> bool:
    return spec.submodule_search_locations is not None


def _location(spec: Optional[ModuleSpec]) -> Any:
    """A file, or the folders of a package without one."""
    if spec is None:
        return None
    if spec.origin is not None:
        return spec.origin
    return sorted(spec.submodule_search_locations or ())


class _Source(SourceFileLoader):
    """A file on disk. Python takes the code in __pycache__ for that of a file whose size and second of change are the
    same: who saves twice in a second would see the first version run."""

    def path_stats(self, path: str) -> Any:
        stats = super().path_stats(path)
        if time.time() - stats["mtime"] < _SETTLED:
            raise OSError("it may still change")
        return stats


class _Snapshot(SourceFileLoader):
    """A file whose text lies elsewhere: what it was when the engine looked."""

    def __init__(self, name: str, path: str, text: bytes) -> None:
        super().__init__(name, path)
        self._text = text

    def get_data(self, _: str) -> bytes:
        return self._text

    def path_stats(self, _: str) -> dict[str, Any]:
        # Compiled code is kept for the file on disk, which is another one.
        raise OSError("a snapshot")


def load_file(finder: RootFinder, source: str, module: str) -> ModuleType:
    """Runs the file `module` as the project's file `source`. Raises whatever it raises."""
    path = finder.root / source
    plain = ".".join(part.replace(".", _DOT) for part in Path(source).with_suffix("").parts)
    name = _PREFIX + plain
    text = Path(module).read_bytes()
    on_disk = Path(module) == path or _bytes_of(path) == text
    if on_disk and plain not in finder.steps:
        imported = sys.modules.get(plain)
        if imported is not None and getattr(imported, "__file__", None) == str(path):
            # Another step has imported it already.
            return imported
    loader = _Source(name, str(path)) if on_disk else _Snapshot(name, str(path), text)
    spec = ModuleSpec(name, loader, origin=str(path))
    spec.has_location = True
    loaded = module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = loaded
    _forget_lines(str(path), None if on_disk else text)
    try:
        loader.exec_module(loaded)
    except BaseException:
        sys.modules.pop(name, None)
        if before is not None:
            sys.modules[name] = before
        raise
    finder.steps[plain] = loaded
    # An older module of this name is not to be imported any more.
    sys.modules.pop(plain, None)
    return loaded


def path_of(plain: str) -> str:
    """The file, without its ending, or the folder that a name in the project means."""
    return "/".join(part.replace(_DOT, ".") for part in plain.split("."))


def install_in_child() -> None:
    """In a process that a step has started by multiprocessing (`spawn`, `forkserver`): what it is to run may be a
    function of the step's file."""
    root = os.environ.get(_ROOT)
    if root is not None:
        RootFinder(root).install()


def _bytes_of(path: Path) -> Optional[bytes]:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _forget_lines(path: str, text: Optional[bytes]) -> None:
    """Tracebacks show the lines of what ran, not those of what has become of the file since."""
    linecache.cache.pop(path, None)
    if text is not None:
        lines = text.decode(errors="replace").splitlines(keepends=True)
        linecache.cache[path] = (len(text), None, lines, path)


def _add_to_path(folders: list[Path]) -> None:
    """Behind the standard library, which the project cannot shadow, and before what is installed."""
    new = [str(folder) for folder in folders if str(folder) not in sys.path]
    at = next((at for at, entry in enumerate(sys.path) if entry.endswith(("site-packages", "dist-packages"))), None)
    if at is None:
        sys.path.extend(new)
    else:
        sys.path[at:at] = new
