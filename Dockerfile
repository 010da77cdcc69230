# Never built where it was written, since there was no Docker engine: linted with hadolint alone.
FROM python:3.11-slim-bookworm

RUN useradd --create-home --uid 10001 tidemark \
    && install -d -o tidemark -g tidemark /tidemark /tidemark/.local
WORKDIR /tidemark
USER 10001

COPY requirements.txt .
RUN python -m venv .venv \
    && .venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r requirements.txt

COPY --chown=tidemark:tidemark . .

ENTRYPOINT ["/tidemark/.venv/bin/python", "run.py"]
