"""The daily job as an Airflow DAG: wait for nothing, score, export, let old runs go.

A run is dated by its data interval, so a day that was missed is scored as that day, in order: what a day decides rests on
the day before it, and ``depends_on_past`` and ``max_active_runs`` keep that order. The day scored is the end of the
interval: the facts before its first instant are complete. A day that could not be scored holds up those after it until its
tasks are cleared; an export that a gate refused holds up nothing, and is cleared once it is allowed.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow import DAG
from airflow.providers.standard.operators.bash import BashOperator

SHOP = "/srv/shop"
BIN = "/srv/winback/bin"
# A run that somebody triggers by hand may have no interval: it scores the day on which it was triggered.
MOMENT = "(data_interval_end if data_interval_end is defined else dag_run.run_after)"
DAY = f"{{{{ {MOMENT}.astimezone(dag.timezone).date() }}}}"

with DAG(
    dag_id="winback_daily",
    description="Scores, entries and exits of the day",
    schedule="30 5 * * *",
    # The first day to score: once the DAG is on, every day since is scored, in order.
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Amsterdam"),
    catchup=True,
    max_active_runs=1,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(hours=2),
        # The same day with the same inputs is found published: a task that is repeated does no harm.
        "cwd": SHOP,
    },
) as dag:
    # Code 2 is a wrong input or setting: the retries give a late download the time to arrive whole. The result names contacts:
    # it belongs neither into Airflow's log nor, as the last line that a command prints, into its database.
    score = BashOperator(
        task_id="score",
        bash_command=f"{BIN}/winback score --as-of {DAY} --log-format json >/dev/null",
        depends_on_past=True,
    )
    export = BashOperator(
        task_id="export",
        bash_command=f"{BIN}/winback export --as-of {DAY} --to csv --list entries --out entries-{DAY}.csv",
    )
    prune = BashOperator(task_id="prune", bash_command=f"{BIN}/winback runs prune --keep-days 60")
    score >> export >> prune
