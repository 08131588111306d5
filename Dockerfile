# The product in an image: the locked packages, checked by their hashes, and an unprivileged user.
# Any image with Python 3.11 as `python`, its venv module and pip will do as the base.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
WORKDIR /build
RUN python -m venv /opt/tools && python -m venv --without-pip /opt/coalition
COPY requirements.lock ./
RUN /opt/tools/bin/pip wheel --no-cache-dir --require-hashes --wheel-dir wheels \
        --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY coalition coalition
COPY billing billing
COPY member_ui member_ui
COPY pages pages
COPY partners partners
COPY server server
# From here on nothing comes from elsewhere: of the checked packages the product takes what it needs.
RUN /opt/tools/bin/pip install --no-index --find-links wheels hatchling \
    && /opt/tools/bin/pip wheel --no-index --no-build-isolation --no-deps --wheel-dir wheels . \
    && /opt/tools/bin/pip --python /opt/coalition/bin/python \
        install --no-index --find-links wheels coalition

FROM ${BASE}
RUN groupadd --system --gid 10001 coalition \
    && useradd --system --uid 10001 --gid coalition --home-dir /var/lib/coalition --create-home \
        --skel /nonexistent coalition \
    && install --directory --owner=coalition --group=coalition --mode=0700 /var/lib/coalition/keys
COPY --from=build /opt/coalition /opt/coalition
ENV PATH=/opt/coalition/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/coalition
EXPOSE 8000
ENTRYPOINT ["coalition"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000", "--no-worker"]
