# Builds the bot only. It cannot be tried where no image registry can be reached, so it is kept simple; what can be held
# without one is held by tests/it/container.rs.

FROM rust:1-bookworm AS build
WORKDIR /source
RUN apt-get update \
    && apt-get install -y --no-install-recommends pkg-config libssl-dev \
    && rm -rf /var/lib/apt/lists/*
# The dependencies with stand-ins for our own code: this layer is made again only when the dependencies change.
COPY Cargo.toml Cargo.lock ./
COPY sandbox/Cargo.toml sandbox/
RUN mkdir src sandbox/src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs sandbox/src/lib.rs \
    && cargo build --release --locked --package reprise
COPY i18n.toml ./
COPY i18n i18n
COPY config config
COPY src src
# Copied files keep their times, which may be older than those of the stand-ins.
RUN touch src/lib.rs src/main.rs && cargo build --release --locked --package reprise

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-log-init --home-dir /data --create-home reprise \
    && mkdir /etc/reprise \
    && touch /etc/reprise/reprise.toml
COPY config/container.toml /etc/reprise/
COPY --from=build /source/target/release/reprise /usr/local/bin/
# By number: an orchestrator can see that it is not root.
USER 10001
# Where the default store.url, sqlite://reprise.db, puts its file.
WORKDIR /data
VOLUME /data
EXPOSE 8080
# A file that is mounted as /etc/reprise/reprise.toml wins over the image's own, and the environment over both: the
# image sets no variable, since that would win over the file.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["reprise", "health", "--config", "/etc/reprise/container.toml", "--config", "/etc/reprise/reprise.toml"]
ENTRYPOINT ["reprise"]
CMD ["serve", "--config", "/etc/reprise/container.toml", "--config", "/etc/reprise/reprise.toml"]
