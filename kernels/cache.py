"""Where compiled CPU twins are kept on disk, so that only the first call ever on a machine waits for the compiler.

Numba's own cache looks at the file a function stands in, and so goes stale when a function in *another* file
changes that was compiled into it. Here the folder is named by a hash of all of this package's sources: another text,
another folder. What Numba keeps in it, and how, is Numba's. Whatever goes wrong with the cache (a damaged file, a
read-only folder, a full disk) only means compiling again.
"""

import functools
import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

KEPT_VERSIONS = 4  # of this package's sources: as many as a developer switches between


def twin_cache(function: Callable[..., Any], variant: str) -> FunctionCache:
    """Numba's cache for one function; `variant` keeps its serial and its parallel code apart."""

    class Locator(_CacheLocator):
        def get_cache_path(self) -> str:
            return str(cache_folder() / variant)

        def get_source_stamp(self) -> str:
            return source_hash()

        def get_disambiguator(self) -> str:
            return function.__module__

        @classmethod
        def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "Locator":
            return cls()

    class Implementation(CompileResultCacheImpl):
        _locator_classes: list[Any] = [Locator]  # noqa: RUF012 - Numba's name, and a list there too

    class Cache(FunctionCache):
        _impl_class = Implementation

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            if not cache_folder().exists():
                return None
            try:
                with _one_process_at_a_time():
                    return super().load_overload(sig, target_context)
            except Exception:  # a damaged file fails in any way it likes
                return None

        def save_overload(self, sig: Any, data: Any) -> None:
            with suppress(Exception):
                make_room(cache_folder())
                with _one_process_at_a_time():
                    super().save_overload(sig, data)

    return Cache(function)


def _one_process_at_a_time() -> FileLock:
    """A lock: Numba numbers files by an index it rewrites, so two processes at once could use one number twice."""
    return FileLock(cache_folder() / "lock", timeout=10)


def cache_folder() -> Path:
    """Where the code compiled from these very sources is kept (under `NUMBA_CACHE_DIR` if that is set)."""
    parent = os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_dir("neuralfabric-workbench")
    return Path(parent) / "kernels" / source_hash()


@functools.cache
def source_hash() -> str:
    """A hash of every Python file in this package."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def make_room(folder: Path) -> None:
    """Create `folder`; when it is new, delete what older sources left beside it."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    versions = sorted(folder.parent.iterdir(), key=lambda path: path.stat().st_mtime)
    for old in versions[:-KEPT_VERSIONS]:
        shutil.rmtree(old, ignore_errors=True)
