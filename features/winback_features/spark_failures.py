"""What stops Spark, told in a sentence: a lost executor or a full disk is no bug of ours, and no Java trace is a message."""

from __future__ import annotations

import builtins
import re

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException, PythonException

from winback_features.errors import ConfigError

NODES = (
    "Every node needs winback with its extra spark, the driver's Python, and the same paths: docs/engines.md."
)
LOG = "Spark's log says more; mostly it is memory, the disk, or a node that was lost. Nothing was published."

_LACKS = (ImportError, OSError, MemoryError)
_PYTHON_ERROR = re.compile(r"^(?:\w+\.)*(\w+): (.*)$", re.MULTILINE)


def cause(error: Exception) -> str:
    """Return the innermost cause that an error of Spark names, without Java's traces.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
        One line, no full stop at its end.
    """
    lines = str(error).splitlines()
    starts = ("Caused by: ", ": ")
    causes = [line.removeprefix(start) for line in lines for start in starts if line.startswith(start)]
    words = causes[-1] if causes else lines[0] if lines else type(error).__name__
    return re.sub(r"^(\w+\.)+(?=\w)", "", words).rstrip(".: ")


def refusal_of(error: Exception) -> ConfigError | None:
    """Return what an error of Spark comes to in words; None where it may be a mistake of ours.

    Parameters
    ----------
    error : Py4JError, PySparkException or ConnectionRefusedError
        The last where Java has gone.
    """
    if isinstance(error, PythonException):
        return _of_a_worker(str(error))
    if isinstance(error, PySparkException):  # a query that Spark does not understand
        return None
    if isinstance(error, Py4JJavaError):
        return ConfigError(f"Spark could not finish its work ({cause(error)}).", where="engine", how=LOG)
    return ConfigError("Spark has ended while it was at work.", where="engine", how=LOG)


def _of_a_worker(words: str) -> ConfigError | None:
    """Return the refusal where a worker lacks something; None where our code failed there."""
    found = _PYTHON_ERROR.findall(words)
    name, what = found[-1] if found else ("", "")
    kind = getattr(builtins, name, None)
    lacks = isinstance(kind, type) and issubclass(kind, _LACKS)
    if not (lacks or name.startswith("PySpark")):
        return None
    return ConfigError(f"A Python worker of Spark failed ({name}: {what}).", where="engine", how=NODES)
