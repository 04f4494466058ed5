# Builds the image of the service: `docker build -t usersync .` (BuildKit, the default builder of Docker 23 and newer).
#
# Run it with the provider's signing secret and either a PostgreSQL or a volume for the embedded database:
#   docker run -p 8080:8080 -v usersync:/data -e CLERK_WEBHOOK_SIGNING_SECRET=whsec_… usersync

# --- Build. The image has the C compiler, make and Perl that the bundled libraries need.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Downloads and compiled dependencies stay in the builder's cache, so a change of ours recompiles ours only.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked -p usersync \
    && install -D target/release/usersync /out/usersync

# --- Run.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin usersync \
    && install -d -o usersync -g usersync -m 0700 /data
COPY --from=build /out/usersync /usr/local/bin/usersync

# Succeeds when the service answers GET /readyz with 200. Bash can speak that much HTTP, so no client is installed.
COPY --chmod=0755 <<'SCRIPT' /usr/local/bin/usersync-ready
#!/bin/bash
exec 3<>"/dev/tcp/127.0.0.1/${PORT:-${USERSYNC_BIND##*:}}" || exit 1
printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 3 _ status _ <&3
[ "$status" = 200 ]
SCRIPT

# The embedded database is used where no DATABASE_URL is given. SSL_CERT_FILE tells the bundled OpenSSL, which knows no
# system paths, where the certificates are (for sslrootcert=system in a PostgreSQL URL).
ENV USERSYNC_BIND=[::]:8080 \
    USERSYNC_SHUTDOWN_DELAY=5s \
    DATABASE_URL=sqlite:///data/usersync.db \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER usersync
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["usersync-ready"]
ENTRYPOINT ["usersync"]
CMD ["serve"]
