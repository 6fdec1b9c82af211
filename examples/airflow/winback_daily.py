"""The daily job as an Airflow DAG: wait for nothing, score, export, let old runs go.

A run is dated by its data interval, so a day that was missed is scored as that day, in order: what a day decides rests on
the day before it, and ``depends_on_past`` and ``max_active_runs`` keep that order. The day scored is the end of the
interval: the facts before its first instant are complete.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow import DAG
from airflow.providers.standard.operators.bash import BashOperator

SHOP = "/srv/shop"
DAY = "{{ data_interval_end.in_timezone('Europe/Amsterdam').to_date_string() }}"

with DAG(
    dag_id="winback_daily",
    description="Scores, entries and exits of the day",
    schedule="30 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Amsterdam"),
    catchup=True,
    max_active_runs=1,
    default_args={
        "depends_on_past": True,
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
        bash_command=f"winback score --as-of {DAY} --log-format json >/dev/null",
    )
    export = BashOperator(
        task_id="export",
        bash_command=f"winback export --as-of {DAY} --to csv --list entries --out entries-{DAY}.csv",
    )
    prune = BashOperator(task_id="prune", bash_command="winback runs prune --keep-days 60")
    score >> export >> prune
