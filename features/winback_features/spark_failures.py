"""What stops Spark, told in a sentence: a lost executor or a full disk is no bug of ours, and no Java trace is a message."""

from __future__ import annotations

import builtins
import re

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException, PythonException

from winback_features.errors import ConfigError

NODES = "Every node needs winback with its extra spark, the driver's Python, and the same paths: docs/engines.md."
LOG = "Spark's log says more; mostly it is memory, the disk, or a node that was lost. Nothing was published."

_PLACE = (ImportError, OSError, MemoryError)
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


def told(error: Exception) -> Exception:
    """Return what to raise for an error of Spark: a refusal in words, or the error itself where it may be ours.

    Parameters
    ----------
    error : Py4JError or PySparkException
    """
    if isinstance(error, PythonException):
        return _of_a_worker(error)
    if isinstance(error, PySparkException):  # a query that Spark does not understand
        return error
    if isinstance(error, Py4JJavaError):
        return ConfigError(f"Spark could not finish its work ({cause(error)}).", where="engine", how=LOG)
    if isinstance(error, Py4JError):
        return ConfigError("Spark has ended while it was at work.", where="engine", how=LOG)
    return error


def _of_a_worker(error: PythonException) -> Exception:
    """Return the refusal where a worker lacks something, the error itself where our code failed there."""
    found = _PYTHON_ERROR.findall(str(error))
    name, words = found[-1] if found else ("", "")
    kind = getattr(builtins, name, None)
    lacks = isinstance(kind, type) and issubclass(kind, _PLACE)
    if not (lacks or name.startswith("PySpark")):
        return error
    return ConfigError(f"A Python worker of Spark failed ({name}: {words}).", where="engine", how=NODES)
