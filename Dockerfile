# Airflow and the pipeline in one environment, the lock's: docs/decisions/0011-an-image-of-our-own.md

FROM python:3.13-slim AS build
WORKDIR /build

# The locked uv, with its hashes; it installs everything else, with hashes as well.
COPY requirements.txt requirements-dev.txt ./
RUN awk '/^[^ #]/ { wanted = /^uv==/ } wanted' requirements-dev.txt > uv.txt \
    && pip install --no-cache-dir --no-deps --require-hashes -r uv.txt
RUN uv venv --no-cache /opt/weixin-etl \
    && uv pip install --no-cache --python /opt/weixin-etl --compile-bytecode \
        --require-hashes -r requirements.txt

COPY . .
RUN uv build --no-cache --wheel --build-constraints requirements-dev.txt --require-hashes \
    && uv pip install --no-cache --python /opt/weixin-etl --compile-bytecode \
        --no-deps dist/*.whl

FROM python:3.13-slim
RUN groupadd --gid 10001 weixin \
    && useradd --uid 10001 --gid weixin --home-dir /opt/airflow --no-create-home weixin \
    && install --directory --owner weixin --group weixin /opt/airflow /opt/airflow/logs
COPY --from=build /opt/weixin-etl /opt/weixin-etl
COPY --chmod=755 docker/init.sh docker/healthy.py /opt/weixin-etl/bin/
COPY --chmod=755 dags /opt/weixin-etl/dags
ENV PATH=/opt/weixin-etl/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/weixin-etl/dags
WORKDIR /opt/airflow
USER weixin
