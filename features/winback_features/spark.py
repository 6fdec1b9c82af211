"""Spark as the engine: the same Ibis expressions, tables that stay on the cluster, results that come in batches."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ibis
import ibis.backends.pyspark
import pyarrow as pa
from ibis.backends.pyspark.datatypes import PySparkSchema
from ibis.formats.pyarrow import PyArrowSchema
from ibis.util import gen_name
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession, functions

from winback_features.config import EngineConfig
from winback_features.errors import ConfigError
from winback_features.spark_catalog import catalog_files
from winback_features.spark_failures import cause, refusal_of

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

LOCAL = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
"""What a session on one machine is told besides."""

ALWAYS = {
    "spark.sql.ansi.enabled": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""What every session is told: arithmetic as on one machine, rows to and from Python in batches, moments as Parquet has them."""


class SparkEngine(ibis.backends.pyspark.Backend):  # type: ignore[misc]
    """Ibis's backend for Spark, with temporary tables, and with results that stream to the driver.

    A temporary table is Parquet in the scratch folder: what depends on it is planned from there, and computed from there when
    a node is lost.

    Attributes
    ----------
    scratch : pathlib.Path
        Folder that every node sees.
    reader : ibis backend
        DuckDB in the driver's process, which opens the sources.
    """

    scratch: Path
    reader: Any

    def create_table(
        self,
        name: str,
        obj: Any | None = None,
        *,
        schema: Any | None = None,
        temp: bool = True,
        overwrite: bool = False,
    ) -> Any:
        """Compute a table once, and keep it until it is dropped or the engine is closed.

        Parameters
        ----------
        name : str
        obj : ibis.Table or pyarrow.Table, optional
            What it holds; nothing when absent.
        schema : ibis.Schema, optional
            Of an empty table.
        temp : bool
            Nothing is ever written to the catalog.
        overwrite : bool
            Replace one of the same name.
        """
        if not temp:
            raise ValueError("winback writes nothing to Spark's catalog")
        if overwrite:
            self.drop_table(name, force=True)
        frame = self._frame(obj, schema)
        return self.keep(frame, name)

    def keep(self, frame: DataFrame, name: str) -> Any:
        """Compute a data frame and give it a name.

        Parameters
        ----------
        frame : pyspark.sql.DataFrame
        name : str

        Returns
        -------
        ibis.Table
        """
        folder = str(self.scratch / name)
        frame.write.mode("overwrite").parquet(folder)
        self._session.read.schema(frame.schema).parquet(folder).createTempView(name)
        return self.table(name)

    def copy_from_catalog(self, location: str, database: str) -> tuple[Path, ...]:
        """Copy a table of Spark's catalog to the scratch folder, see `winback_features.spark_catalog.catalog_files`."""
        return catalog_files(self._session, location, database, self.scratch / gen_name("winback_source"))

    def drop_table(self, name: str, *, force: bool = False, **kwargs: Any) -> None:
        """Forget a temporary table, and give back its place."""
        shutil.rmtree(self.scratch / name, ignore_errors=True)
        if not self._session.catalog.dropTempView(name) and not force:
            msg = f"there is no temporary table called {name}"
            raise KeyError(msg)

    def read_parquet(self, path: Any, **kwargs: Any) -> Any:
        """Open Parquet files that every node sees."""
        return super().read_parquet(str(path), **kwargs)

    def frame_of(self, table: Any) -> DataFrame:
        """Return an Ibis table as a data frame of Spark."""
        self._run_pre_execute_hooks(table)
        return self._session.sql(self.compile(table))

    def apply(self, table: Any, function: Batches, schema: pa.Schema) -> Any:
        """Run a function over every batch of a table, where its rows are.

        Parameters
        ----------
        table : ibis.Table
        function : callable
            Iterator of record batches to iterator of record batches; sent to the executors.
        schema : pyarrow.Schema
            Of the batches that it gives.

        Returns
        -------
        ibis.Table
            A temporary table.
        """
        out = PySparkSchema.from_ibis(PyArrowSchema.to_ibis(schema))
        return self.keep(self.frame_of(table).mapInArrow(function, out), gen_name("winback_applied"))

    def apply_in_order(
        self, table: Any, order_by: Sequence[str], function: Batches, schema: pa.Schema
    ) -> Any:
        """Run a function over all rows of a table in their order, in one task.

        Parameters
        ----------
        table : ibis.Table
        order_by : sequence of str
            Columns; nulls come last.
        function, schema
            As for `apply`.
        """
        out = PySparkSchema.from_ibis(PyArrowSchema.to_ibis(schema))
        keys = [functions.col(name).asc_nulls_last() for name in order_by]
        ordered = self.frame_of(table).repartition(1).sortWithinPartitions(*keys)
        return self.keep(ordered.mapInArrow(function, out), gen_name("winback_applied"))

    def apply_by_contact(
        self, table: Any, function: Callable[[pa.Table], pa.Table], schema: pa.Schema, groups: int
    ) -> Any:
        """Run a function over the rows of some contacts at a time, where all of a contact are together.

        Parameters
        ----------
        table : ibis.Table
            With ``contact_id``.
        function : callable
            From a table of Arrow to another; sent to the executors.
        schema : pyarrow.Schema
            Of what it gives.
        groups : int
            The contacts are dealt out to so many groups; one of them has to fit into a task's memory.

        Returns
        -------
        ibis.Table
            A temporary table.
        """
        moment = pa.timestamp("us", "UTC")  # what Spark says for a time without a zone
        told = pa.schema([f.with_type(moment) if pa.types.is_timestamp(f.type) else f for f in schema])

        def of_group(rows: pa.Table) -> pa.Table:  # Spark counts the arguments of what it is given
            return function(rows).cast(told)

        out = PySparkSchema.from_ibis(PyArrowSchema.to_ibis(schema))
        group = functions.pmod(functions.xxhash64("contact_id"), functions.lit(groups))
        applied = self.frame_of(table).groupBy(group).applyInArrow(of_group, out)
        return self.keep(applied, gen_name("winback_applied"))

    def spread(self, rows: pa.Table) -> Any:
        """Return a small table of work to do, its rows dealt out to as many tasks.

        Parameters
        ----------
        rows : pyarrow.Table

        Returns
        -------
        ibis.Table
        """
        name = gen_name("winback_work")
        self._frame(rows, None).repartition(max(rows.num_rows, 1)).createTempView(name)
        return self.table(name)

    def to_pyarrow_batches(self, expr: Any, /, *, chunk_size: int = 50_000, **kwargs: Any) -> Any:
        """Give the rows in their order, one partition of Spark at a time."""
        table = expr.as_table()
        schema = PyArrowSchema.from_ibis(table.schema())
        packed = self.frame_of(table).mapInArrow(_pack, "packed binary")
        return pa.RecordBatchReader.from_batches(
            schema, _unpack(packed.toLocalIterator(), schema, chunk_size)
        )

    def to_pyarrow(self, expr: Any, /, **kwargs: Any) -> Any:
        """Give a small result at once."""
        table = expr.as_table()
        found = self.frame_of(table).toArrow().cast(PyArrowSchema.from_ibis(table.schema()))
        return expr.__pyarrow_result__(found)

    def _frame(self, obj: Any | None, schema: Any | None) -> DataFrame:
        if obj is None:
            empty: DataFrame = self._session.createDataFrame([], PySparkSchema.from_ibis(ibis.schema(schema)))
            return empty
        if isinstance(obj, pa.Table):
            kinds = PySparkSchema.from_ibis(PyArrowSchema.to_ibis(obj.schema))
            given: DataFrame = self._session.createDataFrame(obj, kinds)
            return given
        return self.frame_of(obj)


@contextmanager
def open_spark(config: EngineConfig, scratch: Path, reader: Any) -> Iterator[SparkEngine]:
    """Open Spark: the session that spark-submit or a notebook made, else one by the settings.

    Parameters
    ----------
    config : EngineConfig
    scratch : pathlib.Path
        Folder of the temporary tables; on a cluster every node must see it.
    reader : ibis backend
        DuckDB, which opens the sources.

    Yields
    ------
    SparkEngine
        Its clock is UTC. A session that was there before stays open.

    Raises
    ------
    ConfigError
        When Spark cannot start, or fails at its work for want of something.
    """
    _ = ibis.pyspark  # Ibis knows the options of a backend once it was named
    there = SparkSession.getActiveSession()
    builder = SparkSession.builder.appName("winback")
    settings = {**ALWAYS, **config.spark_conf}
    if there is None and config.spark_master:
        settings = {**_local(config), **settings}
        builder = builder.master(config.spark_master)
        if config.spark_master.startswith("local"):
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        # A notebook's own session keeps its settings and views.
        with _own_interruption():
            session = there.newSession() if there else builder.getOrCreate()
        for key, value in settings.items() if there else ():
            session.conf.set(key, value)
    except Exception as error:
        what = f"Spark cannot start ({cause(error)})."
        how = "Check engine.spark_master and engine.spark_conf. Spark needs Java 17 or 21, where JAVA_HOME or PATH finds it."
        raise ConfigError(what, where="engine", how=how) from error
    engine = SparkEngine().connect(session)
    engine.scratch, engine.reader = scratch, reader
    try:
        try:
            yield engine
        finally:
            if there is None:
                with suppress(Py4JError, ConnectionRefusedError):  # Java may have gone already
                    session.stop()
    except (Py4JError, PySparkException, ConnectionRefusedError) as error:
        refused = refusal_of(error)
        if refused is None:
            raise
        raise refused from error


@contextmanager
def _own_interruption() -> Iterator[None]:
    """Keep what Ctrl-C does: a new session of Spark puts a handler there that talks to Java in the middle of another talk."""
    mine = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, mine)


def _local(config: EngineConfig) -> dict[str, str]:
    """Return what a session on this machine is told; nothing for a cluster."""
    if not config.spark_master.startswith("local"):
        return {}
    memory = re.sub(r"\s*([KMGT])i?B", r"\1", config.memory_limit.strip(), flags=re.IGNORECASE)
    sized = {"spark.driver.memory": memory.lower()} if memory[-1:].isalpha() and "." not in memory else {}
    return {**LOCAL, **sized, "spark.sql.shuffle.partitions": str(2 * config.threads)}


def _pack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        yield pa.record_batch({"packed": pa.array([sink.getvalue().to_pybytes()], pa.binary())})


def _unpack(rows: Iterator[Sequence[Any]], schema: pa.Schema, size: int) -> Iterator[pa.RecordBatch]:
    for (packed,) in rows:
        table = pa.ipc.open_stream(packed).read_all().cast(schema)
        yield from table.to_batches(max_chunksize=size)
