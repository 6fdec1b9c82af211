# The daily job and the pages in one image: slim Python, a user without rights, every package pinned by its hash.
#
#   docker build -t winback .
#   docker run --rm -v shop:/data winback score -c /data/winback.toml
#
# The package index is the builder's own: pip's settings of the build machine say which.
ARG PYTHON=3.13
FROM python:${PYTHON}-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
RUN python -m venv /venv
# First what changes rarely. The drivers of the shop's database come along; Spark does not.
COPY requirements/run.txt requirements/postgres.txt requirements/
RUN /venv/bin/pip install --only-binary :all: --require-hashes -r requirements/run.txt -r requirements/postgres.txt
COPY pyproject.toml README.md LICENSE ./
COPY features features
COPY models models
COPY policy policy
COPY training training
COPY serving serving
RUN /venv/bin/pip install --no-deps --no-build-isolation .

FROM python:${PYTHON}-slim

# What scikit-learn's threads are made of; the slim image lacks it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin winback \
    && install --directory --owner winback --group winback /data
COPY --from=build /venv /venv

ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["winback"]
CMD ["--help"]
