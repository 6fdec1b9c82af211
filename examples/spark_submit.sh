#!/bin/sh
# The daily job on a cluster. winback and its extra spark are installed on every node (an image, or an archive as below);
# winback.toml says engine.name = "spark", and its home folder and sources lie where every node sees them.
#
#   sh examples/spark_submit.sh winback.toml 2026-03-01
set -eu
config=${1:?usage: spark_submit.sh WINBACK_TOML AS_OF}
as_of=${2:?usage: spark_submit.sh WINBACK_TOML AS_OF}

# A virtual environment with winback[spark], packed with `venv-pack -o winback.tar.gz`, travels with the job where YARN or
# Kubernetes gives no image of its own; leave --archives and PYSPARK_PYTHON out where it is installed on the nodes.
export PYSPARK_PYTHON=${PYSPARK_PYTHON:-./environment/bin/python}
exec spark-submit \
    --master "${MASTER:-yarn}" \
    --deploy-mode client \
    --archives "${ARCHIVE:-winback.tar.gz}#environment" \
    --driver-memory 8g \
    --executor-memory 16g \
    --executor-cores 4 \
    --conf spark.sql.shuffle.partitions=400 \
    --conf spark.executorEnv.OMP_NUM_THREADS=1 \
    "$(dirname "$0")/spark_job.py" score -c "$config" --as-of "$as_of"
