# syntax=docker/dockerfile:1
# AllClear: one image for worker, gateway and command line. docker-compose.yml runs it.
ARG PYTHON=3.11.14-slim-bookworm

# Every locked package as a wheel, its hash checked; then our own, built with what was checked.
FROM python:${PYTHON} AS build
WORKDIR /src
COPY requirements.lock ./
RUN pip download --no-cache-dir --require-hashes --only-binary :all: --dest /wheels --requirement requirements.lock
COPY . .
RUN python -m venv /build \
    && /build/bin/pip install --no-cache-dir --no-index --find-links /wheels hatchling editables \
    && /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --no-index --wheel-dir /wheels .

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="AllClear" \
      org.opencontainers.image.description="Runs incidents as durable Temporal workflows, until every fix is validated" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/opt/allclear/bin:$PATH \
    ALLCLEAR_DATA=/data ALLCLEAR_CATALOG=/etc/allclear/catalog.yaml
# Of the wheels only what runs is installed. No index is asked: what was checked is what there is, one version of each.
# hadolint ignore=DL3013
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    python -m venv --without-pip /opt/allclear \
    && pip --python /opt/allclear/bin/python install --no-cache-dir --no-index --find-links /wheels --compile \
       "allclear-incidents[apprise,postgresql]" \
    && useradd --system --uid 10001 --user-group --home-dir /data --no-create-home allclear \
    && install -d -o allclear -g allclear -m 0700 /data
COPY deploy/healthy.py /usr/local/lib/allclear/healthy.py
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8600
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s --retries=4 \
    CMD ["python", "-I", "/usr/local/lib/allclear/healthy.py"]
ENTRYPOINT ["allclear"]
CMD ["gateway"]
