# The product in an image: the locked packages, checked by their hashes, and an unprivileged user.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/coalition
COPY requirements.lock ./
RUN /opt/coalition/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY coalition coalition
COPY billing billing
COPY member_ui member_ui
COPY pages pages
COPY partners partners
COPY server server
RUN /opt/coalition/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/coalition --create-home coalition \
    && install --directory --owner=coalition --mode=0700 /var/lib/coalition/keys
COPY --from=build /opt/coalition /opt/coalition
ENV PATH=/opt/coalition/bin:$PATH PYTHONUNBUFFERED=1
USER coalition
WORKDIR /var/lib/coalition
EXPOSE 8000
ENTRYPOINT ["coalition"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000", "--no-worker"]
