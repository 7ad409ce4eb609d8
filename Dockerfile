# One image for every process: `docker run patchline services.inventory`, `docker run patchline patchline topics diff`.
# The tests build the same file upon a base of Debian's packages: any base with Python 3.11 or later and `venv` will do.
ARG BASE_IMAGE=docker.io/library/python:3.13-slim-bookworm

# ---- build: uv brings what the lock file says, and nothing of it is needed later
FROM ${BASE_IMAGE} AS build
ARG UV_VERSION=0.13.8
# For a network with a mirror or a certificate authority of its own. They stay in this stage.
ARG PIP_INDEX_URL
ARG PIP_CERT
ARG UV_DEFAULT_INDEX
ARG SSL_CERT_FILE
ENV UV_PROJECT_ENVIRONMENT=/app/.venv \
    UV_PYTHON_DOWNLOADS=never \
    UV_NO_CACHE=1 \
    UV_COMPILE_BYTECODE=1
WORKDIR /build
RUN python3 -m venv /opt/uv \
    && /opt/uv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}"
COPY pyproject.toml uv.lock ./
RUN /opt/uv/bin/uv sync --quiet --frozen --no-default-groups --no-install-project --python "$(command -v python3)"
WORKDIR /app
COPY LICENSE ./
COPY chassis chassis
COPY contracts contracts
COPY patchline patchline
COPY services services
# The root file system is read-only when it runs, so what Python would write beside the sources is written here.
RUN python3 -m compileall -q chassis contracts patchline services

# ---- the image: the base, the locked dependencies, the code; owned by root, run by nobody in particular
FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Patchline" \
      org.opencontainers.image.description="Event backbone between an MSP's RMM and its PSA" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --gid 10001 patchline \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin patchline \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/patchline
COPY --from=build /app /app
# What is written: /tmp, and the sealed snapshot of the sources in /var/lib/patchline (gateway-accept only).
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    PATCHLINE_HOME=/tmp/patchline
WORKDIR /app
USER 10001:10001
EXPOSE 8080 9090
ENTRYPOINT ["/app/.venv/bin/python", "-m"]
CMD ["patchline", "--help"]
