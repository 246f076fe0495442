"""c2pa-python, imported when it is first needed and so that it loads its own library only.

As it comes, it looks for the library in the current directory first (`c2pa/lib.py`): whoever can
put a file into the folder in which `tellsign check` is called could run code.
"""

import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

_importing = Lock()


def c2pa() -> Any:
    """The package.

    Raises:
        ImportError: it is not installed, or has changed so that it could load another library.
    """
    with _importing:
        return _import()


@cache
def _import() -> Any:
    package = importlib.util.find_spec("c2pa")
    if package is None or package.origin is None:
        raise ImportError("c2pa-python is not installed.")
    if "c2pa" not in sys.modules:
        loader = Path(package.origin).parent / "lib.py"
        spec = importlib.util.spec_from_file_location("c2pa.lib", loader)
        if spec is None or spec.loader is None:
            raise ImportError("c2pa-python has no lib.py.")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        names = vars(module)
        if "_get_possible_search_paths" not in names:
            raise ImportError("This c2pa-python looks for its library in another way.")
        names["_get_possible_search_paths"] = lambda: [loader.parent / "libs"]
        sys.modules["c2pa.lib"] = module
    return importlib.import_module("c2pa")
