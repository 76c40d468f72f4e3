# Builds the bot only. It cannot be tried where no image registry can be reached, so it is kept simple.

FROM rust:1-bookworm AS build
WORKDIR /source
RUN apt-get update && apt-get install -y --no-install-recommends pkg-config libssl-dev && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cargo build --release --locked --package reprise

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /data --create-home reprise
COPY --from=build /source/target/release/reprise /usr/local/bin/reprise
USER reprise
WORKDIR /data
VOLUME /data
ENV REPRISE__HTTP__LISTEN=0.0.0.0:8080 REPRISE__STORE__URL=sqlite:///data/reprise.db
EXPOSE 8080
# `health` reads the same configuration as `serve`: give both by environment, or mount a file and name it in the command.
HEALTHCHECK --interval=30s --timeout=5s CMD ["reprise", "health"]
ENTRYPOINT ["reprise"]
CMD ["serve"]
